//! Checks of the cluster and its nodes, as the GKE API tells of them.

use super::{Answer, Status, Verdict};
use crate::audit::node_account;
use crate::facts::{Facts, Home};
use crate::policy::{Member, TIGHT_MINTER};
use crate::principal::{Principal, ProjectId, ServiceAccountEmail, WorkloadPool};
use crate::setup::repair::nodes;
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

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
        "RUNNING" if is_before(&cluster.current_master_version, OLDEST) => Verdict::warn(
            &format!(
                "{says}: before 1.21 the metadata server is at 127.0.0.1:988, where the checks of its way do not look"
            ),
            nodes::upgrade(facts, cluster),
        ),
        "RUNNING" => Verdict::pass(&says),
        "RECONCILING" | "PROVISIONING" => Verdict::warn(&says, nodes::wait_for(facts, cluster)),
        _ => Verdict::fail(&says, nodes::look_at(facts, cluster)),
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
    let says = format!("{} has no workload pool", cluster.name);
    Ok(Verdict::fail(&says, nodes::workload_pool(facts)).seen(reading))
}

pub(super) fn node_pools(facts: &Facts) -> Answer {
    let reading = &facts.cluster;
    let cluster = reading.known()?;
    let without = cluster.pools_without_metadata_server();
    if without.is_empty() {
        return Ok(Verdict::pass("Pods get their own identity on all of them").seen(reading));
    }
    let names = without
        .iter()
        .map(|it| it.name.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    let says = format!("Pods get the identity of their node on {names}");
    Ok(Verdict::fail(&says, nodes::serve_metadata(facts)).seen(reading))
}

pub(super) fn pool_project(facts: &Facts) -> Answer {
    let reading = &facts.cluster;
    let cluster = reading.known()?;
    let home = facts.home.known()?;
    let owner = cluster.workload_pool().and_then(|it| it.project());
    let verdict = match owner {
        None => Verdict::skip("the cluster does not say which pool it has"),
        Some(owner) if owner == home.project => Verdict::pass(&format!("it belongs to {owner}")),
        Some(owner) => Verdict::warn(
            &format!(
                "it belongs to {owner}, the host of the fleet: grants have to name that pool, accounts are looked for in {}",
                home.project
            ),
            of_the_fleet(facts, home, &owner),
        ),
    };
    Ok(verdict.seen(reading))
}

/// Grants each account to the controller as the pool of another project knows it, whose number stands in the member.
fn of_the_fleet(facts: &Facts, home: &Home, owner: &ProjectId) -> Fix {
    let known = facts.principal();
    let principal = known.clone().unwrap_or_else(|_| Principal {
        number: home.number,
        pool: WorkloadPool::of(owner),
        account: facts.intent.controller.clone(),
    });
    let accounts = facts.intent.projects.keys();
    let accounts = accounts.filter_map(|it| facts.account_of(it).ok()?.ok());
    let grants: Vec<_> = accounts
        .map(|email| {
            let account = Resource::ServiceAccount(email);
            let controller = Grantee::Kubernetes(principal.clone());
            Action::Grant(RoleGrant::new(account, TIGHT_MINTER, controller))
        })
        .collect();
    let number = format!("gcloud projects describe {owner} --format='value(projectNumber)'");
    if grants.is_empty() {
        return Fix::commands(&[number])
            .without_terraform("no Project is known whose account could be granted");
    }
    let mut fix = Fix::by(grants);
    if known.is_ok() {
        return fix;
    }
    // The number of the pool's project is asked for, as Terraform does by its data source.
    let own = format!("projects/{}/locations", home.number);
    let asked = format!("projects/$({number})/locations");
    fix.commands = fix.commands.replace(&own, &asked);
    fix
}

/// Nodes that are Editor of their project fail; whatever else they have too much warns.
pub(super) fn node_accounts(facts: &Facts) -> Answer {
    let mut verdict = super::by_rules(facts, &["A19"])?;
    let (home, policy) = (facts.home.known()?, facts.home_policy.known()?);
    let pools = facts.cluster.known()?.node_pools.iter();
    let is_editor = |email: &str| {
        let member = Member::ServiceAccount(email.to_owned());
        let mut grants = policy.grants().filter(|it| it.member == member);
        grants.any(|it| matches!(it.role, "roles/editor" | "roles/owner"))
    };
    let mut accounts = pools.map(|it| node_account(home, &it.config.service_account));
    let is_default =
        |it: &str| ServiceAccountEmail::parse(it).is_ok_and(|it| it.is_default_compute());
    if accounts.any(|it| is_default(&it) && is_editor(&it)) {
        verdict.status = Status::Fail;
    }
    Ok(verdict)
}

/// Says whether a version such as `1.33.2-gke.100` is older; one that cannot be read is not.
fn is_before(version: &str, oldest: (u32, u32)) -> bool {
    let mut parts = version.split(['.', '-']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < oldest,
        _ => false,
    }
}
