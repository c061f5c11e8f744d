//! The OCI distribution protocol: challenge, token, pages of tags, manifests, blobs.
//!
//! [`Registries`] holds what all share: the egress policy, the limits, the roots of trust. A [`Client`] speaks to one
//! host for one project with one credential; its tokens, connections and pace die with it, and what it was answered goes
//! into that part of the [`Memory`] which is its own. Nothing is shared across projects or credentials. Plain http is
//! spoken to this machine only.
//!
//! Invariant: a login or token leaves only for the registry itself or for a realm that [`realm`] accepts, and stays
//! behind when a redirect changes the origin.

mod asker;
mod challenge;
mod client;
mod content;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod links;
mod listing;
mod manifest;
mod memory;
mod reader;
mod realm;
mod reason;
mod repository;
mod tags;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, RwLock};

use credentials::Login;
use domain::CacheByTagPolicy;
use moka::future::Cache;
use tokio::sync::OnceCell;
use url::Url;

use crate::Caller;
use crate::egress::{Policy, is_loopback_name};
use crate::sender::{Detour, Limits, Sender, Tls};
use client::{Client, is_here};
use links::Links;
use listing::Notes;
use repository::endpoint_of;
use token::Tokens;

pub use asker::Asker;
pub(crate) use client::is_refusal;
pub use error::{Error, Problem};
pub(crate) use listing::{Listing, Said, Turn, Wish};
pub(crate) use manifest::parse_time;
pub use manifest::{Config, Descriptor, Index, Manifest, Platform, Single};
pub use memory::Memory;
pub use reader::Reader;
pub use realm::{RealmError, TrustedRealm, TrustedRealmError};
pub use repository::{Repository, RepositoryError};
pub(crate) use tags::is_tag;
pub(crate) use token::basic;

/// Most clients that are kept, each idle for no longer than half an hour.
const CLIENTS_BOUND: u64 = 2_000;
const IDLE: std::time::Duration = std::time::Duration::from_mins(30);

/// Makes the clients of all registries.
#[derive(Debug)]
pub struct Registries {
    policy: Arc<Policy>,
    tls: Arc<Tls>,
    limits: Limits,
    trusted_realms: Arc<[TrustedRealm]>,
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

    /// Names hosts that may be shown any registry's login in exchange for a token, but no access token: the operator's own.
    #[must_use]
    pub fn with_trusted_realms(self, hosts: Vec<TrustedRealm>) -> Self {
        Self {
            trusted_realms: hosts.into(),
            ..self
        }
    }

    /// Connects to other addresses than the hosts' own: host to `https://…` or, on this machine, `http://…`, without a
    /// path. Credentials are still those of the host, and so is whom they may be shown to. Docker Hub goes by any of its
    /// names. For the operator alone to say.
    #[must_use]
    pub fn with_endpoints(self, endpoints: HashMap<String, Url>) -> Self {
        let mut named: Vec<_> = endpoints.into_iter().collect();
        // Where several names of one registry lead to several places, it is the same one every time: the last.
        named.sort();
        let own = |(host, address): (String, Url)| (endpoint_of(&host).to_owned(), address);
        Self {
            endpoints: named.into_iter().map(own).collect(),
            ..self
        }
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
            // Nothing here waits for what another discovery does.
            room: _,
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

    /// Gives the policy for a registry whose connections the operator sends elsewhere: where that is a port of this
    /// machine, it is open for this registry, and so is the one of Artifact Registry's API.
    fn policy_towards(&self, endpoint: Option<&Url>) -> Arc<Policy> {
        let named = endpoint
            .into_iter()
            .flat_map(|it| [it, &self.artifact_registry]);
        let ports = named.filter(|it| it.host_str().is_some_and(is_loopback_name));
        let ports: Vec<_> = ports.filter_map(Url::port_or_known_default).collect();
        if ports.is_empty() {
            return Arc::clone(&self.policy);
        }
        let policy = Policy::clone(&self.policy);
        Arc::new(ports.into_iter().fold(policy, Policy::with_loopback_at))
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
            let host = repository.endpoint();
            let address = self.endpoints.get(host).cloned();
            let sender = Sender::new(
                self.policy_towards(address.as_ref()),
                Arc::clone(&self.tls),
                insecure,
                self.limits.of_host(host),
            )
            .of_project(&project)
            .taking(address.map(|address| Detour::new(host, address)));
            Arc::new(Client {
                scope: build_scope,
                artifact_registry: self.artifact_registry.clone(),
                notes: Arc::clone(&self.notes),
                endpoint: host.to_owned(),
                is_loopback: repository.is_loopback(),
                speaks_tls: OnceCell::new(),
                sender,
                login: RwLock::new(login.cloned()),
                trusted_realms: Arc::clone(&self.trusted_realms),
                tokens: Tokens::default(),
                links: Links::default(),
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
