//! The OCI distribution protocol: challenge, token, pages of tags, manifests, blobs.
//!
//! [`Registries`] holds what all share: the egress policy, the limits, the roots of trust. A [`Client`] speaks to one
//! host for one project with one credential; its tokens, connections and pace die with it, and what it was answered goes
//! into that part of the [`Memory`] which is its own. Nothing is shared across projects or credentials. Plain http is
//! spoken to this machine only.
//!
//! Invariant: a login or token leaves only for the registry itself or for a realm that [`realm`] accepts, and stays
//! behind when a redirect changes the origin.

mod challenge;
mod content;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod listing;
mod manifest;
mod memory;
mod reader;
mod realm;
mod repository;
mod tags;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use credentials::Login;
use domain::CacheByTagPolicy;
use http::{HeaderValue, StatusCode};
use moka::future::Cache;
use tokio::sync::OnceCell;
use url::Url;

use crate::Caller;
use crate::cost::Cost;
use crate::egress::Policy;
use crate::sender::{Answer, Call, Limits, Sender, Tls};
use challenge::Challenge;
use listing::Notes;
use realm::Shown;
use token::Tokens;

pub use error::{Asker, Error, Problem};
pub(crate) use listing::{Listing, Said, Turn, Wish};
pub use manifest::{Config, Descriptor, Index, Manifest, Platform, Single};
pub use memory::Memory;
pub use reader::Reader;
pub use realm::RealmError;
pub use repository::{Repository, RepositoryError};
pub(crate) use tags::is_tag;
pub(crate) use token::basic;

/// Most clients that are kept, each idle for no longer than half an hour.
const CLIENTS_BOUND: u64 = 2_000;
/// How often a request is sent at most: as the registry did not ask, as it asked, and with a new token of its own.
const TIMES_BOUND: u32 = 3;
const IDLE: std::time::Duration = std::time::Duration::from_mins(30);

/// Makes the clients of all registries.
#[derive(Debug)]
pub struct Registries {
    policy: Arc<Policy>,
    tls: Arc<Tls>,
    limits: Limits,
    trusted_realms: Arc<[String]>,
    endpoints: HashMap<String, Url>,
    artifact_registry: Url,
    notes: Arc<Notes>,
    memory: Arc<Memory>,
    cache_by_tag: CacheByTagPolicy,
    clients: Cache<Scope, Arc<Client>>,
}

/// Tells apart whose requests share a client, and whose answers a memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Scope {
    project: String,
    host: String,
    /// The login's fingerprint.
    login: Option<String>,
    insecure: bool,
}

impl Registries {
    /// Connects under `policy` and within `limits`.
    pub fn new(policy: Arc<Policy>, limits: Limits) -> Self {
        let clients = Cache::builder()
            .max_capacity(CLIENTS_BOUND)
            .time_to_idle(IDLE)
            .build();
        Self {
            policy,
            tls: Arc::default(),
            limits,
            trusted_realms: Arc::new([]),
            endpoints: HashMap::new(),
            artifact_registry: listing::artifact_registry(),
            notes: Arc::default(),
            memory: Arc::default(),
            cache_by_tag: CacheByTagPolicy::default(),
            clients,
        }
    }

    /// Names hosts that may be shown any registry's login in exchange for a token: the operator's own.
    #[must_use]
    pub fn with_trusted_realms(self, hosts: Vec<String>) -> Self {
        Self {
            trusted_realms: hosts.into(),
            ..self
        }
    }

    /// Connects to other addresses than the hosts' own: host to `https://…` or, on this machine, `http://…`, without a
    /// path. Credentials are still those of the host. For the operator alone to say.
    #[must_use]
    pub fn with_endpoints(self, endpoints: HashMap<String, Url>) -> Self {
        Self { endpoints, ..self }
    }

    /// Asks Artifact Registry's API elsewhere than at Google's own address. For the operator alone to say: it is shown
    /// access tokens.
    #[must_use]
    pub fn with_artifact_registry(self, artifact_registry: Url) -> Self {
        Self {
            artifact_registry,
            ..self
        }
    }

    /// Remembers answers in `memory`, rather than for the life of the process.
    #[must_use]
    pub fn with_memory(self, memory: Memory) -> Self {
        Self {
            memory: Arc::new(memory),
            ..self
        }
    }

    /// Says which subscriptions may take tags to stay where they are.
    #[must_use]
    pub fn with_cache_by_tag(self, cache_by_tag: CacheByTagPolicy) -> Self {
        Self {
            cache_by_tag,
            ..self
        }
    }

    pub(crate) fn cache_by_tag(&self) -> CacheByTagPolicy {
        self.cache_by_tag
    }

