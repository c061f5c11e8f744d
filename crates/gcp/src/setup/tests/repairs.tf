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
#     member = "principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller"
#   }

# Remove the google_service_account_key k1 of kargo-project-web@acme-gke.iam.gserviceaccount.com.

# In the google_service_account of kargo-project-web@acme-gke.iam.gserviceaccount.com:
#   disabled = true

# In the google_artifact_registry_repository of projects/acme-art/locations/europe-west1/repositories/apps:
#   docker_config {
#     immutable_tags = true
#   }
