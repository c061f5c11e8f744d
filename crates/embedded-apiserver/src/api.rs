//! The server as a value: opened on a directory or in memory, talked to through clients.

use std::path::Path;
use std::sync::Arc;

use k8s_openapi::api::authentication::v1::UserInfo;
use kube::core::admission::Operation;
use parking_lot::{Mutex, RwLock};
use serde_json::Value;

use crate::admission::AdmissionHook;
use crate::collector;
use crate::crds;
use crate::expiry;
use crate::failure::Failure;
use crate::http::ApiService;
use crate::kinds::KindTable;
use crate::listen::Connections;
use crate::negotiate::Form;
use crate::query::Query;
use crate::routes::Target;
use crate::store::{
    Effect, Expect, History, Key, Object, OpenError, PageRequest, Refused, Resource, Store, Write,
};
use crate::tokens::{Issuer, SigningKey, Tokens};
use crate::verbs::{Call, CallClock, Tracking, metadata};

/// Tells the time; tests bring their own.
pub type Clock = Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>;

/// What a server is opened with.
#[derive(Clone)]
pub struct Options {
    /// Hooks asked before anything is stored; more can be added later.
    pub admission: Vec<AdmissionHook>,
    /// How many past changes are held for watches that resume.
    pub history: History,
    pub clock: Clock,
    /// The `https` URL that tokens of service accounts name as their issuer, and which is the server's own audience.
    /// Without one it is the address that the server first listens on, else `https://kubernetes.default.svc`.
    pub issuer: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            admission: Vec::new(),
            history: History::default(),
            clock: Arc::new(jiff::Timestamp::now),
            issuer: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("admission", &self.admission)
            .field("history", &self.history)
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Why a custom resource definition could not be installed.
#[derive(Debug, thiserror::Error)]
#[error("failed to install CustomResourceDefinition {name:?}: {message}")]
pub struct InstallError {
    name: String,
    message: String,
}

/// Everything a request needs.
pub(crate) struct Api {
    pub(crate) store: Store,
    pub(crate) kinds: RwLock<Arc<KindTable>>,
    pub(crate) admission: RwLock<Vec<AdmissionHook>>,
    pub(crate) clock: Clock,
    pub(crate) tokens: Tokens,
    /// Why `/readyz` says no.
    pub(crate) unready: RwLock<Option<String>>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

/// A Kubernetes API without a cluster: one value, cheap to clone.
#[derive(Debug, Clone)]
pub struct EmbeddedApi {
    pub(crate) api: Arc<Api>,
    pub(crate) listeners: Arc<Mutex<Vec<Connections>>>,
}

impl EmbeddedApi {
    /// Opens the server whose data is in the directory `path`; it is created where there is none.
    ///
    /// Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// [`OpenError::InUse`] while another process has the directory; [`OpenError::NewerFormat`] for data of a newer program.
    pub async fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let issuer = Issuer::new(options.issuer.clone())?;
        let (directory, history) = (path.to_owned(), options.history);
        let store = blocking(move || Store::open(&directory, history)).await?;
        // Whoever has the store has the directory.
        let directory = path.to_owned();
        match blocking(move || SigningKey::read_or_create(&directory)).await {
            Ok(key) => Self::start(store, Tokens::new(issuer, Some(key)), options).await,
            Err(error) => {
                store.close().await;
                Err(error)
            }
        }
    }

    /// Opens an empty server that forgets everything when it is dropped.
    pub async fn open_in_memory(options: Options) -> Result<Self, OpenError> {
        Self::open_on(redb::backends::InMemoryBackend::new(), options).await
    }

    /// Opens a server over any storage.
    pub async fn open_on(
        backend: impl redb::StorageBackend,
        options: Options,
    ) -> Result<Self, OpenError> {
        let tokens = Tokens::new(Issuer::new(options.issuer.clone())?, None);
        let store = Store::open_on(backend, options.history)?;
        Self::start(store, tokens, options).await
    }

    async fn start(store: Store, tokens: Tokens, options: Options) -> Result<Self, OpenError> {
        let Options {
            admission,
            history: _,
            clock,
            issuer: _,
        } = options;
        let api = Arc::new(Api {
            store,
            kinds: RwLock::new(Arc::new(KindTable::builtin())),
            admission: RwLock::new(admission),
            clock,
            tokens,
            unready: RwLock::new(None),
        });
        api.refresh_kinds();
        api.bootstrap()
            .await
            .map_err(|refused| OpenError::Bootstrap {
                what: format!("{refused:?}"),
            })?;
        collector::start(&api);
        expiry::start(&api);
        Ok(Self {
            api,
            listeners: Arc::default(),
        })
    }

    /// A client with every right, as the bearer of the kubeconfig has.
    pub fn client(&self) -> kube::Client {
        self.client_as(admin())
    }

    /// A client that acts as `user`: admission hooks see who it is.
    pub fn client_as(&self, user: UserInfo) -> kube::Client {
        kube::Client::new(ApiService::new(Arc::clone(&self.api), user), "default")
    }

    /// The server as a tower service; a [`UserInfo`] among a request's extensions says who asks.
    pub fn service(&self) -> ApiService {
        ApiService::new(Arc::clone(&self.api), admin())
    }

