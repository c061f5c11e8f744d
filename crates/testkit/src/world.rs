//! An embedded API with Argosy's kinds, and whatever a test starts over it.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use embedded_apiserver::{EmbeddedApi, Listen, Options, Reach, write_private};
use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{GroupVersionKind, TypeMeta};
use kube::discovery::{self, ApiResource, Scope};
use serde_json::{Value, json};

/// How long [`World::until`] waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// What opens a world that listens.
const TOKEN: &str = "the-token-of-a-world-in-a-test";

/// An API server in this process, in memory, that knows the kinds.
///
/// `World` knows no product crate: hooks and loops are started by the test, over [`World::client`] and [`World::api`].
#[derive(Debug)]
pub struct World {
    api: EmbeddedApi,
}

impl World {
    /// Opens an empty world with all CRDs installed.
    ///
    /// # Errors
    /// When a CRD is refused.
    pub async fn new() -> Result<Self> {
        Self::with(Options::default()).await
    }

    /// The same with options of the test's own, such as its clock.
    ///
    /// # Errors
    /// When a CRD is refused.
    pub async fn with(options: Options) -> Result<Self> {
        let world = Self::without_kinds(options).await?;
        let crds: Vec<Value> = resources::crds()
            .iter()
            .map(|(name, yaml)| {
                serde_saphyr::from_str(yaml).with_context(|| format!("failed to parse {name}"))
            })
            .collect::<Result<_>>()?;
        world.api.install_crds(&crds).await?;
        Ok(world)
    }

    /// A world as a cluster is before anybody applied the CRDs.
    ///
    /// # Errors
    /// When the store cannot be opened.
    pub async fn without_kinds(options: Options) -> Result<Self> {
        let api = EmbeddedApi::open_in_memory(options).await?;
        Ok(Self { api })
    }

    /// Opens the world to other processes on a free loopback port, and writes what they need to `kubeconfig`.
    ///
    /// # Errors
    /// When no port is free, or the file cannot be written.
    pub async fn listen(&self, kubeconfig: &Path) -> Result<SocketAddr> {
        let listen = Listen {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            reach: Reach::Loopback,
            token: TOKEN.to_owned(),
            directory: None,
            name: "world".to_owned(),
            routes: Router::new(),
        };
        let listening = self.api.listen(listen).await?;
        write_private(kubeconfig, listening.kubeconfig().as_bytes())?;
        Ok(listening.address)
    }

    /// The server, for hooks and other identities.
    pub fn api(&self) -> &EmbeddedApi {
        &self.api
    }

    /// A client with every right.
    pub fn client(&self) -> Client {
        self.api.client()
    }

    /// Applies YAML documents server-side.
    ///
    /// # Errors
    /// The first document that is refused.
    pub async fn apply(&self, yaml: &str) -> Result<()> {
        let documents: Vec<Value> = serde_saphyr::from_multiple(yaml)?;
        for document in documents.into_iter().filter(|document| !document.is_null()) {
            let object: DynamicObject = serde_json::from_value(document)?;
            let types = object
                .types
                .clone()
                .context("a document without apiVersion and kind")?;
            let name = object
                .metadata
                .name
                .clone()
                .context("a document without a name")?;
            let api = self
                .of_kind(&types, object.metadata.namespace.as_deref())
                .await?;
            let parameters = PatchParams::apply("test").force();
            api.patch(&name, &parameters, &Patch::Apply(&object))
                .await
                .with_context(|| format!("{} {name}", types.kind))?;
        }
        Ok(())
    }

    /// Reads an object as JSON; `None` when it is absent.
    ///
    /// # Errors
    /// When the kind is unknown or the read fails.
    pub async fn find(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<Option<Value>> {
        let types = TypeMeta {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
        };
        let found = self.of_kind(&types, namespace).await?.get_opt(name).await?;
        Ok(found.map(serde_json::to_value).transpose()?)
    }

    /// Makes a token of a service account for an audience, as `kubectl create token` does.
    ///
    /// # Errors
    /// When there is no such account.
    pub async fn token_of(&self, namespace: &str, account: &str, audience: &str) -> Result<String> {
        let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token");
        let body = json!({
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": [audience]},
        });
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_string().into_bytes())?;
        let answer: Value = self.client().request(request).await?;
        let token = answer["status"]["token"].as_str();
        Ok(token.context("an answer without a token")?.to_owned())
    }

    /// Asks again until there is an answer, for at most 20 seconds.
    ///
    /// # Errors
    /// When `ask` fails, or nothing was answered in time; the message names `what`.
    pub async fn until<T, F>(&self, what: &str, mut ask: impl FnMut() -> F) -> Result<T>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask().await.with_context(|| what.to_owned())? {
                return Ok(answer);
            }
            if tokio::time::Instant::now() > deadline {
                bail!("{what}: did not happen within {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn of_kind(
        &self,
        types: &TypeMeta,
        namespace: Option<&str>,
    ) -> Result<Api<DynamicObject>> {
        let kind = GroupVersionKind::try_from(types)?;
        let (resource, capabilities) = self.resource(&kind).await?;
        Ok(match (capabilities, namespace) {
            (Scope::Cluster, _) => Api::all_with(self.client(), &resource),
            (Scope::Namespaced, namespace) => {
                Api::namespaced_with(self.client(), namespace.unwrap_or("default"), &resource)
            }
        })
    }

    async fn resource(&self, kind: &GroupVersionKind) -> Result<(ApiResource, Scope)> {
        let (resource, capabilities) = discovery::pinned_kind(&self.client(), kind).await?;
        Ok((resource, capabilities.scope))
    }
}
