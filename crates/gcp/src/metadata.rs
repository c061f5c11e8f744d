//! The metadata server of a node: which project and cluster this is, and the tokens of the Pod's own account.
//!
//! Late is normal: it may take a Pod's first minutes until it answers, so nothing here ever concludes that there is
//! none. What it said about project and cluster is remembered, a failure is not.
//!
//! Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity#metadata_server>

mod glance;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use reqwest::StatusCode;
use tokio::sync::OnceCell;
use tokio::time::sleep;
use url::Url;

use crate::endpoints::{at, host_of};
use crate::error::Problem;
use crate::granted::{Granted, read_granted};
use crate::http::{Answer, Http, Observer, Pace};
use crate::principal::{ProjectId, ProjectNumber};
use crate::redact::redact;
use crate::token::{Identity, Scope};
use crate::{Clock, TokenError};

pub use glance::Glance;

const ROOT: &str = "/computeMetadata/v1/";
/// Longest text the server is believed.
const TEXT_BOUND: usize = 1_024;

/// Asks the metadata server.
#[derive(Clone)]
pub struct Metadata {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    endpoint: Url,
    clock: Clock,
    project: OnceCell<ProjectId>,
    number: OnceCell<ProjectNumber>,
    cluster_name: OnceCell<String>,
    cluster_location: OnceCell<String>,
}

impl Metadata {
    pub fn new(endpoint: Url, clock: Clock, observer: Observer) -> Self {
        Self::paced(endpoint, clock, Http::new(Pace::METADATA, observer))
    }

    pub(crate) fn paced(endpoint: Url, clock: Clock, http: Http) -> Self {
        Self {
            inner: Arc::new(Inner {
                http,
                endpoint,
                clock,
                project: OnceCell::new(),
                number: OnceCell::new(),
                cluster_name: OnceCell::new(),
                cluster_location: OnceCell::new(),
            }),
        }
    }

    /// Says which project the cluster is in; its per-project accounts are there too.
    pub async fn project_id(&self) -> Result<ProjectId, TokenError> {
        let fetch = || {
            self.parsed("project/project-id", "a project id", |text| {
                ProjectId::parse(text).ok()
            })
        };
        self.inner.project.get_or_try_init(fetch).await.cloned()
    }

    pub async fn project_number(&self) -> Result<ProjectNumber, TokenError> {
        let fetch = || {
            let parse = |text: &str| ProjectNumber::parse(text).ok();
            self.parsed("project/numeric-project-id", "a project number", parse)
        };
        self.inner.number.get_or_try_init(fetch).await.copied()
    }

    pub async fn cluster_name(&self) -> Result<String, TokenError> {
        let fetch = || self.name("instance/attributes/cluster-name");
        self.inner
            .cluster_name
            .get_or_try_init(fetch)
            .await
            .cloned()
    }

    /// Says the region or the zone of the cluster.
    pub async fn cluster_location(&self) -> Result<String, TokenError> {
        let fetch = || self.name("instance/attributes/cluster-location");
        self.inner
            .cluster_location
            .get_or_try_init(fetch)
            .await
            .cloned()
    }

    /// Says whose token [`token`](Self::token) gives.
    ///
    /// A service account here is one that the Kubernetes account is tied to by an annotation, or the node's own.
    pub async fn account(&self) -> Result<Identity, TokenError> {
        let path = "instance/service-accounts/default/email";
        self.parsed(path, "an account", Identity::parse).await
    }

    /// Fetches any text below `/computeMetadata/v1/`, within the time that a late server is given.
    pub async fn text(&self, path: &str) -> Result<String, TokenError> {
        self.ask(path, None, read_text).await
    }

    /// Waits until the server answers, for as long as it takes, and says of each attempt why it did not.
    pub async fn wait(&self, mut told: impl FnMut(&TokenError)) -> ProjectId {
        let mut pauses = 0;
        loop {
            match self.project_id().await {
                Ok(project) => return project,
                Err(error) => {
                    told(&error);
                    sleep(self.inner.http.pace().pause(pauses, &error)).await;
                    pauses += 1;
                }
            }
        }
    }

