//! Who vouches for the Kubernetes accounts of a cluster, and what they are called by IAM.

use crate::principal::{KubernetesAccount, Principal, ProjectId, ProjectNumber, WorkloadPool};
use crate::token::Identity;

/// Who vouches for a cluster's Kubernetes accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// A GKE cluster, whose pool Google made: that of its own project, or that of a fleet's.
    Gke {
        project: ProjectId,
        number: ProjectNumber,
        pool: WorkloadPool,
        location: String,
        cluster: String,
    },
    /// A cluster whose accounts are in a pool that Google made, as a credential file names it: GKE where no metadata
    /// server is asked, and members of a fleet.
    Namespace(NamespaceProvider),
    /// Any other cluster, registered with a pool that people made.
    Pool(PoolProvider),
}

/// A pool that Google made, and a cluster whose accounts are in it:
/// `identitynamespace:acme-gke.svc.id.goog:https://container.googleapis.com/v1/projects/acme-gke/locations/europe-west1/clusters/one`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamespaceProvider {
    pool: WorkloadPool,
    /// The address of the cluster at Google, of its membership in a fleet, or of its issuer.
    issuer: String,
}

impl NamespaceProvider {
    /// Reads the name of a cluster, as the audience of a credential file has it.
    pub fn parse(audience: &str) -> Option<Self> {
        let rest = audience.strip_prefix("identitynamespace:")?;
        // The id of a project may have a colon too.
        let (pool, issuer) = rest.split_once(":https://")?;
        let is_address = !issuer.is_empty() && issuer.bytes().all(|it| it.is_ascii_graphic());
        Some(Self {
            pool: WorkloadPool::parse(pool).ok().filter(|_| is_address)?,
            issuer: format!("https://{issuer}"),
        })
    }

    /// Finds the project of the cluster, where the pool is that project's own.
    fn project(&self) -> Option<ProjectId> {
        let path = self
            .issuer
            .strip_prefix("https://container.googleapis.com/v1/projects/")?;
        let (project, _) = path.split_once('/')?;
        let of_pool = self.pool.project()?;
        (of_pool.as_str() == project).then_some(of_pool)
    }
}

/// A provider of a pool that people made:
/// `//iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/providers/cluster-1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolProvider {
    /// `projects/4711/locations/global/workloadIdentityPools/on-prem`.
    pool: String,
    provider: String,
}

impl PoolProvider {
    /// Reads the name of a provider, as the audience of a credential file has it.
    pub fn parse(audience: &str) -> Option<Self> {
        let path = audience.strip_prefix("//iam.googleapis.com/")?;
        let parts: Vec<&str> = path.split('/').collect();
        let [
            "projects",
            project,
            "locations",
            location,
            "workloadIdentityPools",
            pool,
            "providers",
            provider,
        ] = parts[..]
        else {
            return None;
        };
        ProjectNumber::parse(project).ok()?;
        let is_name = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
        };
        [location, pool, provider]
            .into_iter()
            .all(is_name)
            .then(|| Self {
                pool: format!(
                    "projects/{project}/locations/{location}/workloadIdentityPools/{pool}"
                ),
                provider: provider.to_owned(),
            })
    }
}

impl PoolProvider {
    /// Spells all subjects of the pool as the member of a policy.
    fn everyone(&self) -> String {
        format!("principalSet://iam.googleapis.com/{}/*", self.pool)
    }
}

impl Provider {
    /// Reads the audience of a credential file.
    pub fn parse(audience: &str) -> Option<Self> {
        let of_google = NamespaceProvider::parse(audience).map(Self::Namespace);
        of_google.or_else(|| PoolProvider::parse(audience).map(Self::Pool))
    }

    /// Finds the project that the cluster is in, where its pool says so surely.
    pub(crate) fn project(&self) -> Option<ProjectId> {
        match self {
            Self::Gke { project, .. } => Some(project.clone()),
            Self::Namespace(provider) => provider.project(),
            Self::Pool(_) => None,
        }
    }

    /// Names somebody of the pool, where it is not known who.
    pub(crate) fn somebody(&self) -> Identity {
        match self {
            Self::Gke { pool, .. } | Self::Namespace(NamespaceProvider { pool, .. }) => {
                Identity::Pool(pool.clone())
            }
            Self::Pool(provider) => Identity::Federated(provider.everyone()),
        }
    }

    /// Says whom STS is told the token is for.
    pub fn audience(&self) -> String {
        match self {
            Self::Gke {
                project,
                pool,
                location,
                cluster,
                ..
            } => format!(
                "identitynamespace:{pool}:https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{cluster}"
            ),
            Self::Namespace(NamespaceProvider { pool, issuer }) => {
                format!("identitynamespace:{pool}:{issuer}")
            }
            Self::Pool(PoolProvider { pool, provider }) => {
                format!("//iam.googleapis.com/{pool}/providers/{provider}")
            }
        }
    }

    /// Says for which audience the Kubernetes token must be made.
    pub fn kubernetes_audience(&self) -> String {
        match self {
            Self::Gke { pool, .. } | Self::Namespace(NamespaceProvider { pool, .. }) => {
                pool.to_string()
            }
            Self::Pool(PoolProvider { pool, provider }) => {
                format!("https://iam.googleapis.com/{pool}/providers/{provider}")
            }
        }
    }

