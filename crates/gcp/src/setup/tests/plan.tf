# A constraint that the project has set already is refused here until it is imported:
# terraform import google_org_policy_policy.LABEL projects/PROJECT/policies/CONSTRAINT

data "google_project" "acme_gke" {
  project_id = "acme-gke"
}

resource "google_project_service" "acme_art_artifactregistry" {
  project            = "acme-art"
  service            = "artifactregistry.googleapis.com"
  disable_on_destroy = false
}

resource "google_project_service" "acme_gke_cloudresourcemanager" {
  project            = "acme-gke"
  service            = "cloudresourcemanager.googleapis.com"
  disable_on_destroy = false
}

resource "google_project_service" "acme_gke_container" {
  project            = "acme-gke"
  service            = "container.googleapis.com"
  disable_on_destroy = false
}

resource "google_project_service" "acme_gke_iam" {
  project            = "acme-gke"
  service            = "iam.googleapis.com"
  disable_on_destroy = false
}

resource "google_project_service" "acme_gke_iamcredentials" {
  project            = "acme-gke"
  service            = "iamcredentials.googleapis.com"
  disable_on_destroy = false
}

resource "google_project_service" "acme_gke_orgpolicy" {
  project            = "acme-gke"
  service            = "orgpolicy.googleapis.com"
  disable_on_destroy = false
}

resource "google_project_service" "acme_gke_sts" {
  project            = "acme-gke"
  service            = "sts.googleapis.com"
  disable_on_destroy = false
}

# In the google_container_cluster of one:
#   workload_identity_config {
#     workload_pool = "acme-gke.svc.id.goog"
#   }
# There is no such pool before: have grants to its members depend on the cluster.

# In the google_container_node_pool main of one:
#   node_config {
#     workload_metadata_config {
#       mode = "GKE_METADATA"
#     }
#   }

resource "google_service_account" "kargo_project_shop" {
  project                      = "acme-gke"
  account_id                   = "kargo-project-shop"
  display_name                 = "Kargo Project shop"
  create_ignore_already_exists = true
  depends_on                   = [google_project_service.acme_gke_iam]
}

resource "google_service_account_iam_member" "kargo_project_shop_argosy_controller" {
  service_account_id = google_service_account.kargo_project_shop.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/projects/${data.google_project.acme_gke.number}/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller"
}

resource "google_artifact_registry_repository_iam_member" "kargo_project_shop_acme_art_europe_west1_shop" {
  project    = "acme-art"
  location   = "europe-west1"
  repository = "shop"
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.kargo_project_shop.member
  depends_on = [google_project_service.acme_art_artifactregistry]
}

resource "google_service_account" "kargo_project_web" {
  project                      = "acme-gke"
  account_id                   = "kargo-project-web"
  display_name                 = "Kargo Project web"
  create_ignore_already_exists = true
  depends_on                   = [google_project_service.acme_gke_iam]
}

resource "google_service_account_iam_member" "kargo_project_web_argosy_controller" {
  service_account_id = google_service_account.kargo_project_web.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://iam.googleapis.com/projects/${data.google_project.acme_gke.number}/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller"
}

resource "google_artifact_registry_repository_iam_member" "kargo_project_web_acme_art_europe_west1_apps" {
  project    = "acme-art"
  location   = "europe-west1"
  repository = "apps"
  role       = "roles/artifactregistry.reader"
  member     = google_service_account.kargo_project_web.member
  depends_on = [google_project_service.acme_art_artifactregistry]
}

resource "google_org_policy_policy" "acme_gke_iam_managed_disableserviceaccountkeycreation" {
  name       = "projects/acme-gke/policies/iam.managed.disableServiceAccountKeyCreation"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_iam_managed_disableserviceaccountkeyupload" {
  name       = "projects/acme-gke/policies/iam.managed.disableServiceAccountKeyUpload"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_iam_managed_disableserviceaccountapikeycreation" {
  name       = "projects/acme-gke/policies/iam.managed.disableServiceAccountApiKeyCreation"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_iam_automaticiamgrantsfordefaultserviceaccounts" {
  name       = "projects/acme-gke/policies/iam.automaticIamGrantsForDefaultServiceAccounts"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_iam_managed_preventprivilegedbasicrolesfordefaultserviceaccounts" {
  name       = "projects/acme-gke/policies/iam.managed.preventPrivilegedBasicRolesForDefaultServiceAccounts"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_iam_workloadidentitypoolproviders" {
  name       = "projects/acme-gke/policies/iam.workloadIdentityPoolProviders"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      deny_all = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_iam_workloadidentitypoolawsaccounts" {
  name       = "projects/acme-gke/policies/iam.workloadIdentityPoolAwsAccounts"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      deny_all = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_iam_disableauditloggingexemption" {
  name       = "projects/acme-gke/policies/iam.disableAuditLoggingExemption"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_container_managed_enableworkloadidentityfederation" {
  name       = "projects/acme-gke/policies/container.managed.enableWorkloadIdentityFederation"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_container_managed_disallowdefaultcomputeserviceaccount" {
  name       = "projects/acme-gke/policies/container.managed.disallowDefaultComputeServiceAccount"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_container_managed_enableshieldednodes" {
  name       = "projects/acme-gke/policies/container.managed.enableShieldedNodes"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_container_managed_enableprivatenodes" {
  name       = "projects/acme-gke/policies/container.managed.enablePrivateNodes"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_container_managed_enablenetworkpolicy" {
  name       = "projects/acme-gke/policies/container.managed.enableNetworkPolicy"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_container_managed_disableabac" {
  name       = "projects/acme-gke/policies/container.managed.disableABAC"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_container_managed_disableinsecurekubeletreadonlyport" {
  name       = "projects/acme-gke/policies/container.managed.disableInsecureKubeletReadOnlyPort"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_container_managed_disablerbacsystembindings" {
  name       = "projects/acme-gke/policies/container.managed.disableRBACSystemBindings"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_storage_publicaccessprevention" {
  name       = "projects/acme-gke/policies/storage.publicAccessPrevention"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_org_policy_policy" "acme_gke_storage_uniformbucketlevelaccess" {
  name       = "projects/acme-gke/policies/storage.uniformBucketLevelAccess"
  parent     = "projects/acme-gke"
  depends_on = [google_project_service.acme_gke_orgpolicy]

  spec {
    rules {
      enforce = "TRUE"
    }
  }
}

resource "google_project_iam_audit_config" "acme_gke_iam" {
  project    = "acme-gke"
  service    = "iam.googleapis.com"
  depends_on = [google_project_service.acme_gke_cloudresourcemanager]

  audit_log_config {
    log_type = "ADMIN_READ"
  }

  audit_log_config {
    log_type         = "DATA_WRITE"
    exempted_members = ["user:ann@acme.example"]
  }

  audit_log_config {
    log_type = "DATA_READ"
  }
}

resource "google_pubsub_topic" "acme_art_gcr" {
  project = "acme-art"
  name    = "gcr"
}
