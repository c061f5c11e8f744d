//! The APIs, and which of them a request is for: by host, by the first part of the path, or by a path that only one has.

/// An API of Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    ArtifactRegistry,
    CloudAsset,
    Container,
    Iam,
    IamCredentials,
    OAuth,
    OrgPolicy,
    PolicyAnalyzer,
    PubSub,
    Recommender,
    ResourceManager,
    Usage,
    Sts,
}

impl Service {
    const ALL: [Self; 13] = [
        Self::ArtifactRegistry,
        Self::CloudAsset,
        Self::Container,
        Self::Iam,
        Self::IamCredentials,
        Self::OAuth,
        Self::OrgPolicy,
        Self::PolicyAnalyzer,
        Self::PubSub,
        Self::Recommender,
        Self::ResourceManager,
        Self::Usage,
        Self::Sts,
    ];

    pub(crate) fn host(self) -> &'static str {
        match self {
            Self::ArtifactRegistry => "artifactregistry.googleapis.com",
            Self::CloudAsset => "cloudasset.googleapis.com",
            Self::Container => "container.googleapis.com",
            Self::Iam => "iam.googleapis.com",
            Self::IamCredentials => "iamcredentials.googleapis.com",
            Self::OAuth => "oauth2.googleapis.com",
            Self::OrgPolicy => "orgpolicy.googleapis.com",
            Self::PolicyAnalyzer => "policyanalyzer.googleapis.com",
            Self::PubSub => "pubsub.googleapis.com",
            Self::Recommender => "recommender.googleapis.com",
            Self::ResourceManager => "cloudresourcemanager.googleapis.com",
            Self::Usage => "serviceusage.googleapis.com",
            Self::Sts => "sts.googleapis.com",
        }
    }

    /// The hosts of all APIs that can be enabled.
    pub(crate) fn hosts() -> impl Iterator<Item = &'static str> {
        let services = Self::ALL
            .into_iter()
            .filter(|service| *service != Self::OAuth);
        services.map(Self::host)
    }

    /// What a refusal calls an API that is not enabled.
    pub(crate) fn title_of(host: &str) -> &str {
        match host {
            "artifactregistry.googleapis.com" => "Artifact Registry API",
            "cloudasset.googleapis.com" => "Cloud Asset API",
            "container.googleapis.com" => "Kubernetes Engine API",
            "iam.googleapis.com" => "Identity and Access Management (IAM) API",
            "iamcredentials.googleapis.com" => "IAM Service Account Credentials API",
            "orgpolicy.googleapis.com" => "Organization Policy API",
            "policyanalyzer.googleapis.com" => "Policy Analyzer API",
            "pubsub.googleapis.com" => "Cloud Pub/Sub API",
            "recommender.googleapis.com" => "Recommender API",
            "cloudresourcemanager.googleapis.com" => "Cloud Resource Manager API",
            "serviceusage.googleapis.com" => "Service Usage API",
            "sts.googleapis.com" => "Security Token Service API",
            other => other,
        }
    }

    /// Finds the API that a request is for, and its path there.
    pub(crate) fn of<'a>(host: &str, path: &'a str) -> Option<(Self, &'a str)> {
        let by_name = |name: &str| {
            Self::ALL
                .into_iter()
                .find(|service| service.is_called(name))
        };
        let name = host.split(':').next().unwrap_or_default();
        if let Some(service) = by_name(name) {
            return Some((service, path));
        }
        let inner = path.strip_prefix('/')?;
        let first = inner.split('/').next().unwrap_or_default();
        if let Some(service) = by_name(first) {
            return Some((service, &inner[first.len()..]));
        }
        Some((Self::by_path(path)?, path))
    }

    /// A regional host, `europe-west1-artifactregistry.googleapis.com`, is the same API.
    fn is_called(self, name: &str) -> bool {
        let mutual = name.replace(".mtls.googleapis.com", ".googleapis.com");
        let host = self.host();
        mutual == host
            || mutual
                .strip_suffix(host)
                .is_some_and(|rest| rest.ends_with('-'))
            || (self == Self::OAuth && matches!(name, "www.googleapis.com" | "accounts.google.com"))
    }

    fn by_path(path: &str) -> Option<Self> {
        const ASSET_VERBS: [&str; 3] = [
            "analyzeIamPolicy",
            "searchAllIamPolicies",
            "searchAllResources",
        ];
        let (name, verb) = path.rsplit_once(':').unwrap_or((path, ""));
        if name.starts_with("/v1/") && ASSET_VERBS.contains(&verb) {
            return Some(Self::CloudAsset);
        }
        let path = path.split(['?', ':']).next().unwrap_or(path);
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match parts.as_slice() {
            ["v1", "token" | "introspect"] => Some(Self::Sts),
            ["token" | "tokeninfo"] | ["oauth2" | "robot", ..] => Some(Self::OAuth),
            ["v1", "projects", "-", "serviceAccounts", ..] => Some(Self::IamCredentials),
            ["v1", "projects", _, "serviceAccounts" | "roles", ..]
            | [
                "v1",
                "projects",
                _,
                "locations",
                _,
                "workloadIdentityPools",
                ..,
            ]
            | ["v1", "roles", ..]
            | ["v1", "organizations", _, "roles", ..]
            | ["v2", "policies", ..] => Some(Self::Iam),
            ["v1", "projects", _, "services", ..] => Some(Self::Usage),
            [
                "v1",
                "projects",
                _,
                "locations",
                _,
                "clusters" | "operations",
                ..,
            ] => Some(Self::Container),
            ["v1", _, _, "effectiveIamPolicies"] => Some(Self::CloudAsset),
            ["v1", "projects", _, "topics" | "subscriptions", ..] => Some(Self::PubSub),
            ["v1", "projects", _, "locations", _, "insightTypes", ..] => Some(Self::Recommender),
            ["v1", "projects", _, "locations", _, "activityTypes", ..] => {
                Some(Self::PolicyAnalyzer)
            }
            ["v1", "projects", _, "locations", ..] | ["v1", "projects", _, "projectSettings"] => {
                Some(Self::ArtifactRegistry)
            }
            ["v1", "projects", ..] | ["v3", ..] => Some(Self::ResourceManager),
            [
                "v2",
                "projects" | "folders" | "organizations",
                _,
                "policies" | "constraints" | "customConstraints",
                ..,
            ] => Some(Self::OrgPolicy),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(host: &str, path: &str, expected: Service, rest: &str) {
        assert_eq!(
            Service::of(host, path),
            Some((expected, rest)),
            "{host}{path}"
        );
    }

    #[test]
    fn the_host_decides_where_it_is_googles() {
        check("iam.googleapis.com", "/v1/token", Service::Iam, "/v1/token");
        check(
            "sts.mtls.googleapis.com:443",
            "/v1/token",
            Service::Sts,
            "/v1/token",
        );
        check(
            "europe-west1-artifactregistry.googleapis.com",
            "/v1/x",
            Service::ArtifactRegistry,
            "/v1/x",
        );
    }

    #[test]
    fn the_first_part_of_the_path_decides_next() {
        let path = "/iam.googleapis.com/v1/projects/-/serviceAccounts/a@b";
        check(
            "127.0.0.1:8080",
            path,
            Service::Iam,
            "/v1/projects/-/serviceAccounts/a@b",
        );
    }

    #[test]
    fn a_path_that_one_api_has_decides_last() {
        let host = "127.0.0.1:8080";
        for (path, service) in [
            ("/v1/token", Service::Sts),
            (
                "/v1/projects/-/serviceAccounts/a@b:generateAccessToken",
                Service::IamCredentials,
            ),
            ("/v1/projects/acme/serviceAccounts", Service::Iam),
            ("/v1/projects/acme:getAncestry", Service::ResourceManager),
            ("/v1/projects/acme/locations/-/clusters", Service::Container),
            (
                "/v1/projects/acme/locations/europe/repositories",
                Service::ArtifactRegistry,
            ),
            ("/v1/projects/acme/services:batchEnable", Service::Usage),
            (
                "/v1/organizations/1:searchAllIamPolicies",
                Service::CloudAsset,
            ),
            (
                "/v1/projects/acme/effectiveIamPolicies:batchGet",
                Service::CloudAsset,
            ),
            ("/v1/projects/acme/subscriptions/s:pull", Service::PubSub),
            (
                "/v1/projects/acme/locations/global/insightTypes/google.iam.policy.Insight/insights",
                Service::Recommender,
            ),
            (
                "/v2/projects/acme/policies/iam.x:getEffectivePolicy",
                Service::OrgPolicy,
            ),
        ] {
            check(host, path, service, path);
        }
        assert_eq!(Service::of(host, "/v9/nothing"), None);
    }
}
