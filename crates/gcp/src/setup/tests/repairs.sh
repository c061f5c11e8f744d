gcloud projects remove-iam-policy-binding acme-gke \
  --role=roles/iam.serviceAccountTokenCreator \
  --member='serviceAccount:acme-gke.svc.id.goog[argosy/controller]' \
  --all
gcloud resource-manager folders remove-iam-policy-binding 12 \
  --role=roles/artifactregistry.reader \
  --member=principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller \
  --all
gcloud iam service-accounts keys disable k1 \
  --iam-account=kargo-project-web@acme-gke.iam.gserviceaccount.com
gcloud iam service-accounts disable kargo-project-web@acme-gke.iam.gserviceaccount.com
gcloud artifacts repositories update apps \
  --project=acme-art \
  --location=europe-west1 \
  --immutable-tags
