//! The metadata server of a node: which project and cluster this is, and the tokens of the Pod's own account.
//!
//! Late is normal: it may take a Pod's first minutes until it answers, so nothing here ever concludes that there is
//! none. What it said about project and cluster is remembered, a failure is not.
//!
//! Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity#metadata_server>

mod glance;
mod kept;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use reqwest::header::SERVER;
use tokio::time::{Instant, sleep};
use url::Url;

use crate::endpoints::{at, host_of};
use crate::error::Problem;
use crate::granted::{Granted, read_granted};
use crate::http::{Answer, Http, Observer, Pace, awaited};
use crate::principal::{ProjectId, ProjectNumber};
use crate::redact::redact;
use crate::token::{Identity, Scope};
use crate::{Clock, TokenError};

pub use glance::Glance;
use kept::Kept;

const ROOT: &str = "/computeMetadata/v1/";
/// Longest text the server is believed.
const TEXT_BOUND: usize = 1_024;
/// What the server of a virtual machine calls itself; a Pod is answered by it where the one of GKE is not in between.
const OF_THE_NODE: &str = "Metadata Server for VM";

/// How many times longer than between requests it is waited between attempts to find the server at all.
const BETWEEN_ATTEMPTS: u32 = 30;
/// The longest such wait, whatever the server asks for.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Asks the metadata server.
#[derive(Clone)]
pub struct Metadata {
    inner: Arc<Inner>,
}

struct Inner {
    http: Http,
    endpoint: Url,
    clock: Clock,
    project: Kept<ProjectId>,
    number: Kept<ProjectNumber>,
    cluster_name: Kept<String>,
    cluster_location: Kept<String>,
}

/// A value that is asked for.
#[derive(Clone, Copy)]
struct Asked {
    path: &'static str,
    /// What it has to be, for messages.
    expected: &'static str,
}

