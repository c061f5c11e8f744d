data "google_project" "acme_gke" {
  project_id = "acme-gke"
}

# Remove where it is declared:
#   resource "google_project_iam_member" "acme_gke_serviceaccount_acme_gke_svc_id_goog_argosy_controller__serviceaccounttokencreator" {
#     project = "acme-gke"
#     role    = "roles/iam.serviceAccountTokenCreator"
#     member  = "serviceAccount:acme-gke.svc.id.goog[argosy/controller]"
#   }

# Remove where it is declared:
#   resource "google_folder_iam_member" "folders_12_argosy_controller_reader" {
#     folder = "folders/12"
#     role   = "roles/artifactregistry.reader"
#     member = "principal://iam.googleapis.com/projects/${data.google_project.acme_gke.number}/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller"
#   }

# Remove the google_service_account_key k1 of kargo-project-web@acme-gke.iam.gserviceaccount.com.

# In the google_service_account of kargo-project-web@acme-gke.iam.gserviceaccount.com:
#   disabled = true

# Where it is declared elsewhere, say disabled = false there instead.
import {
  to = google_service_account.kargo_project_shop
  id = "projects/acme-gke/serviceAccounts/kargo-project-shop@acme-gke.iam.gserviceaccount.com"
}

resource "google_service_account" "kargo_project_shop" {
  project      = "acme-gke"
  account_id   = "kargo-project-shop"
  display_name = "Kargo Project shop"
  disabled     = false
}

resource "google_project_iam_custom_role" "acme_gke_kargogsatokenminter" {
  project     = "acme-gke"
  role_id     = "kargoGsaTokenMinter"
  title       = "Kargo service account token minter"
  permissions = ["iam.serviceAccounts.getAccessToken"]
  stage       = "GA"
}

resource "google_service_account_iam_member" "kargo_project_shop_argosy_controller" {
  service_account_id = "projects/acme-gke/serviceAccounts/kargo-project-shop@acme-gke.iam.gserviceaccount.com"
  role               = google_project_iam_custom_role.acme_gke_kargogsatokenminter.name
  member             = "principal://iam.googleapis.com/projects/${data.google_project.acme_gke.number}/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller"
}

# In the google_artifact_registry_repository of projects/acme-art/locations/europe-west1/repositories/apps:
#   docker_config {
#     immutable_tags = true
#   }
