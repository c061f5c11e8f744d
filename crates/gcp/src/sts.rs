//! The Security Token Service: a Kubernetes token goes in, a federated token of Google's comes out.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>

use secret::Secret;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use crate::error::Problem;
use crate::granted::{Granted, read_granted};
use crate::http::{Answer, Http};
use crate::principal::{KubernetesAccount, Principal, ProjectId, ProjectNumber, WorkloadPool};
use crate::redact::redact;
use crate::refusal::{Asked, classify};
use crate::token::{Identity, Scope};
use crate::{Clock, TokenError};

/// Who vouches for a cluster's Kubernetes accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// A GKE cluster, whose pool Google made.
    Gke {
        project: ProjectId,
        number: ProjectNumber,
        location: String,
        cluster: String,
    },
    /// Any other cluster, registered with a pool that people made.
    Pool(PoolProvider),
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
    pub(crate) fn everyone(&self) -> String {
        format!("principalSet://iam.googleapis.com/{}/*", self.pool)
    }
}

impl Provider {
    /// Says whom STS is told the token is for.
    pub fn audience(&self) -> String {
        match self {
            Self::Gke {
                project,
                location,
                cluster,
                ..
            } => format!(
                "identitynamespace:{}:https://container.googleapis.com/v1/projects/{project}/locations/{location}/clusters/{cluster}",
                WorkloadPool::of(project)
            ),
            Self::Pool(PoolProvider { pool, provider }) => {
                format!("//iam.googleapis.com/{pool}/providers/{provider}")
            }
        }
    }

    /// Says for which audience the Kubernetes token must be made.
    pub fn kubernetes_audience(&self) -> String {
        match self {
            Self::Gke { project, .. } => WorkloadPool::of(project).to_string(),
            Self::Pool(PoolProvider { pool, provider }) => {
                format!("https://iam.googleapis.com/{pool}/providers/{provider}")
            }
        }
    }

    /// Says who a Kubernetes account is to IAM; in a pool that people made, where the provider maps `sub` as it is.
    pub fn identity(&self, account: &KubernetesAccount) -> Identity {
        match self {
            Self::Gke {
                project, number, ..
            } => Identity::Kubernetes(Principal {
                number: *number,
                pool: WorkloadPool::of(project),
                account: account.clone(),
            }),
            Self::Pool(PoolProvider { pool, .. }) => Identity::Federated(format!(
                "principal://iam.googleapis.com/{pool}/subject/system:serviceaccount:{}:{}",
                account.namespace, account.name
            )),
        }
    }
}

/// Exchanges tokens at STS.
#[derive(Clone)]
pub(crate) struct Sts {
    pub(crate) http: Http,
    /// The whole address, path included.
    pub(crate) url: Url,
    pub(crate) clock: Clock,
}

/// What is exchanged.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) audience: &'a str,
    pub(crate) token: &'a Secret<String>,
    pub(crate) token_type: &'a str,
}

pub(crate) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

impl Sts {
    pub(crate) async fn exchange(
        &self,
        subject: &Subject<'_>,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Granted, TokenError> {
        let form = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", subject.audience),
            ("scope", scope.url()),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token", subject.token.expose()),
            ("subject_token_type", subject.token_type),
        ];
        let attempt = || {
            let asked_at = (self.clock)();
            let build = |client: &reqwest::Client| client.post(self.url.clone()).form(&form);
            self.http.send("sts", &self.url, build, move |answer| {
                read_exchange(answer, asked_at)
            })
        };
        self.http.pace().repeat(&self.url, deadline, attempt).await
    }
}

fn read_exchange(answer: &Answer, asked_at: jiff::Timestamp) -> Result<Granted, TokenError> {
    if answer.status == reqwest::StatusCode::OK {
        return read_granted(answer, asked_at);
    }
    Err(refused_exchange(answer))
}

/// The error of OAuth services.
#[derive(Deserialize)]
struct OauthError {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Says why a credential was not exchanged, at STS and at OAuth.
pub(crate) fn refused_exchange(answer: &Answer) -> TokenError {
    let asked = Asked {
        account: None,
        caller: "",
    };
    let is_decision = matches!(answer.status.as_u16(), 400 | 401 | 403);
    match answer.json::<OauthError>() {
        Ok(refusal) if is_decision => {
            let host = answer.host.clone();
            if refusal.error_description.contains("throttled") {
                let retry_after = answer.retry_after();
                return TokenError::RateLimited { host, retry_after };
            }
            TokenError::Rejected {
                host,
                error: redact(&refusal.error),
                description: redact(&refusal.error_description),
            }
        }
        // A web page with a decision's status is none of Google's decisions.
        Err(TokenError::Malformed {
            problem: Problem::WebPage,
            ..
        }) if is_decision => TokenError::Unexpected {
            host: answer.host.clone(),
            status: answer.status.as_u16(),
        },
        _ => classify(answer, asked),
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
            let provider = Provider::Gke {
                project: ProjectId::parse(project).expect("a project"),
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
