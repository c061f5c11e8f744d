//! Changing clusters and node pools, as far as it decides about identities. Operations are done before they are heard of,
//! unless a fault says otherwise.
//!
//! Sources: <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters/update>,
//! <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters.nodePools/update>

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::At;
use crate::apis::Answer;
use crate::google::Progress;
use crate::refusal::Refusal;
use crate::world::{Cluster, World};

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
    let on = !pool.is_empty();
    let target = cluster.url(&at.project.id);
    Ok(operate(at, name, &target, move |cluster| {
        cluster.workload_identity = on;
    }))
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
    let target = format!("{}/nodePools/{pool}", cluster.url(&at.project.id));
    let pool = pool.to_owned();
    Ok(operate(at, name, &target, move |cluster| {
        let pools = cluster.node_pools.iter_mut();
        for own in pools.filter(|own| own.name == pool) {
            mode.clone_into(&mut own.workload_metadata);
        }
    }))
}

/// Shows an operation; of one that was done at once only that it is done.
pub(super) fn operation(at: &At<'_>, name: &str) -> Answer {
    at.may("container.operations.get", "operations")?;
    Ok(show(at, name, at.google.progress(name)))
}

/// Changes a cluster at the end of an operation.
fn operate(
    at: &At<'_>,
    cluster: &str,
    target: &str,
    change: impl FnOnce(&mut Cluster) + Send + 'static,
) -> Value {
    let name = format!("operation-{}", hex::encode(rand::random::<[u8; 8]>()));
    let (project, location) = (at.project.id.clone(), at.location.to_owned());
    let cluster = cluster.to_owned();
    let about = format!("projects/{project}/locations/{location}/clusters/{cluster}");
    let change = move |world: &mut World| {
        let clusters = world.project_mut(&project).map(|it| it.clusters.iter_mut());
        let mut clusters = clusters.into_iter().flatten();
        if let Some(found) = clusters.find(|it| it.name == cluster && it.location == location) {
            change(found);
        }
    };
    let progress = at.google.operate(&name, &about, Value::Null, change);
    let mut operation = show(at, &name, progress);
    operation["targetLink"] = json!(target);
    operation["startTime"] = json!(at.google.now());
    operation
}

fn show(at: &At<'_>, name: &str, progress: Progress) -> Value {
    let enums = at.call.enums();
    let status = match progress {
        Progress::Running => enums.write("RUNNING", 2),
        Progress::Done(_) | Progress::Failed(_) => enums.write("DONE", 3),
    };
    let mut operation = json!({
        "name": name, "operationType": enums.write("UPDATE_CLUSTER", 4), "status": status,
        "location": at.location, "selfLink": link(at, name),
    });
    if progress != Progress::Running {
        operation["endTime"] = json!(at.google.now());
    }
    if let Progress::Failed(failure) = progress {
        operation["error"] = failure.to_json();
    }
    operation
}

fn link(at: &At<'_>, name: &str) -> String {
    format!(
        "https://container.googleapis.com/v1/projects/{}/locations/{}/operations/{name}",
        at.project.number, at.location
    )
}
