//! What decisions rest on, read from the API; every call has a time-out.

use std::fmt::Debug;
use std::future::Future;
use std::time::Duration;

use domain::validation::Cause;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, ListParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Client, Resource};
use resources::names::label;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::refusal::Refusal;

/// How long the API has to answer; the request that waits for us gives up after ten seconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Objects in one page of a list.
const PAGE: u32 = 500;

/// Pages of a list at most: what is beyond is not looked at.
const PAGES_MAX: usize = 200;

#[derive(Clone)]
pub(super) struct Reader {
    client: Client,
}

impl Reader {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(super) async fn find<K>(&self, namespace: &str, name: &str) -> Result<Option<K>, Refusal>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client(), namespace);
        self.find_in(&api, name).await
    }

    /// Finds one object; an empty name names none.
    pub(super) async fn find_in<K>(&self, api: &Api<K>, name: &str) -> Result<Option<K>, Refusal>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        if name.is_empty() {
            return Ok(None);
        }
        attempt(
            &format!("read {} {name:?}", K::kind(&())),
            api.get_opt(name),
        )
        .await
    }

    pub(super) async fn list<K>(&self, namespace: &str) -> Result<Vec<K>, Refusal>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client(), namespace);
        let mut parameters = ListParams::default().limit(PAGE);
        let mut objects = Vec::new();
        for _ in 0..PAGES_MAX {
            let page = attempt(&format!("list {}", K::plural(&())), api.list(&parameters)).await?;
            objects.extend(page.items);
            match page.metadata.continue_.filter(|it| !it.is_empty()) {
                Some(token) => parameters = parameters.continue_token(&token),
                None => break,
            }
        }
        Ok(objects)
    }

    pub(super) async fn create<K>(&self, api: &Api<K>, object: &K) -> Result<K, Refusal>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize,
    {
        let what = format!("create {}", K::kind(&()));
        attempt(&what, api.create(&PostParams::default(), object)).await
    }

    /// Says that a namespace belongs to no Project, or refuses where it does not exist.
    pub(super) async fn project(&self, namespace: &str) -> Result<Option<Cause>, Refusal> {
        let api: Api<Namespace> = Api::all(self.client());
        let found = self
            .find_in(&api, namespace)
            .await?
            .ok_or_else(|| Refusal::NotFound {
                message: format!(
                    "namespace {namespace:?} not found; create Project {namespace:?} first"
                ),
            })?;
        let why = "the namespace belongs to no Project; create the Project first";
        Ok((!is_project(&found)).then(|| Cause::invalid("metadata.namespace", namespace, why)))
    }
}

/// Says whether a namespace belongs to a Project, or may be taken by one.
pub(super) fn is_project(namespace: &Namespace) -> bool {
    let labels = namespace.metadata.labels.as_ref();
    labels
        .and_then(|it| it.get(label::PROJECT))
        .is_some_and(|it| it == label::TRUE)
}

pub(super) async fn attempt<T>(
    attempt: &str,
    answer: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, Refusal> {
    match tokio::time::timeout(TIMEOUT, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(source)) => Err(Refusal::Api {
            attempt: attempt.to_owned(),
            source,
        }),
        Err(_) => Err(Refusal::Timeout {
            attempt: attempt.to_owned(),
        }),
    }
}
