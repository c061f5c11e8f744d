//! Repositories of charts that are web servers with an index.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use credentials::Login;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, StatusCode};
use moka::future::Cache;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

use super::error::{Error, Problem};
use super::index::{self, Index, IndexError};
use super::memory::{Memory, Remembered, Scope, Stamp};
use crate::Caller;
use crate::child::shown;
use crate::egress::Policy;
use crate::registry::basic;
use crate::room::wait_outside;
use crate::sender::{BodyReader, Call, Limits, Sender, Tls, host_of};

/// Most bytes of an index, unpacked.
const INDEX_BOUND: usize = 256 << 20;
/// An index may take so many times as long as other answers.
const TIMES_AS_LONG: u32 = 5;
/// Most senders that are kept, each idle for no longer than half an hour.
const SENDERS_BOUND: u64 = 2_000;
const IDLE: Duration = Duration::from_mins(30);

/// Knows how to reach repositories, and remembers what they listed.
#[derive(Debug)]
pub struct Repositories {
    policy: Arc<Policy>,
    tls: Arc<Tls>,
    limits: Limits,
    /// By project, host, login, and whether any certificate will do.
    senders: Cache<(String, String, Option<String>, bool), Arc<Sender>>,
    memory: Memory,
}

/// Says where the index of a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    index: Url,
    /// The repository, as it may be shown.
    repo_url: String,
}

impl Place {
    /// Reads the `repoURL` of a subscription. A query is kept: it may be what lets us in.
    pub(super) fn parse(repo_url: &str) -> Result<Self, &'static str> {
        let text = repo_url.trim();
        let is_strange = |it: char| it.is_control() || it.is_whitespace() || it == '\\';
        if text.len() > 2048 || text.contains(is_strange) {
            return Err("it is too long or has spaces, backslashes or control characters");
        }
        let mut index = Url::parse(text).map_err(|_| "it is no URL")?;
        if !matches!(index.scheme(), "https" | "http") {
            return Err("its scheme is not https or oci");
        }
        if !index.username().is_empty() || index.password().is_some() {
            return Err("it holds a login, which belongs in a Secret");
        }
        index.set_fragment(None);
        let path = index.path().trim_end_matches('/').to_owned();
        index.set_path(&format!("{path}/index.yaml"));
        let repo_url = shown(text).trim_end_matches('/').to_owned();
        Ok(Self { index, repo_url })
    }
}

/// What came of a request.
enum Answered {
    NotModified,
    Index(Index, Stamp),
}

impl Repositories {
    /// Reaches hosts under `policy` and within `limits`.
    pub fn new(policy: Arc<Policy>, limits: Limits) -> Self {
        let senders = Cache::builder()
            .max_capacity(SENDERS_BOUND)
            .time_to_idle(IDLE)
            .build();
        Self {
            policy,
            tls: Arc::default(),
            limits,
            senders,
            memory: Memory::default(),
        }
    }

    /// Gives the index of a repository as it is now, which knows at least of `chart`.
    ///
    /// Costs a request that is mostly answered by "not modified", or none where somebody has asked since this began.
    pub(super) async fn index(
        &self,
        caller: Caller<'_>,
        place: &Place,
        chart: &str,
        insecure: bool,
    ) -> Result<Arc<Index>, Error> {
        let came = Instant::now();
        let scope = Scope {
            project: caller.project.to_owned(),
            index: place.index.to_string(),
            login: caller.login.map(Login::fingerprint),
            insecure,
        };
        let turn = self.memory.turn(&scope);
        // Whoever has the turn is kept by time-outs of its own, and gives it up to come back to the room when another's answer
        // will do.
        let answer_or_turn = async {
            let turn = turn.lock().await;
            let known = self.memory.find(&scope, chart).await;
            match known {
                Some(known) if known.asked_at >= came => Err(known.index),
                known => Ok((turn, known)),
            }
        };
        let waited = wait_outside(caller.room, answer_or_turn).await;
        caller.cost.waited(came.elapsed());
        let (_turn, known) = match waited {
            Ok(turn) => turn,
            Err(index) => {
                caller.cost.remembered();
                return Ok(index);
            }
        };
        let asked_at = Instant::now();
        let sender = self.sender(&scope, &place.index).await;
        let stamp = known.as_ref().map(|it| it.stamp.clone());
        let reading = Reading::new(chart, self.timeout());
        let answered = ask(&sender, caller, place, reading, &stamp.unwrap_or_default()).await;
        let remembered = match (answered.map_err(|it| place.error(it))?, known) {
            (Answered::NotModified, Some(known)) => {
                caller.cost.remembered();
                Remembered { asked_at, ..known }
            }
            (Answered::NotModified, None) => {
                let status = StatusCode::NOT_MODIFIED;
                return Err(place.error(Problem::Status { status }));
            }
            (Answered::Index(index, stamp), _) => Remembered {
                index: Arc::new(index),
                stamp,
                asked_at,
            },
        };
        let index = Arc::clone(&remembered.index);
        self.memory.insert(scope, chart, remembered).await;
        Ok(index)
    }

