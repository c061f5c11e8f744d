//! Texts that people see, and what is behind them.

/// A text as Google, a registry or a client writes it, and the check that finds its cause.
#[derive(Debug, Clone, Copy)]
pub struct Symptom {
    /// What the text contains.
    pub contains: &'static str,
    pub check: &'static str,
    /// What is behind it, in one sentence.
    pub cause: &'static str,
}

/// The first that matches counts, so the more particular stand first.
pub const SYMPTOMS: &[Symptom] = &[
    symptom(
        "Failed to pull image",
        "NODE-SA",
        "a Pod's image is pulled as the account of its node, which may not read the repository",
    ),
    symptom(
        "ImagePullBackOff",
        "NODE-SA",
        "a Pod's image is pulled as the account of its node, which may not read the repository",
    ),
    symptom(
        "Identity Pool does not exist",
        "CLUSTER-WIF",
        "no cluster of the project has a workload pool yet",
    ),
    symptom(
        "with additional claims does not have",
        "K8S-KSA",
        "the grant names another namespace or account",
    ),
    symptom(
        "Unable to generate access token; IAM returned 404",
        "K8S-ANNOTATION",
        "the Kubernetes account is tied to an account that does not exist",
    ),
    symptom(
        "Unable to generate access token; IAM returned 403",
        "K8S-ANNOTATION",
        "the Kubernetes account is tied to an account it may not act as",
    ),
    symptom(
        "IAM Service Account Credentials API has not been used",
        "API-IAMCREDENTIALS",
        "IAM Credentials is off",
    ),
    symptom(
        "Artifact Registry API has not been used",
        "API-ARTIFACTREGISTRY",
        "Artifact Registry is off where the images are",
    ),
    symptom(
        "of service 'iamcredentials.googleapis.com' for",
        "GSA-MINT",
        "the quota of IAM Credentials is used up, which is never taken for a missing account",
    ),
    symptom(
        "of service 'artifactregistry.googleapis.com' for",
        "AR-PULL",
        "the quota of Artifact Registry is used up for this minute",
    ),
    symptom(
        "iam.serviceAccounts.getAccessToken",
        "GSA-BINDING",
        "the controller has no role on the account, or the account does not exist",
    ),
    symptom(
        "Gaia id not found",
        "GSA-EXISTS",
        "the account does not exist",
    ),
    symptom(
        "Requested entity was not found",
        "GSA-EXISTS",
        "the account does not exist",
    ),
    symptom(
        "insufficient authentication scopes",
        "MDS-FLAVOR",
        "the token comes from a node with narrow OAuth scopes",
    ),
    symptom(
        "permitted customer",
        "ORGPOL-BLOCKERS",
        "an organisation policy does not let in the member",
    ),
    symptom(
        "Org Policy violated for value",
        "ORGPOL-BASELINE",
        "an organisation policy does not let in the issuer",
    ),
    symptom(
        "Unauthenticated request",
        "ENV-CREDENTIALS",
        "no credential was sent: the repository is known to no provider",
    ),
    symptom(
        "failed to fetch anonymous token",
        "ENV-CREDENTIALS",
        "no credential was sent: the repository is known to no provider",
    ),
    symptom(
        "artifactregistry.repositories.downloadArtifacts",
        "AR-READER",
        "the account does not read the repository, or there is none in that location",
    ),
    symptom(
        "Missing image name",
        "AR-ADDRESS",
        "the address names no image",
    ),
    symptom("NAME_INVALID", "AR-ADDRESS", "the address names no image"),
    symptom(
        "Method Not Allowed",
        "AR-ADDRESS",
        "the address names no image",
    ),
    symptom(
        "name unknown",
        "AR-REPO",
        "there is no such repository in that location",
    ),
    symptom(
        "NAME_UNKNOWN",
        "AR-REPO",
        "there is no such repository in that location, or no such image in it",
    ),
    symptom(
        "service account is disabled",
        "GSA-ENABLED",
        "the account is disabled, which is no reason to fall back",
    ),
    symptom(
        "Container Registry is deprecated",
        "AR-GCRIO",
        "the address is served no more",
    ),
    symptom(
        "Failed to read tags for host",
        "AR-GCRIO",
        "the address is served no more",
    ),
    symptom(
        "vpcServiceControlsUniqueIdentifier",
        "VPCSC",
        "a service perimeter is in between",
    ),
    symptom(
        "-compute@developer.gserviceaccount.com",
        "NODEPOOL-MODE",
        "the Pod has the identity of its node",
    ),
    symptom(
        "169.254.169.254",
        "MDS-REACH",
        "the metadata server was not ready, or a network policy is before it",
    ),
    symptom(
        "could not find default credentials",
        "MDS-REACH",
        "the metadata server was not ready, or this is not GKE",
    ),
    symptom(
        "could not be initialized",
        "MDS-REACH",
        "the metadata server was not ready when the program started, or this is not GKE",
    ),
    symptom(
        "i/o timeout",
        "EGRESS",
        "no way leads to the host: Private Google Access, or a DNS zone for pkg.dev, is missing",
    ),
];

const fn symptom(contains: &'static str, check: &'static str, cause: &'static str) -> Symptom {
    Symptom {
        contains,
        check,
        cause,
    }
}

/// Finds what is behind a text.
pub fn explain(text: &str) -> Option<&'static Symptom> {
    SYMPTOMS.iter().find(|it| text.contains(it.contains))
}

