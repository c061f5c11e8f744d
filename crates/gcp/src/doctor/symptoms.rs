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
    symptom(
        "name unknown",
        "AR-REPO",
        "there is no such repository in that location",
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
    use super::*;

    #[test]
    fn every_symptom_leads_to_a_check_of_the_catalogue() {
        for symptom in SYMPTOMS {
            let known = super::super::CHECKS.iter().any(|it| it.id == symptom.check);
            assert!(known, "{}", symptom.check);
        }
    }

    #[test]
    fn texts_from_the_field_are_explained() {
        for (text, check) in [
            (
                "Unable to generate access token; IAM returned 403 Forbidden: Permission 'iam.serviceAccounts.getAccessToken' denied",
                "K8S-ANNOTATION",
            ),
            (
                "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
                "GSA-BINDING",
            ),
            (
                "Unauthenticated request. Unauthenticated requests do not have permission \"artifactregistry.repositories.downloadArtifacts\"",
                "ENV-CREDENTIALS",
            ),
            (
                "DENIED: Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource",
                "AR-READER",
            ),
            (
                "dial tcp 169.254.169.254:80: connect: connection refused",
                "MDS-REACH",
            ),
        ] {
            assert_eq!(explain(text).map(|it| it.check), Some(check), "{text}");
        }
        assert!(explain("all is well").is_none());
    }
}
