//! Switches Workload Identity Federation on for a cluster, which touches none of its nodes, and waits until it is on.
//!
//! Source: <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters/update>

use std::time::Duration;

use gcp::facts::{ClusterName, Reading};
use gcp::principal::WorkloadPool;
use gcp::{Apis, Service};
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

use super::step::{Ended, StepError, answered};

/// How long between two looks, and how many: control planes take minutes.
pub(super) const PAUSE: Duration = Duration::from_secs(5);
const LOOKS: usize = 240;

#[derive(Deserialize)]
struct Operation {
    name: String,
    #[serde(default)]
    status: String,
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
}

pub(super) async fn set_pool(
    apis: &Apis,
    cluster: &ClusterName,
    pool: &WorkloadPool,
    pause: Duration,
) -> Result<Ended, StepError> {
    let ClusterName {
        project,
        location,
        cluster,
    } = cluster;
    let place = format!("/v1/projects/{project}/locations/{location}");
    let wanted = json!({"desiredWorkloadIdentityConfig": {"workloadPool": pool.as_str()}});
    let path = format!("{place}/clusters/{cluster}");
    let body = json!({ "update": wanted });
    let mut started: Reading<Operation> = apis.put(Service::Container, &path, &body).await;
    for _ in 0..LOOKS {
        let Operation {
            name,
            status,
            error,
        } = answered(started)?;
        match error {
            Some(Failure { message }) => return Err(StepError::Failed { why: message }),
            None if status == "DONE" => return Ok(Ended::Done),
            None => sleep(pause).await,
        }
        let path = format!("{place}/operations/{name}");
        started = apis.get(Service::Container, &path).await;
    }
    Err(StepError::NoAnswer {
        why: format!("{cluster} was still being updated after 20 minutes"),
    })
}

#[cfg(test)]
mod tests;
