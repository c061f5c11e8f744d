gcloud projects remove-iam-policy-binding acme-gke \
  --role=roles/iam.serviceAccountTokenCreator \
  --member='serviceAccount:acme-gke.svc.id.goog[argosy/controller]' \
  --all
gcloud resource-manager folders remove-iam-policy-binding 12 \
  --role=roles/artifactregistry.reader \
  --member=principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller \
  --all
gcloud iam service-accounts keys disable k1 \
  --iam-account=kargo-project-web@acme-gke.iam.gserviceaccount.com \
  --project=acme-gke
gcloud iam service-accounts disable kargo-project-web@acme-gke.iam.gserviceaccount.com \
  --project=acme-gke
gcloud iam service-accounts enable kargo-project-shop@acme-gke.iam.gserviceaccount.com \
  --project=acme-gke
gcloud iam roles create kargoGsaTokenMinter \
  --project=acme-gke \
  --title='Kargo service account token minter' \
  --permissions=iam.serviceAccounts.getAccessToken \
  --stage=GA
gcloud iam service-accounts add-iam-policy-binding kargo-project-shop@acme-gke.iam.gserviceaccount.com \
  --project=acme-gke \
  --role=projects/acme-gke/roles/kargoGsaTokenMinter \
  --member=principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller \
  --condition=None
gcloud artifacts repositories update apps \
  --project=acme-art \
  --location=europe-west1 \
  --immutable-tags