    fn timeout(&self) -> Duration {
        self.limits.timeout * TIMES_AS_LONG
    }

    async fn sender(&self, scope: &Scope, url: &Url) -> Arc<Sender> {
        let Scope {
            project,
            index: _,
            login,
            insecure,
        } = scope.clone();
        let build = async {
            let (policy, tls) = (Arc::clone(&self.policy), Arc::clone(&self.tls));
            let limits = self.limits.of_host(url.host_str().unwrap_or_default());
            Arc::new(Sender::new(policy, tls, insecure, limits).of_project(&scope.project))
        };
        let key = (project, host_of(url), login, insecure);
        self.senders.get_with(key, build).await
    }
}

impl Place {
    fn error(&self, problem: Problem) -> Error {
        Error::Index {
            repo_url: self.repo_url.clone(),
            request: format!("GET {}{}", host_of(&self.index), self.index.path()),
            problem,
        }
    }
}

/// Asks for an index that does not have this stamp, and reads it while it arrives.
async fn ask(
    sender: &Sender,
    caller: Caller<'_>,
    place: &Place,
    reading: Reading,
    stamp: &Stamp,
) -> Result<Answered, Problem> {
    let mut call = Call::get(place.index.clone(), INDEX_BOUND, caller.cost)
        .header(ACCEPT, HeaderValue::from_static("application/yaml, */*"))
        .read_by(reading.reader());
    call.headers.extend(stamp.conditions());
    // Tokens of an identity are for registries.
    let login = caller
        .login
        .filter(|it| matches!(it, Login::Basic { .. }))
        .and_then(basic);
    let with_login = login.is_some();
    call.headers
        .extend(login.map(|login| (AUTHORIZATION, login)));
    let answer = sender.send_patiently(&call).await?;
    match answer.status {
        StatusCode::NOT_MODIFIED => Ok(Answered::NotModified),
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => {
            Err(Problem::Denied { status, with_login })
        }
        status @ (StatusCode::NOT_FOUND | StatusCode::GONE) => Err(Problem::NotFound { status }),
        StatusCode::OK => {
            let index = reading.finish().await?;
            Ok(Answered::Index(index, Stamp::of(&answer.headers)))
        }
        status => Err(Problem::Status { status }),
    }
}

/// Reads an index on a thread where waiting is allowed, and again where its body broke off.
struct Reading {
    chart: String,
    timeout: Duration,
    last: Arc<Mutex<Option<Task>>>,
}

type Task = JoinHandle<Result<Index, IndexError>>;

impl Reading {
    fn new(chart: &str, timeout: Duration) -> Self {
        Self {
            chart: chart.to_owned(),
            timeout,
            last: Arc::default(),
        }
    }

    fn reader(&self) -> BodyReader {
        let (chart, last) = (self.chart.clone(), Arc::clone(&self.last));
        BodyReader::new(self.timeout, move |body| {
            let chart = chart.clone();
            let task = tokio::task::spawn_blocking(move || index::read(body, &chart));
            *last.lock().unwrap_or_else(PoisonError::into_inner) = Some(task);
        })
    }

    /// Waits until the last body is read.
    async fn finish(self) -> Result<Index, IndexError> {
        let last = self
            .last
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let task = last.expect("the body of a success is read");
        match task.await {
            Ok(read) => read,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => {
                let why = "it was not read to its end, since argosy stops";
                Err(IndexError::Read(std::io::Error::other(why)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(repo_url: &str, expected: Result<(&str, &str), &str>) {
        let place = Place::parse(repo_url);
        let found = place
            .as_ref()
            .map(|it| (it.index.as_str(), it.repo_url.as_str()));
        assert_eq!(found.map_err(|it| *it), expected, "{repo_url}");
    }

    #[test]
    fn an_index_lies_below_its_repository() {
        for (repo_url, index, shown) in [
            (
                "https://charts.example.com",
                "https://charts.example.com/index.yaml",
                "https://charts.example.com",
            ),
            (
                "https://example.com/a//?token=x#y",
                "https://example.com/a/index.yaml?token=x",
                "https://example.com/a",
            ),
            (
                "http://127.0.0.1:8080/charts/",
                "http://127.0.0.1:8080/charts/index.yaml",
                "http://127.0.0.1:8080/charts",
            ),
        ] {
            check(repo_url, Ok((index, shown)));
        }
    }

    #[test]
    fn a_crafted_address_is_refused() {
        for (repo_url, expected) in [
            ("charts.example.com", "it is no URL"),
            ("file:///etc/passwd", "its scheme is not https or oci"),
            (
                "https://a b/",
                "it is too long or has spaces, backslashes or control characters",
            ),
            (
                "https://a\\@b/",
                "it is too long or has spaces, backslashes or control characters",
            ),
            (
                "https://me:pw@example.com",
                "it holds a login, which belongs in a Secret",
            ),
            ("https://", "it is no URL"),
        ] {
            check(repo_url, Err(expected));
        }
    }
}