    /// Says who a Kubernetes account is to IAM; in a pool that people made, where the provider maps `sub` as it is.
    pub fn identity(&self, account: &KubernetesAccount) -> Identity {
        match self {
            Self::Gke {
                project,
                number,
                pool,
                ..
            } if pool.project().as_ref() == Some(project) => Identity::Kubernetes(Principal {
                number: *number,
                pool: pool.clone(),
                account: account.clone(),
            }),
            // The number before a fleet's pool is another project's, and is not known here.
            Self::Gke { pool, .. } | Self::Namespace(NamespaceProvider { pool, .. }) => {
                Identity::Federated(pool.member(account))
            }
            Self::Pool(PoolProvider { pool, .. }) => Identity::Federated(format!(
                "principal://iam.googleapis.com/{pool}/subject/system:serviceaccount:{}:{}",
                account.namespace, account.name
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "//iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/providers/one";

    #[test]
    fn a_provider_of_a_pool_has_two_audiences_and_kubernetes_subjects() {
        let provider = Provider::Pool(PoolProvider::parse(NAME).expect("a provider"));
        assert_eq!(provider.audience(), NAME);
        assert_eq!(provider.kubernetes_audience(), format!("https:{NAME}"));
        let account = KubernetesAccount::new("web", "argosy-gcp");
        assert_eq!(
            provider.identity(&account).to_string(),
            "principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/on-prem/\
             subject/system:serviceaccount:web:argosy-gcp"
        );
    }

    #[test]
    fn gke_names_the_cluster_and_the_pool_of_its_project_whatever_the_scope() {
        for (project, pool) in [
            ("acme-gke", "acme-gke.svc.id.goog"),
            ("eu0:acme", "acme.eu0.svc.id.goog"),
        ] {
            let project_id = ProjectId::parse(project).expect("a project");
            let provider = Provider::Gke {
                pool: WorkloadPool::of(&project_id),
                project: project_id,
                number: ProjectNumber(4_711),
                location: "europe-west1-b".to_owned(),
                cluster: "one".to_owned(),
            };
            assert_eq!(provider.kubernetes_audience(), pool);
            let cluster = format!("projects/{project}/locations/europe-west1-b/clusters/one");
            let issuer = format!("https://container.googleapis.com/v1/{cluster}");
            assert_eq!(
                provider.audience(),
                format!("identitynamespace:{pool}:{issuer}")
            );
        }
    }

    #[test]
    fn the_pool_of_a_fleet_is_not_paired_with_the_number_of_the_cluster() {
        let fleet = WorkloadPool::parse("fleet-host.svc.id.goog").expect("a pool");
        let provider = Provider::Gke {
            project: ProjectId::parse("acme-gke").expect("a project"),
            number: ProjectNumber(4_711),
            pool: fleet.clone(),
            location: "europe-west1".to_owned(),
            cluster: "one".to_owned(),
        };
        assert_eq!(provider.kubernetes_audience(), "fleet-host.svc.id.goog");
        let audience = provider.audience();
        let cluster = "projects/acme-gke/locations/europe-west1/clusters/one";
        let issuer = format!("https://container.googleapis.com/v1/{cluster}");
        assert_eq!(
            audience,
            format!("identitynamespace:fleet-host.svc.id.goog:{issuer}")
        );
        let account = KubernetesAccount::new("web", "argosy-gcp");
        let member = "serviceAccount:fleet-host.svc.id.goog[web/argosy-gcp]".to_owned();
        assert_eq!(provider.identity(&account), Identity::Federated(member));
    }

    #[test]
    fn a_pool_of_google_is_named_with_a_cluster_and_members_without_a_number() {
        let gke = "https://container.googleapis.com/v1/projects/acme-gke/locations/europe-west1/clusters/one";
        let fleet =
            "https://gkehub.googleapis.com/projects/acme-gke/locations/global/memberships/one";
        let scoped =
            "https://container.googleapis.com/v1/projects/example.com:acme/locations/l/clusters/c";
        for (pool, issuer, project) in [
            ("acme-gke.svc.id.goog", gke, Some("acme-gke")),
            ("fleet-host.svc.id.goog", gke, None),
            ("acme-gke.svc.id.goog", fleet, None),
            (
                "example.com:acme.svc.id.goog",
                scoped,
                Some("example.com:acme"),
            ),
        ] {
            let audience = format!("identitynamespace:{pool}:{issuer}");
            let provider = Provider::parse(&audience).expect(&audience);
            assert_eq!(provider.audience(), audience);
            assert_eq!(provider.kubernetes_audience(), pool);
            let found = provider.project();
            assert_eq!(found.as_ref().map(ProjectId::as_str), project, "{audience}");
            let account = KubernetesAccount::new("argosy", "controller");
            assert_eq!(
                provider.identity(&account).to_string(),
                format!("serviceAccount:{pool}[argosy/controller]")
            );
        }
        for audience in [
            "identitynamespace:acme-gke:https://x.test",
            "identitynamespace:acme-gke.svc.id.goog",
            "identitynamespace:acme-gke.svc.id.goog:http://x.test",
            "identitynamespace:acme-gke.svc.id.goog:https://",
            "identitynamespace:acme-gke.svc.id.goog:https://x.test/a b",
        ] {
            assert_eq!(Provider::parse(audience), None, "{audience}");
        }
    }

    #[test]
    fn what_names_no_provider_is_refused() {
        for audience in [
            "",
            &NAME[2..],
            &NAME.replace("4711", "acme-gke"),
            &NAME.replace("one", "../one"),
            &NAME.replace("on-prem", ""),
            &format!("{NAME}/more"),
            "identitynamespace:acme.svc.id.goog:https://container.googleapis.com/v1/x",
        ] {
            assert_eq!(PoolProvider::parse(audience), None, "{audience}");
        }
    }
}
