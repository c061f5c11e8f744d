//! What the cluster says: Projects and what they subscribe to, the controller's account, Secrets with keys.

use std::fmt::Debug;

use anyhow::{Context as _, Result};
use credentials::google::FALLBACK_ANNOTATION;
use gcp::facts::{Facts, Reading, Seen};
use gcp::principal::{KubernetesAccount, PROJECT_ACCOUNT};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use resources::subscription::Source;
use resources::{Project, Warehouse};
use serde::de::DeserializeOwned;

use super::own_pod;
use crate::gcp::place::PodVantage;

/// Objects of one page, and most pages of one list.
const PAGE: u32 = 500;
const PAGES: usize = 40;
/// The member of a credential's Secret that holds a key.
const KEY_MEMBER: &str = "gcpServiceAccountKey";
/// What the user is called whose password is a key.
///
/// Source: <https://cloud.google.com/artifact-registry/docs/docker/authentication#json-key>
const KEY_USER: &[u8] = b"_json_key";

/// Lists the Projects of the cluster, each with the images and charts its Warehouses subscribe to.
pub(in crate::gcp) async fn projects(client: &Client) -> Result<Vec<(String, Vec<String>)>> {
    let all = list(&Api::<Project>::all(client.clone()), ListParams::default())
        .await
        .context("failed to list the Projects of the cluster")?;
    let mut found = Vec::new();
    for project in all {
        let name = project.name_any();
        let addresses = subscriptions(client, &name).await?;
        found.push((name, addresses));
    }
    Ok(found)
}

/// Lists the images and charts that a Project's Warehouses subscribe to.
pub(in crate::gcp) async fn subscriptions(client: &Client, project: &str) -> Result<Vec<String>> {
    let warehouses = Api::<Warehouse>::namespaced(client.clone(), project);
    let warehouses = list(&warehouses, ListParams::default())
        .await
        .with_context(|| format!("failed to list the Warehouses of {project}"))?;
    let subscriptions = warehouses.iter().flat_map(|it| &it.spec.subscriptions);
    // What is no subscription is for the Warehouse to say.
    let parsed = subscriptions.filter_map(|it| it.parse().ok());
    let mut addresses: Vec<_> = parsed
        .filter_map(|it| match it.source {
            Source::Image(image) => Some(image.repo_url),
            Source::Chart(chart) => Some(chart.repo_url),
            Source::Git(_) | Source::Other { .. } => None,
        })
        .filter(|it| !it.starts_with("http://") && !it.starts_with("https://"))
        .collect();
    addresses.sort();
    addresses.dedup();
    Ok(addresses)
}

/// Asks the cluster; every Project may use the credentials in the `shared` namespaces.
pub(super) async fn gather(
    client: &Client,
    vantage: PodVantage,
    shared: &[String],
    facts: &mut Facts,
) {
    let projects = list(&Api::<Project>::all(client.clone()), ListParams::default()).await;
    let projects = reading("GET projects.kargo.akuity.io", projects);
    let all = projects.as_ref();
    facts.live_projects = all.map(|all| all.iter().map(ResourceExt::name_any).collect());
    let controller = facts.intent.controller.clone();
    let account = service_account(client, &controller).await;
    facts.pod.account_uid = account.as_ref().map(|it| it.uid().unwrap_or_default());
    facts.pod.account_annotations = account.map(|it| it.annotations().clone());
    for namespace in shared {
        let secrets = key_secrets(client, namespace).await;
        facts.shared_key_secrets.insert(namespace.clone(), secrets);
    }
    let names: Vec<String> = facts.intent.projects.keys().cloned().collect();
    for name in names {
        let secrets = key_secrets(client, &name).await;
        let account = KubernetesAccount::new(&name, PROJECT_ACCOUNT);
        let account = service_account(client, &account).await;
        let seen = facts.projects.entry(name.clone()).or_default();
        seen.kubernetes_uid = account.as_ref().map(|it| it.uid().unwrap_or_default());
        seen.kubernetes_account = account.map(|_| ());
        seen.key_secrets = secrets;
        seen.fallback = wish(&projects, &name);
    }
    own_pod::gather(client, vantage, facts).await;
}

/// Reads what a Project asks for where its own identity cannot act; absent is a Project that is not there.
fn wish(projects: &Reading<Vec<Project>>, name: &str) -> Reading<Option<String>> {
    let source = projects.source.clone();
    let all = match &projects.as_ref().seen {
        Seen::Known(all) => all.iter(),
        _ => return projects.as_ref().map(|_| None),
    };
    let found = all.into_iter().find(|it| it.name_any() == name);
    let seen = found.map_or(Seen::Absent, |it| {
        Seen::Known(it.annotations().get(FALLBACK_ANNOTATION).cloned())
    });
    Reading { source, seen }
}

async fn service_account(client: &Client, account: &KubernetesAccount) -> Reading<ServiceAccount> {
    let request = format!("GET serviceaccounts {account}");
    let api = Api::<ServiceAccount>::namespaced(client.clone(), &account.namespace);
    reading(&request, api.get(&account.name).await)
}

/// Finds the Secrets of a namespace that hold a key; the keys themselves are not looked at.
async fn key_secrets(client: &Client, namespace: &str) -> Reading<Vec<String>> {
    let api = Api::<Secret>::namespaced(client.clone(), namespace);
    let credentials = ListParams::default().labels(resources::names::label::CREDENTIAL_TYPE);
    let found = reading(
        &format!("GET secrets of {namespace}"),
        list(&api, credentials).await,
    );
    found.map(|all| {
        let holds_key = |it: &&Secret| {
            it.data.as_ref().is_some_and(|data| {
                let user = data.get("username");
                data.contains_key(KEY_MEMBER) || user.is_some_and(|it| it.0.starts_with(KEY_USER))
            })
        };
        all.iter()
            .filter(holds_key)
            .map(ResourceExt::name_any)
            .collect()
    })
}

/// Lists all objects, page by page.
pub(super) async fn list<K>(api: &Api<K>, parameters: ListParams) -> kube::Result<Vec<K>>
where
    K: Clone + Debug + DeserializeOwned,
{
    let mut all = Vec::new();
    let mut parameters = parameters.limit(PAGE);
    for _ in 0..PAGES {
        let page = api.list(&parameters).await?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(token) => parameters = parameters.continue_token(&token),
            None => break,
        }
    }
    Ok(all)
}

pub(super) fn reading<T>(request: &str, answer: kube::Result<T>) -> Reading<T> {
    match answer {
        Ok(value) => Reading::known_from(request, value),
        Err(kube::Error::Api(status)) if status.code == 404 => Reading::absent(request),
        Err(kube::Error::Api(status)) => Reading::of_refusal(request, status.code, &status.message),
        Err(error) => Reading::unreachable(request, &error.to_string()),
    }
}