    /// Gives what reads `repository` for `caller`; `insecure` accepts any certificate.
    pub async fn reader<'a>(
        &self,
        caller: Caller<'a>,
        repository: &'a Repository,
        insecure: bool,
    ) -> Reader<'a> {
        let Caller {
            project,
            login,
            cost,
        } = caller;
        // An access token opens more than this repository: whoever wrote the subscription cannot show it to just anybody.
        let insecure = insecure && !matches!(login, Some(Login::AccessToken(_)));
        let scope = Scope {
            project: project.to_owned(),
            host: repository.endpoint().to_owned(),
            login: login.map(Login::fingerprint),
            insecure,
        };
        let memory = self.memory.scoped(&scope, &repository.path);
        let client = self.client(scope, repository, login).await;
        Reader::new(client, repository, cost, memory)
    }

    /// Gives the client for the registry of `repository` under `login`.
    async fn client(
        &self,
        scope: Scope,
        repository: &Repository,
        login: Option<&Login>,
    ) -> Arc<Client> {
        let build_scope = scope.clone();
        let (project, insecure) = (scope.project.clone(), scope.insecure);
        let build = async {
            let connects_to = self.endpoints.get(repository.endpoint()).cloned();
            let mut sender = Sender::new(
                Arc::clone(&self.policy),
                Arc::clone(&self.tls),
                insecure,
                self.limits.of_host(repository.endpoint()),
            )
            .of_project(&project);
            if let Some(address) = &connects_to {
                sender = sender.calling(address, repository.endpoint());
            }
            Arc::new(Client {
                scope: build_scope,
                artifact_registry: self.artifact_registry.clone(),
                notes: Arc::clone(&self.notes),
                endpoint: repository.endpoint().to_owned(),
                connects_to,
                is_loopback: repository.is_loopback(),
                speaks_tls: OnceCell::new(),
                sender,
                login: RwLock::new(login.cloned()),
                trusted_realms: Arc::clone(&self.trusted_realms),
                tokens: Tokens::default(),
            })
        };
        let client = self.clients.get_with(scope, build).await;
        // The client is that of an identity, whose tokens come and go.
        if let Some(token @ Login::AccessToken(_)) = login {
            client.log_in_with(token.clone());
        }
        client
    }
}

/// Speaks to one registry for one project with one credential, or with none.
#[derive(Debug)]
struct Client {
    scope: Scope,
    /// Where Artifact Registry's API is.
    artifact_registry: Url,
    /// What is remembered of large lists, by scope.
    notes: Arc<Notes>,
    /// The registry's host.
    endpoint: String,
    /// Where connections go instead, if the operator says so.
    connects_to: Option<Url>,
    is_loopback: bool,
    /// Known of a registry on this machine once it was asked.
    speaks_tls: OnceCell<bool>,
    sender: Sender,
    login: RwLock<Option<Login>>,
    trusted_realms: Arc<[String]>,
    tokens: Tokens,
}

impl Client {
    /// Gives the registry's own address: https, or on this machine what the server there speaks.
    async fn base(&self, cost: &Cost) -> Url {
        let url = |scheme: &str| {
            Url::parse(&format!("{scheme}://{}/", self.endpoint))
                .expect("a repository's host makes a URL")
        };
        if let Some(url) = &self.connects_to {
            return url.clone();
        }
        if !self.is_loopback {
            return url("https");
        }
        let speaks_tls = async || {
            let mut probe = url("http");
            probe.set_path("/v2/");
            let probe = Call::get(probe, content::ERROR_BOUND, cost);
            match self.sender.send_paced(&probe).await {
                // What a TLS server says to plain http, if it says anything.
                Ok(answer) => Ok(answer.status == StatusCode::BAD_REQUEST),
                Err(fault) if fault.is_nobody_there() => Err(fault),
                Err(_) => Ok(true),
            }
        };
        // Where nobody is there, the next request finds that out again.
        match self.speaks_tls.get_or_try_init(speaks_tls).await {
            Ok(true) => url("https"),
            Ok(false) | Err(_) => url("http"),
        }
    }

    /// Sends a request for `repository`; where an access token is turned down, once more with another of its identity.
    async fn send(&self, repository: &Repository, call: Call) -> Result<Answer, Error> {
        let login = self.login();
        let answer = self.send_as(login.as_ref(), repository, call.clone()).await;
        let Some(Login::AccessToken(token)) = &login else {
            return answer;
        };
        if !is_turned_down(&answer) {
            return answer;
        }
        let Some(renewed) = token.renewed().await.map(Login::AccessToken) else {
            return answer;
        };
        self.log_in_with(renewed.clone());
        self.tokens.forget_all();
        self.send_as(Some(&renewed), repository, call).await
    }

