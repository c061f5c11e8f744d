//! Checks of the cluster and its nodes, as the GKE API tells of them.

use super::{Answer, Verdict};
use crate::facts::{ClusterName, Facts};
use crate::principal::WorkloadPool;
use crate::setup::{Action, Fix};

/// Since when the metadata server is where network policies are told to let it be reached.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/network-policy#network-policy-and-workload-identity>
const OLDEST: (u32, u32) = (1, 21);

pub(super) fn status(facts: &Facts) -> Answer {
    let reading = &facts.cluster;
    let cluster = reading.known()?;
    let says = format!(
        "{} is {}, version {}",
        cluster.name, cluster.status, cluster.current_master_version
    );
    Ok(match cluster.status.as_str() {
        "RUNNING" if is_before(&cluster.current_master_version, OLDEST) => Verdict::warn(&format!(
            "{says}: before 1.21 the metadata server is at 127.0.0.1:988, where the checks of its way do not look"
        ))
        .fix(Fix::command(&format!(
            "gcloud container clusters upgrade {} --location={} --master\n",
            cluster.name, cluster.location
        ))),
        "RUNNING" => Verdict::pass(&says),
        "RECONCILING" | "PROVISIONING" => Verdict::warn(&says),
        _ => Verdict::fail(&says).fix(Fix::advice(
            "look at the cluster in the console: its own conditions say more",
        )),
    }
    .seen(reading))
}

pub(super) fn workload_pool(facts: &Facts) -> Answer {
    let reading = &facts.cluster;
    let cluster = reading.known()?;
    if cluster.has_workload_identity() {
        let pool = &cluster.workload_identity_config.workload_pool;
        return Ok(Verdict::pass(&format!("{} has {pool}", cluster.name)).seen(reading));
    }
    let home = facts.home.known()?;
    let fix = Fix::by(vec![Action::SetWorkloadPool {
        cluster: ClusterName::new(&home.project, cluster),
        pool: WorkloadPool::of(&home.project),
    }]);
    Ok(
        Verdict::fail(&format!("{} has no workload pool", cluster.name))
            .seen(reading)
            .fix(fix),
    )
}

pub(super) fn node_pools(facts: &Facts) -> Answer {
    let reading = &facts.cluster;
    let cluster = reading.known()?;
    let without = cluster.pools_without_metadata_server();
    if without.is_empty() {
        return Ok(Verdict::pass("Pods get their own identity on all of them").seen(reading));
    }
    let home = facts.home.known()?;
    let actions = without.iter().map(|pool| Action::SetNodePoolMetadata {
        cluster: ClusterName::new(&home.project, cluster),
        node_pool: pool.name.clone(),
    });
    let fix = Fix::by(actions.collect()).and_advice(
        "nodes are made anew, and Pods that relied on the node's identity lose it at once",
    );
    let names = without
        .iter()
        .map(|it| it.name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    Ok(
        Verdict::fail(&format!("Pods get the identity of their node on {names}"))
            .seen(reading)
            .fix(fix),
    )
}

pub(super) fn pool_project(facts: &Facts) -> Answer {
    let reading = &facts.cluster;
    let cluster = reading.known()?;
    let home = facts.home.known()?;
    let owner = cluster.workload_pool().and_then(|it| it.project());
    let verdict = match owner {
        None => Verdict::skip("the cluster does not say which pool it has"),
        Some(owner) if owner == home.project => Verdict::pass(&format!("it belongs to {owner}")),
        Some(owner) => Verdict::warn(&format!(
            "it belongs to {owner}, the host of the fleet: grants have to name that pool, accounts are looked for in {}",
            home.project
        )),
    };
    Ok(verdict.seen(reading))
}

/// Says whether a version such as `1.33.2-gke.100` is older; one that cannot be read is not.
fn is_before(version: &str, oldest: (u32, u32)) -> bool {
    let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < oldest,
        _ => false,
    }
}