    /// Fetches a token; the server keeps it, so there may be as little as four minutes left of it.
    pub(crate) async fn token(&self, scope: Scope) -> Result<Granted, TokenError> {
        let asked_at = (self.inner.clock)();
        let path = "instance/service-accounts/default/token";
        self.ask(path, Some(scope), |answer| {
            if answer.status != StatusCode::OK {
                return Err(not_a_token(answer));
            }
            read_granted(answer, asked_at)
        })
        .await
    }

    async fn name(&self, path: &'static str) -> Result<String, TokenError> {
        let is_plain = |text: &str| {
            let is_plain = text
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-');
            (!text.is_empty() && is_plain).then(|| text.to_owned())
        };
        self.parsed(path, "the name of a cluster or a location", is_plain)
            .await
    }

    async fn parsed<T>(
        &self,
        path: &str,
        expected: &'static str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Result<T, TokenError> {
        self.ask(path, None, |answer| {
            let text = read_text(answer)?;
            parse(&text).ok_or_else(|| {
                answer.malformed(Problem::Value {
                    text: redact(&text),
                    expected,
                })
            })
        })
        .await
    }

    fn ask<T>(
        &self,
        path: &str,
        scope: Option<Scope>,
        read: impl Fn(&Answer) -> Result<T, TokenError>,
    ) -> impl Future<Output = Result<T, TokenError>> {
        let Inner { http, endpoint, .. } = &*self.inner;
        let mut url = at(endpoint, &format!("{ROOT}{path}"));
        if let Some(scope) = scope {
            url.query_pairs_mut().append_pair("scopes", scope.url());
        }
        let read = move |answer: &Answer| {
            if answer.status == StatusCode::OK && !answer.has_metadata_flavor() {
                return Err(answer.malformed(Problem::Flavor));
            }
            read(answer)
        };
        async move {
            let attempt = || {
                let build = |client: &reqwest::Client| {
                    client.get(url.clone()).header("Metadata-Flavor", "Google")
                };
                http.send("metadata", &url, build, &read)
            };
            http.pace()
                .repeat(&url, http.pace().deadline(), attempt)
                .await
        }
    }
}

impl fmt::Debug for Metadata {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = host_of(&self.inner.endpoint);
        out.debug_struct("Metadata")
            .field("host", &host)
            .finish_non_exhaustive()
    }
}

fn read_text(answer: &Answer) -> Result<String, TokenError> {
    if answer.status != StatusCode::OK {
        return Err(not_a_value(answer));
    }
    let text = answer.text();
    if text.len() > TEXT_BOUND {
        return Err(answer.malformed(Problem::TooLarge { bound: TEXT_BOUND }));
    }
    Ok(text)
}

/// Says why there is no token: the server passes on what IAM said where the account is tied to another.
fn not_a_token(answer: &Answer) -> TokenError {
    let text = answer.text();
    let is_of_iam = text.starts_with("Unable to generate access token; IAM returned")
        || text.starts_with("The caller does not have permission")
        || text.starts_with("Requested entity was not found");
    match answer.status.as_u16() {
        status @ (403 | 404) if is_of_iam => TokenError::Annotated {
            status,
            message: redact(&text),
        },
        _ => not_a_value(answer),
    }
}

/// Says why there is no value; not found may mean that the server has just started.
fn not_a_value(answer: &Answer) -> TokenError {
    let host = answer.host.clone();
    match answer.status.as_u16() {
        404 => TokenError::NotReady { host },
        429 => TokenError::RateLimited {
            host,
            retry_after: answer.retry_after(),
        },
        status @ (408 | 499 | 500..=599) => TokenError::Unavailable { host, status },
        status => TokenError::Unexpected { host, status },
    }
}

#[cfg(test)]
mod tests;
