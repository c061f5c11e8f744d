//! Changing clusters and node pools, as far as it decides about identities. Every operation is done before it is heard of.
//!
//! Sources: <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters/update>,
//! <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters.nodePools/update>

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::At;
use crate::apis::Answer;
use crate::refusal::Refusal;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UpdateCluster {
    update: Map<String, Value>,
}

/// Turns Workload Identity Federation of a cluster on or off.
pub(super) fn cluster(at: &At<'_>, name: &str) -> Answer {
    at.may("container.clusters.update", "clusters")?;
    let cluster = at.find(name)?;
    let UpdateCluster { update } = at.call.json()?;
    if let Some(other) = update
        .keys()
        .find(|field| *field != "desiredWorkloadIdentityConfig")
    {
        return Err(Refusal::not_simulated(&format!(
            "cannot change {other} of a cluster"
        )));
    }
    let Some(wanted) = update.get("desiredWorkloadIdentityConfig") else {
        return Err(Refusal::invalid_argument("Must specify a field to update."));
    };
    let pool = wanted["workloadPool"].as_str().unwrap_or_default();
    let own = at.project.cluster_pool();
    if !pool.is_empty() && pool != own {
        let text =
            format!("Workload Identity Pool {pool} is not {own}, the only one that is supported.");
        return Err(Refusal::invalid_argument(text));
    }
    if pool.is_empty() && cluster.autopilot {
        let text = "Workload Identity cannot be disabled on Autopilot clusters.";
        return Err(Refusal::invalid_argument(text));
    }
    change(at, name, |cluster| {
        cluster.workload_identity = !pool.is_empty();
    });
    Ok(done(at, "UPDATE_CLUSTER", &cluster.url(&at.project.id)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct UpdateNodePool {
    workload_metadata_config: Option<MetadataConfig>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetadataConfig {
    mode: Value,
}

/// Names and old spellings of them, which change nothing.
const NAMES: [&str; 5] = ["name", "projectId", "zone", "clusterId", "nodePoolId"];

/// Lets the pods of a node pool see the metadata server of GKE, or the node's.
pub(super) fn node_pool(at: &At<'_>, name: &str, pool: &str) -> Answer {
    at.may("container.clusters.update", "clusters")?;
    let cluster = at.find(name)?;
    at.find_pool(cluster, pool)?;
    let UpdateNodePool {
        workload_metadata_config,
        other,
    } = at.call.json()?;
    if let Some(other) = other.keys().find(|field| !NAMES.contains(&field.as_str())) {
        return Err(Refusal::not_simulated(&format!(
            "cannot change {other} of a node pool"
        )));
    }
    let mode = workload_metadata_config.unwrap_or_default().mode;
    let mode = match (mode.as_str(), mode.as_u64()) {
        (Some("GCE_METADATA"), _) | (_, Some(1)) => "GCE_METADATA",
        (Some("GKE_METADATA"), _) | (_, Some(2)) => "GKE_METADATA",
        _ => return Err(Refusal::invalid_argument("Must specify a field to update.")),
    };
    if mode == "GKE_METADATA" && !cluster.workload_identity && !cluster.autopilot {
        let text = "GKE_METADATA requires Workload Identity to be enabled on the cluster.";
        return Err(Refusal::invalid_argument(text));
    }
    change(at, name, |cluster| {
        let pools = cluster.node_pools.iter_mut();
        for own in pools.filter(|own| own.name == pool) {
            mode.clone_into(&mut own.workload_metadata);
        }
    });
    let target = format!("{}/nodePools/{pool}", cluster.url(&at.project.id));
    Ok(done(at, "UPDATE_CLUSTER", &target))
}

/// Shows an operation, whichever it was.
pub(super) fn operation(at: &At<'_>, name: &str) -> Answer {
    at.may("container.operations.get", "operations")?;
    Ok(
        json!({ "name": name, "status": at.call.enums().write("DONE", 3), "selfLink": link(at, name) }),
    )
}

fn change(at: &At<'_>, name: &str, change: impl FnOnce(&mut crate::world::Cluster)) {
    at.google.change(|world| {
        let clusters = world
            .project_mut(&at.project.id)
            .map(|project| project.clusters.iter_mut());
        let found = clusters
            .into_iter()
            .flatten()
            .find(|it| it.name == name && it.location == at.location);
        if let Some(cluster) = found {
            change(cluster);
        }
    });
}

fn done(at: &At<'_>, kind: &str, target: &str) -> Value {
    let id = hex::encode(rand::random::<[u8; 8]>());
    let name = format!("operation-{id}");
    let (kind, status) = match at.call.enums() {
        crate::call::Enums::Names => (json!(kind), json!("DONE")),
        crate::call::Enums::Numbers => (json!(4), json!(3)),
    };
    json!({
        "name": name, "operationType": kind, "status": status, "location": at.location,
        "selfLink": link(at, &name), "targetLink": target, "startTime": at.google.now(), "endTime": at.google.now(),
    })
}

fn link(at: &At<'_>, name: &str) -> String {
    format!(
        "https://container.googleapis.com/v1/projects/{}/locations/{}/operations/{name}",
        at.project.number, at.location
    )
}