    /// Sends a request, logging in as the registry asks, and once more when a token of the registry's was turned down.
    async fn send_as(
        &self,
        login: Option<&Login>,
        repository: &Repository,
        mut call: Call,
    ) -> Result<Answer, Error> {
        let scope = format!("repository:{}:pull", repository.path);
        let mut tried = None;
        let mut remembered = self.tokens.challenge();
        let mut times = 0;
        loop {
            times += 1;
            let header = self
                .authorize(login, remembered.as_ref(), &scope, &call.cost)
                .await;
            let header = header.map_err(|problem| {
                let problem = problem.asked_by(Asker::of(login, repository));
                Error::new(repository, &call, problem)
            })?;
            call.headers.remove(http::header::AUTHORIZATION);
            if let Some(header) = &header {
                call.headers
                    .insert(http::header::AUTHORIZATION, header.clone());
            }
            let answer = self.sender.send_patiently(&call).await;
            let answer = answer.map_err(|fault| Error::new(repository, &call, fault.into()))?;
            if !is_refusal(answer.status) {
                return Ok(answer);
            }
            let asked = Challenge::choose(&answer.headers);
            let is_same = asked.is_none() || asked == remembered;
            // A token may have been revoked, a first request may have gone without one: both are worth another.
            let is_bearer = matches!(remembered, Some(Challenge::Bearer { .. }));
            if times == TIMES_BOUND
                || is_same
                    && (!is_bearer
                        || tried == header
                        || !self.tokens.forget(&scope, header.as_ref()).await)
            {
                return Ok(answer);
            }
            tried = header;
            if let Some(asked) = asked {
                self.tokens.remember(asked.clone());
                remembered = Some(asked);
            }
        }
    }

    async fn authorize(
        &self,
        login: Option<&Login>,
        challenge: Option<&Challenge>,
        scope: &str,
        cost: &Cost,
    ) -> Result<Option<HeaderValue>, Problem> {
        if login.is_some_and(Login::is_simulated) && !is_here(&self.base(cost).await) {
            let host = self.endpoint.clone();
            return Err(Problem::Simulated { host });
        }
        match challenge {
            None => Ok(login.and_then(token::unasked)),
            Some(Challenge::Basic) => Ok(login.and_then(token::basic)),
            Some(Challenge::Bearer { realm, service }) => {
                let checked = self.check_realm(realm, login, cost).await;
                let realm = checked.map_err(|source| Problem::Realm {
                    realm: token::shown(realm),
                    source,
                })?;
                let login = login.and_then(token::basic);
                self.tokens
                    .get(&self.sender, &realm, service.as_deref(), scope, login, cost)
                    .await
                    .map(Some)
            }
        }
    }

    /// Says where the registry's tokens are asked for, if the login may be shown there.
    async fn check_realm(
        &self,
        realm: &str,
        login: Option<&Login>,
        cost: &Cost,
    ) -> Result<Url, RealmError> {
        let base = self.base(cost).await;
        // The registry's own host is reached where its connections go.
        let realm = match (&self.connects_to, Url::parse(realm)) {
            (Some(endpoint), Ok(url)) if url.host_str() == Some(self.endpoint.as_str()) => {
                let mut here = endpoint.clone();
                here.set_path(url.path());
                here.set_query(url.query());
                here.to_string()
            }
            _ => realm.to_owned(),
        };
        let shown = match login {
            None | Some(Login::SshKey(_)) => Shown::Nothing,
            Some(Login::Basic { .. }) => Shown::Login,
            Some(Login::AccessToken(_)) => Shown::AccessToken,
        };
        realm::check(&base, &realm, shown, &self.trusted_realms)
    }

    fn login(&self) -> Option<Login> {
        let login = self.login.read().unwrap_or_else(PoisonError::into_inner);
        login.clone()
    }

    /// Says what an answer that is no success means for whoever asked.
    fn refused(&self, repository: &Repository, answer: &Answer) -> Problem {
        error::refused(answer, Asker::of(self.login().as_ref(), repository))
    }

    fn log_in_with(&self, login: Login) {
        *self.login.write().unwrap_or_else(PoisonError::into_inner) = Some(login);
    }
}

/// Says whether requests to the address stay on this machine.
fn is_here(url: &Url) -> bool {
    url.host_str().is_some_and(crate::egress::is_loopback_name)
}

pub(crate) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Says whether the registry, or its token service, did not take the login.
fn is_turned_down(answer: &Result<Answer, Error>) -> bool {
    match answer {
        Ok(answer) => is_refusal(answer.status),
        Err(error) => match &*error.problem {
            Problem::Token { status, .. } => is_refusal(*status),
            _ => false,
        },
    }
}