/// Adds the cause to a text where it is known.
pub(super) fn with_cause(text: &str) -> String {
    match explain(text) {
        Some(symptom) => format!("{} ({text})", symptom.cause),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_symptom_leads_to_a_check_of_the_catalogue() {
        for symptom in SYMPTOMS {
            let known = super::super::CHECKS.iter().any(|it| it.id == symptom.check);
            assert!(known, "{}", symptom.check);
        }
    }

    /// One for each row, and the check that it leads to.
    const FROM_THE_FIELD: &[(&str, &str)] = &[
        (
            r#"Failed to pull image "europe-west1-docker.pkg.dev/acme/apps/web:1.0.0": rpc error: code = Unknown desc = failed to fetch anonymous token: unexpected status: 403 Forbidden"#,
            "NODE-SA",
        ),
        ("Back-off pulling image: ImagePullBackOff", "NODE-SA"),
        (
            "Error 400: Identity Pool does not exist (acme.svc.id.goog). Please check that you specified a valid resource name",
            "CLUSTER-WIF",
        ),
        (
            "403 Primary: /namespaces/acme.svc.id.goog with additional claims does not have storage.objects.get access",
            "K8S-KSA",
        ),
        (
            "Unable to generate access token; IAM returned 404 Not Found: Not found; Gaia id not found for email web@acme.iam.gserviceaccount.com",
            "K8S-ANNOTATION",
        ),
        (
            "Unable to generate access token; IAM returned 403 Forbidden: Permission 'iam.serviceAccounts.getAccessToken' denied",
            "K8S-ANNOTATION",
        ),
        (
            "IAM Service Account Credentials API has not been used in project 123456789012 before or it is disabled.",
            "API-IAMCREDENTIALS",
        ),
        (
            "Artifact Registry API has not been used in project 123456789012 before or it is disabled.",
            "API-ARTIFACTREGISTRY",
        ),
        (
            "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service 'iamcredentials.googleapis.com' for consumer 'project_number:123456789012'.",
            "GSA-MINT",
        ),
        (
            "Quota exceeded for quota metric 'Requests per project per region' and limit 'Requests per project per region per minute per region' of service 'artifactregistry.googleapis.com' for consumer 'project_number:123456789012'.",
            "AR-PULL",
        ),
        (
            "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
            "GSA-BINDING",
        ),
        (
            "Not found; Gaia id not found for email kargo-project-web@acme.iam.gserviceaccount.com",
            "GSA-EXISTS",
        ),
        ("Error 404: Requested entity was not found.", "GSA-EXISTS"),
        (
            "Request had insufficient authentication scopes.",
            "MDS-FLAVOR",
        ),
        (
            "FAILED_PRECONDITION: One or more users named in the policy do not belong to a permitted customer.",
            "ORGPOL-BLOCKERS",
        ),
        (
            "Org Policy violated for value: 'https://token.example.com'",
            "ORGPOL-BASELINE",
        ),
        (
            r#"Unauthenticated request. Unauthenticated requests do not have permission "artifactregistry.repositories.downloadArtifacts""#,
            "ENV-CREDENTIALS",
        ),
        (
            "failed to fetch anonymous token: unexpected status: 403 Forbidden",
            "ENV-CREDENTIALS",
        ),
        (
            r#"DENIED: Permission "artifactregistry.repositories.downloadArtifacts" denied on resource"#,
            "AR-READER",
        ),
        (
            "NAME_INVALID: Missing image name. Pushes should be of the form docker push HOST-NAME/PROJECT-ID/REPOSITORY/IMAGE",
            "AR-ADDRESS",
        ),
        ("NAME_INVALID: invalid repository name", "AR-ADDRESS"),
        (
            "GET https://europe-west1-docker.pkg.dev/v2/acme/tags/list: 405 Method Not Allowed",
            "AR-ADDRESS",
        ),
        (r#"name unknown: Repository "apps" not found"#, "AR-REPO"),
        (
            r#"GET https://europe-west1-docker.pkg.dev/v2/acme/apps/web/tags/list: NAME_UNKNOWN: Repository "apps" not found"#,
            "AR-REPO",
        ),
        ("Error 403: The service account is disabled.", "GSA-ENABLED"),
        (
            "Container Registry is deprecated and shutting down, please use the auto migration tool",
            "AR-GCRIO",
        ),
        (
            "denied: Failed to read tags for host 'gcr.io', repository '/v2/acme/api/tags/list'",
            "AR-GCRIO",
        ),
        (
            "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: abc",
            "VPCSC",
        ),
        (
            "403 for 123456789012-compute@developer.gserviceaccount.com",
            "NODEPOOL-MODE",
        ),
        ("dial tcp 169.254.169.254:80: i/o timeout", "MDS-REACH"),
        ("google: could not find default credentials", "MDS-REACH"),
        (
            "GCP Workload Identity Federation provider could not be initialized",
            "MDS-REACH",
        ),
        (
            r#"Get "https://europe-west1-docker.pkg.dev/v2/": dial tcp 142.250.1.82:443: i/o timeout"#,
            "EGRESS",
        ),
    ];

    #[test]
    fn texts_from_the_field_are_explained() {
        let mut rows = BTreeSet::new();
        for (text, check) in FROM_THE_FIELD {
            let found = explain(text);
            assert_eq!(found.map(|it| it.check), Some(*check), "{text}");
            let another = found.is_some_and(|it| rows.insert(it.contains));
            assert!(another, "an earlier text has the row of: {text}");
        }
        for symptom in SYMPTOMS {
            let text = symptom.contains;
            assert!(rows.contains(text), "no text leads to the row {text}");
        }
        assert!(explain("all is well").is_none());
    }
}
