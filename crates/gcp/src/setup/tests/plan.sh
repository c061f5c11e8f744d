#!/bin/sh
# May be run again: what is there stays as it is.
set -eu

# Runs a command until it succeeds, for two minutes at most.
until_known() {
  tries=1
  until "$@"; do
    if [ "$tries" -ge 12 ]; then return 1; fi
    echo "waiting for what was just made to be known everywhere, $((tries * 10)) s" >&2
    tries=$((tries + 1))
    sleep 10
  done
}

gcloud services enable artifactregistry.googleapis.com --project=acme-art
gcloud services enable cloudresourcemanager.googleapis.com container.googleapis.com iam.googleapis.com iamcredentials.googleapis.com orgpolicy.googleapis.com sts.googleapis.com \
  --project=acme-gke
gcloud container clusters update one \
  --project=acme-gke \
  --location=europe-west1 \
  --workload-pool=acme-gke.svc.id.goog
gcloud container node-pools update main \
  --project=acme-gke \
  --location=europe-west1 \
  --cluster=one \
  --workload-metadata=GKE_METADATA
gcloud iam service-accounts describe kargo-project-shop@acme-gke.iam.gserviceaccount.com \
  --project=acme-gke >/dev/null 2>&1 ||
gcloud iam service-accounts create kargo-project-shop \
  --project=acme-gke \
  --display-name='Kargo Project shop'
until_known gcloud iam service-accounts add-iam-policy-binding kargo-project-shop@acme-gke.iam.gserviceaccount.com \
  --project=acme-gke \
  --role=roles/iam.workloadIdentityUser \
  --member=principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller \
  --condition=None
until_known gcloud artifacts repositories add-iam-policy-binding shop \
  --project=acme-art \
  --location=europe-west1 \
  --role=roles/artifactregistry.reader \
  --member=serviceAccount:kargo-project-shop@acme-gke.iam.gserviceaccount.com \
  --condition=None
gcloud iam service-accounts describe kargo-project-web@acme-gke.iam.gserviceaccount.com \
  --project=acme-gke >/dev/null 2>&1 ||
gcloud iam service-accounts create kargo-project-web \
  --project=acme-gke \
  --display-name='Kargo Project web'
until_known gcloud iam service-accounts add-iam-policy-binding kargo-project-web@acme-gke.iam.gserviceaccount.com \
  --project=acme-gke \
  --role=roles/iam.workloadIdentityUser \
  --member=principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog/subject/ns/argosy/sa/controller \
  --condition=None
until_known gcloud artifacts repositories add-iam-policy-binding apps \
  --project=acme-art \
  --location=europe-west1 \
  --role=roles/artifactregistry.reader \
  --member=serviceAccount:kargo-project-web@acme-gke.iam.gserviceaccount.com \
  --condition=None
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/iam.managed.disableServiceAccountKeyCreation
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/iam.managed.disableServiceAccountKeyUpload
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/iam.managed.disableServiceAccountApiKeyCreation
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/iam.automaticIamGrantsForDefaultServiceAccounts
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/iam.managed.preventPrivilegedBasicRolesForDefaultServiceAccounts
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/iam.workloadIdentityPoolProviders
spec:
  rules:
  - denyAll: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/iam.workloadIdentityPoolAwsAccounts
spec:
  rules:
  - denyAll: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/iam.disableAuditLoggingExemption
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/container.managed.enableWorkloadIdentityFederation
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/container.managed.disallowDefaultComputeServiceAccount
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/container.managed.enableShieldedNodes
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/container.managed.enablePrivateNodes
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/container.managed.enableNetworkPolicy
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/container.managed.disableABAC
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/container.managed.disableInsecureKubeletReadOnlyPort
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/container.managed.disableRBACSystemBindings
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/storage.publicAccessPrevention
spec:
  rules:
  - enforce: true
EOF
gcloud org-policies set-policy /dev/stdin <<'EOF'
name: projects/acme-gke/policies/storage.uniformBucketLevelAccess
spec:
  rules:
  - enforce: true
EOF
# No command adds to auditConfigs, which --apply and --format terraform do:
#   # Add {"service": "iam.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]} to auditConfigs in between.
#   gcloud projects get-iam-policy acme-gke --format=json > policy.json
#   gcloud projects set-iam-policy acme-gke policy.json
echo 'left to you: log reads of iam.googleapis.com in acme-gke as this script says, or run setup with --apply' >&2
gcloud pubsub topics describe gcr --project=acme-art >/dev/null 2>&1 ||
gcloud pubsub topics create gcr --project=acme-art