/// Whose tokens the server gives.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) identity: Identity,
    /// Whether the server of the node spoke, and not the one of GKE for its Pods.
    pub(crate) is_of_node: bool,
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
                project: Kept::default(),
                number: Kept::default(),
                cluster_name: Kept::default(),
                cluster_location: Kept::default(),
            }),
        }
    }

    /// Says which project the cluster is in; its per-project accounts are there too.
    pub async fn project_id(&self) -> Result<ProjectId, TokenError> {
        self.project_id_until(self.deadline()).await
    }

    pub(crate) async fn project_id_until(
        &self,
        deadline: Instant,
    ) -> Result<ProjectId, TokenError> {
        let parse = |text: &str| ProjectId::parse(text).ok();
        let asked = Asked {
            path: "project/project-id",
            expected: "a project id",
        };
        self.remembered(&self.inner.project, asked, parse, deadline)
            .await
    }

    pub async fn project_number(&self) -> Result<ProjectNumber, TokenError> {
        self.project_number_until(self.deadline()).await
    }

    pub(crate) async fn project_number_until(
        &self,
        deadline: Instant,
    ) -> Result<ProjectNumber, TokenError> {
        let parse = |text: &str| ProjectNumber::parse(text).ok();
        let asked = Asked {
            path: "project/numeric-project-id",
            expected: "a project number",
        };
        self.remembered(&self.inner.number, asked, parse, deadline)
            .await
    }

    pub async fn cluster_name(&self) -> Result<String, TokenError> {
        self.cluster_name_until(self.deadline()).await
    }

    pub(crate) async fn cluster_name_until(&self, deadline: Instant) -> Result<String, TokenError> {
        let asked = Asked {
            path: "instance/attributes/cluster-name",
            expected: "the name of a cluster",
        };
        self.remembered(&self.inner.cluster_name, asked, plain, deadline)
            .await
    }

    /// Says the region or the zone of the cluster.
    pub async fn cluster_location(&self) -> Result<String, TokenError> {
        self.cluster_location_until(self.deadline()).await
    }

    pub(crate) async fn cluster_location_until(
        &self,
        deadline: Instant,
    ) -> Result<String, TokenError> {
        let asked = Asked {
            path: "instance/attributes/cluster-location",
            expected: "the name of a location",
        };
        self.remembered(&self.inner.cluster_location, asked, plain, deadline)
            .await
    }

    /// Says whose token [`token`](Self::token) gives, and whether it is a Pod's or that of the node below.
    ///
    /// A service account that is a Pod's is one that the Kubernetes account is tied to by an annotation.
    pub(crate) async fn account_until(&self, deadline: Instant) -> Result<Account, TokenError> {
        let path = "instance/service-accounts/default/email";
        self.ask(path, None, deadline, |answer| {
            Ok(Account {
                identity: parsed(answer, "an account", Identity::parse)?,
                is_of_node: is_of_node(answer),
            })
        })
        .await
    }

    /// Waits until the server answers, for as long as it takes, and says of each attempt why it did not.
    ///
    /// Attempts are up to a minute apart: whoever needs a token asks by itself meanwhile.
    pub async fn wait(&self, mut told: impl FnMut(&TokenError)) -> ProjectId {
        let mut pauses = 0;
        loop {
            match self.project_id().await {
                Ok(project) => return project,
                Err(error) => {
                    told(&error);
                    let pace = self.inner.http.pace();
                    let pause = pace.pause(pauses, &error) * BETWEEN_ATTEMPTS;
                    sleep(pause.min(LONGEST_PAUSE)).await;
                    pauses += 1;
                }
            }
        }
    }

    /// Fetches a token of an account; the server keeps it, so there may be as little as four minutes left of it.
    ///
    /// Where the server of GKE said whose tokens there are, one that the server of the node gives is not that account's.
    pub(crate) async fn token(
        &self,
        account: &Account,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Granted, TokenError> {
        let is_of_gke = !account.is_of_node;
        let asked_at = (self.inner.clock)();
        let path = "instance/service-accounts/default/token";
        self.ask(path, Some(scope), deadline, |answer| {
            if answer.status != StatusCode::OK {
                return Err(not_a_token(answer));
            }
            if is_of_gke && is_of_node(answer) {
                return Err(TokenError::OfNode {
                    account: "whose account it did not tell".to_owned(),
                });
            }
            read_granted(answer, asked_at)
        })
        .await
    }

    /// Says until when an attempt that begins now goes on.
    pub(crate) fn deadline(&self) -> Instant {
        self.inner.http.pace().deadline()
    }

    pub(crate) fn host(&self) -> String {
        host_of(&self.inner.endpoint)
    }

    /// Gives what is remembered, or asks for it together with all who wait, until `deadline` at most.
    async fn remembered<T: Clone + Send + Sync + 'static>(
        &self,
        kept: &Kept<T>,
        asked: Asked,
        parse: impl Fn(&str) -> Option<T> + Send + Sync + 'static,
        deadline: Instant,
    ) -> Result<T, TokenError> {
        let fetch = || {
            let (it, Asked { path, expected }) = (self.clone(), asked);
            async move {
                let read = |answer: &Answer| parsed(answer, expected, &parse);
                it.ask(path, None, deadline, read).await
            }
        };
        awaited(deadline, || self.host(), kept.get(fetch)).await
    }

    fn ask<T>(
        &self,
        path: &str,
        scope: Option<Scope>,
        deadline: Instant,
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
            http.pace().repeat(&url, deadline, attempt).await
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

/// Reads a value of the shape that is expected.
fn parsed<T>(
    answer: &Answer,
    expected: &'static str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, TokenError> {
    let text = read_text(answer)?;
    parse(&text).ok_or_else(|| {
        answer.malformed(Problem::Value {
            text: redact(&text),
            expected,
        })
    })
}

/// Takes the name of a cluster or a location.
fn plain(text: &str) -> Option<String> {
    let is_plain = text
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || it == b'-');
    (!text.is_empty() && is_plain).then(|| text.to_owned())
}

/// Says whether it was not the server of GKE that answered, which is between Pods and the one of their node.
fn is_of_node(answer: &Answer) -> bool {
    answer.header(&SERVER) == Some(OF_THE_NODE)
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
