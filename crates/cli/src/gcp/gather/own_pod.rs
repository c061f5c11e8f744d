//! The controller's Pod as the cluster describes it: who it runs as, its node, and the policies around its network.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use credentials::google::POD_TOKEN;
use gcp::facts::{Facts, Pod, Reading, Seen, Source};
use gcp::network::{NetworkPolicy, PodNetwork};
use gcp::principal::KubernetesAccount;
use k8s_openapi::api::core::v1::{self, Node};
use k8s_openapi::api::networking;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt};
use secret::Secret;

use super::kubernetes::{list, reading};
use crate::gcp::place::{PodVantage, variable};

/// Looks at the Pod that this runs in; at a desk at one that runs as the controller's account.
pub(super) async fn gather(client: &Client, vantage: PodVantage, facts: &mut Facts) {
    let controller = facts.intent.controller.clone();
    let name = match vantage {
        PodVantage::Inside => variable("HOSTNAME"),
        PodVantage::Named | PodVantage::No => None,
    };
    let found = find(client, name, &controller).await;
    facts.pod.network = network(client, &found).await;
    facts.pod.node_labels = node_labels(client, &found).await;
    facts.pod.pod = described(found);
    if vantage == PodVantage::Inside {
        facts.pod.account = own_account(Path::new(POD_TOKEN));
    }
}

/// Reads whom the token speaks for that Kubernetes puts into a Pod; nobody has to be asked for it.
fn own_account(path: &Path) -> Reading<KubernetesAccount> {
    let request = path.display().to_string();
    match fs::read_to_string(path).map(Secret::new) {
        Ok(token) => match gcp::subject_of(&token) {
            Some(account) => Reading {
                source: Source::new(&request, None),
                seen: Seen::Known(account),
            },
            None => Reading::unreachable(&request, "it is no token of a Kubernetes account"),
        },
        Err(error) => Reading::unreachable(&request, &error.to_string()),
    }
}

/// Finds the Pod by its name, else by its account; the inner none is that no Pod runs as that.
async fn find(
    client: &Client,
    name: Option<String>,
    controller: &KubernetesAccount,
) -> Reading<Option<v1::Pod>> {
    if let Some(name) = name {
        let api = Api::<v1::Pod>::default_namespaced(client.clone());
        let found = reading(&format!("GET pods {name}"), api.get(&name).await);
        // On its node's network a Pod has the name of its node.
        if found.seen != Seen::Absent {
            return found.map(Some);
        }
    }
    let KubernetesAccount { namespace, name } = controller;
    let api = Api::<v1::Pod>::namespaced(client.clone(), namespace);
    let of_account = ListParams::default().fields(&format!("spec.serviceAccountName={name}"));
    let request = format!("GET pods of {controller}");
    let pods = reading(&request, list(&api, of_account).await);
    pods.map(|all| {
        let runs =
            |it: &v1::Pod| it.status.as_ref().and_then(|it| it.phase.as_deref()) == Some("Running");
        let place = all.iter().position(runs).unwrap_or_default();
        all.into_iter().nth(place)
    })
}

fn described(found: Reading<Option<v1::Pod>>) -> Reading<Pod> {
    match found.seen {
        Seen::Known(None) | Seen::Absent => Reading::default(),
        _ => found.map(|it| {
            let it = it.unwrap_or_default();
            let address = it.status.and_then(|it| it.host_ip);
            let spec = it.spec.unwrap_or_default();
            Pod {
                host_network: spec.host_network.unwrap_or_default(),
                node: spec.node_name.unwrap_or_default(),
                node_address: address.and_then(|it| it.parse().ok()),
            }
        }),
    }
}

async fn node_labels(
    client: &Client,
    found: &Reading<Option<v1::Pod>>,
) -> Reading<BTreeMap<String, String>> {
    let pod = found.known().ok().and_then(Option::as_ref);
    let Some(node) = pod.and_then(|it| it.spec.as_ref()?.node_name.clone()) else {
        return Reading::default();
    };
    let labels = Api::<Node>::all(client.clone()).get(&node).await;
    reading(&format!("GET nodes {node}"), labels).map(|it| it.labels().clone())
}

/// Reads the labels that policies select the Pod by, and all policies of its namespace.
async fn network(client: &Client, found: &Reading<Option<v1::Pod>>) -> Reading<PodNetwork> {
    let Seen::Known(Some(pod)) = &found.seen else {
        return found.as_ref().map(|_| PodNetwork::default());
    };
    let namespace = pod.namespace().unwrap_or_default();
    let api = Api::<networking::v1::NetworkPolicy>::namespaced(client.clone(), &namespace);
    let request = format!("GET networkpolicies of {namespace}");
    let all = reading(&request, list(&api, ListParams::default()).await);
    all.try_map(|all| {
        let policies = all.iter().map(read).collect::<Result<_, _>>()?;
        Ok::<_, serde_json::Error>(PodNetwork {
            labels: Some(pod.labels().clone()),
            policies,
        })
    })
}

fn read(policy: &networking::v1::NetworkPolicy) -> Result<NetworkPolicy, serde_json::Error> {
    serde_json::from_value(serde_json::to_value(policy)?)
}

#[cfg(test)]
mod tests;