    /// Makes the kinds of custom resource definitions known, replacing earlier definitions of the same name.
    pub async fn install_crds(&self, crds: &[Value]) -> Result<(), InstallError> {
        for crd in crds {
            let name = metadata::text(crd, "name").to_owned();
            self.api
                .install_crd(crd)
                .await
                .map_err(|failure| InstallError {
                    name,
                    message: failure.message().to_owned(),
                })?;
        }
        Ok(())
    }

    /// Adds a hook, which from now on is asked like those the server was opened with.
    pub fn add_admission(&self, hook: AdmissionHook) {
        self.api.admission.write().push(hook);
    }

    /// Makes `/readyz` say no, for the reason given, until [`Self::ready`] is called.
    pub fn hold_ready(&self, why: &str) {
        *self.api.unready.write() = Some(why.to_owned());
    }

    /// Makes `/readyz` say yes.
    pub fn ready(&self) {
        *self.api.unready.write() = None;
    }

    /// Ends all watches, finishes what was asked before, and lets the next process open the data.
    pub async fn shutdown(&self) {
        self.api.store.memory().end_feeds();
        let listeners = std::mem::take(&mut *self.listeners.lock());
        for listener in listeners {
            listener.stop().await;
        }
        self.api.store.close().await;
    }
}

/// Does what waits for the disk, or takes long, beside the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpenError> + Send + 'static,
) -> Result<T, OpenError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| OpenError::Bootstrap {
        what: error.to_string(),
    })?
}

/// Who the in-process client and the bearer of the kubeconfig's token are.
pub(crate) fn admin() -> UserInfo {
    UserInfo {
        username: Some("admin".to_owned()),
        groups: Some(vec![
            "system:masters".to_owned(),
            "system:authenticated".to_owned(),
        ]),
        ..UserInfo::default()
    }
}

impl Api {
    /// The current time as it is written in objects.
    pub(crate) fn now(&self) -> String {
        (self.clock)().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Stores what every cluster has.
    async fn bootstrap(&self) -> Result<(), Refused> {
        let key = Key::new(&Resource::new("", "namespaces"), "", "default");
        if self.store.memory().get(&key).is_some() {
            return Ok(());
        }
        let namespace = serde_json::json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {
                "name": "default", "uid": uuid::Uuid::new_v4().to_string(), "creationTimestamp": self.now(),
                "labels": {"kubernetes.io/metadata.name": "default"},
            },
            "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"},
        });
        self.store
            .write(Write {
                key,
                expect: Expect::Absent,
                effect: Effect::Put(namespace),
                namespace: None,
            })
            .await?;
        Ok(())
    }

    /// Follows up on a write before it is answered.
    pub(crate) fn written(&self, call: &Call, object: &Object) {
        if call.kind.kind == "CustomResourceDefinition" {
            self.refresh_kinds();
        }
        let _ = object;
    }

    /// Reads anew which kinds there are.
    fn refresh_kinds(&self) {
        let mut kinds = self.kinds.write();
        let resource = Resource::new(crds::GROUP, "customresourcedefinitions");
        let request = PageRequest {
            resource: &resource,
            namespace: None,
            at: None,
            after: None,
        };
        let page = self.store.memory().list(request);
        let stored = page.map(|it| it.objects).unwrap_or_default();
        let mut definitions: Vec<Value> = stored.iter().map(|it| it.to_value()).collect();
        definitions.retain(crds::is_established);
        *kinds = Arc::new(kinds.with_crds(&definitions));
    }

    /// Creates a custom resource definition, or replaces its specification.
    async fn install_crd(&self, crd: &Value) -> Result<(), Failure> {
        let target = Target {
            group: "apiextensions.k8s.io".to_owned(),
            version: "v1".to_owned(),
            plural: "customresourcedefinitions".to_owned(),
            namespace: None,
            name: None,
            subresource: None,
        };
        let mut call = self.call(
            admin(),
            target,
            Query::default(),
            "install".to_owned(),
            String::new(),
        )?;
        match self
            .create_value(&call, crd.clone(), Tracking::Update)
            .await
        {
            Err(failure) if failure.reason() == "AlreadyExists" => {
                call.target.name = Some(metadata::text(crd, "name").to_owned());
                self.replace(&call, Tracking::Update, |_| Ok(crd.clone()))
                    .await?;
                Ok(())
            }
            outcome => outcome.map(drop),
        }
    }

    pub(crate) fn call(
        &self,
        user: UserInfo,
        target: Target,
        query: Query,
        manager: String,
        media_type: String,
    ) -> Result<Call, Failure> {
        let kinds = Arc::clone(&self.kinds.read());
        let kind = kinds.find(&target.group, &target.version, &target.plural);
        let kind = Arc::clone(kind.ok_or_else(Failure::no_such_resource)?);
        if !kind.namespaced && target.namespace.is_some() {
            return Err(Failure::no_such_resource());
        }
        if kind.namespaced && target.namespace.is_none() && target.name.is_some() {
            return Err(Failure::no_such_resource());
        }
        let resource = Resource::new(&kind.group, &kind.plural);
        Ok(Call {
            user,
            kind,
            resource,
            target,
            query,
            manager,
            media_type,
            form: Form::Whole,
            clock: CallClock(Arc::clone(&self.clock)),
            unknown: Mutex::default(),
            warnings: Mutex::default(),
        })
    }
}

/// All operations, for hooks that want them all.
pub fn all_operations() -> Vec<Operation> {
    vec![Operation::Create, Operation::Update, Operation::Delete]
}
