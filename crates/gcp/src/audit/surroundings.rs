//! Rules about the cluster, its neighbours, its nodes and the organisation around them.

use std::collections::BTreeSet;

use super::places::{Held, each_wide_policy, roles};
use super::{Found, Severity, minters, repositories};
use crate::facts::{Cluster, Facts, Gap, Home, NodePool, Source};
use crate::policy::{Carries, Member, Policy, UPLOAD, is_basic, is_service_agent_role};
use crate::principal::KubernetesAccount;
use crate::setup::repair::nodes::{narrow, project_of_its_own};
use crate::setup::{Action, BASELINE, Fix, Grantee, Resource, RoleGrant};

/// The services whose reads are calls for tokens.
pub(crate) const LOGGED: &[&str] = &["iam.googleapis.com", "sts.googleapis.com"];

/// A15: the pool is the project's, not the cluster's.
pub(super) fn sameness(facts: &Facts, found: &mut Found) {
    let clusters = match facts.clusters.known() {
        Ok(clusters) => clusters,
        Err(gap) => return found.gap("other clusters", gap),
    };
    for zone in &facts.missing_zones {
        let gap = Gap {
            source: facts.clusters.source.clone(),
            why: "the zone did not answer".to_owned(),
            skipped: false,
        };
        found.gap(format!("clusters in {zone}"), gap);
    }
    let same_pool: Vec<_> = clusters
        .iter()
        .filter(|it| it.has_workload_identity())
        .collect();
    if same_pool.is_empty() {
        return;
    }
    let own = match facts.cluster.known() {
        Ok(own) => (&own.location, &own.name),
        // Which of those listed is the own one is not known, and a single one may well be it.
        Err(_) if same_pool.len() == 1 => return,
        Err(gap) => return found.gap("which cluster is the controller's", gap),
    };
    let mut others = same_pool
        .into_iter()
        .filter(|it| own != (&it.location, &it.name))
        .peekable();
    if others.peek().is_none() {
        return;
    }
    let projects = acting_projects(facts, found);
    for cluster in others {
        shared_names(facts, found, cluster, &projects);
    }
}

/// Lists the Kubernetes accounts that Projects act as, with the Project of each.
fn acting_projects<'a>(facts: &'a Facts, found: &mut Found) -> Vec<(&'a str, KubernetesAccount)> {
    let mut acting = Vec::new();
    for project in facts.projects.keys() {
        match facts.acting_as(project) {
            Ok(Some(principal)) => acting.push((project.as_str(), principal.account)),
            Err(gap) if !gap.skipped => found.gap(format!("who acts for {project}"), gap),
            Ok(None) | Err(_) => {}
        }
    }
    acting
}

/// Says which names mean the same in another cluster as they do here.
fn shared_names(
    facts: &Facts,
    found: &mut Found,
    cluster: &Cluster,
    projects: &[(&str, KubernetesAccount)],
) {
    let controller = &facts.intent.controller;
    let of_controller = format!(
        "{controller} in cluster {} is the same identity as the controller here",
        cluster.name
    );
    let of_projects = projects
        .iter()
        .map(|(project, account)| format!("{account} there is who {project} acts as here"));
    let says: Vec<_> = std::iter::once(of_controller).chain(of_projects).collect();
    let accounts = projects.iter().map(|(_, account)| account);
    let namespaces: BTreeSet<_> = std::iter::once(controller)
        .chain(accounts)
        .map(|it| it.namespace.as_str())
        .collect();
    let several = if namespaces.len() == 1 { "" } else { "s" };
    let namespaces: Vec<_> = namespaces.into_iter().collect();
    let namespaces = namespaces.join(", ");
    let fix = project_of_its_own(cluster).and_advice(&format!(
        "move clusters that trust each other less into projects of their own, or keep namespace{several} {namespaces} out of {}",
        cluster.name
    ));
    found.add(
        Severity::Medium,
        &cluster.name,
        says.join("; "),
        &facts.clusters.source,
        fix,
    );
}

/// A18
pub(super) fn agent_roles(facts: &Facts, found: &mut Found) {
    each_wide_policy(facts, found, |found, resource, policy, reading| {
        for held in roles(resource, policy, &reading.source) {
            agent_role(facts, found, &held);
        }
    });
    minters::each_policy(facts, found, |found, seen| {
        for held in seen.roles() {
            agent_role(facts, found, &held);
        }
    });
    repositories::each_policy(facts, found, |found, repository, policy, seen_at| {
        for held in roles(&Resource::Repository(repository.clone()), policy, seen_at) {
            agent_role(facts, found, &held);
        }
    });
}

/// Finds one role if it is an agent's and its holder is none.
fn agent_role(facts: &Facts, found: &mut Found, held: &Held<'_>) {
    let (role, member) = (held.grant.role, &held.grant.member);
    let is_agents = member.is_agent() || matches!(member, Member::Deleted(_));
    if is_service_agent_role(role) && !is_agents {
        let text = held.grant.text;
        let says = format!("{text} has {role}, which is for Google's own service agents");
        let fix = held.take_back(facts);
        found.add(Severity::High, &held.place, says, held.seen_at, fix);
    }
}

/// A19: whoever leaves a Pod for its node has what the node has.
pub(super) fn node_accounts(facts: &Facts, found: &mut Found) {
    let (home, cluster) = match (facts.home.known(), facts.cluster.known()) {
        (Ok(home), Ok(cluster)) => (home, cluster),
        (Err(gap), _) | (_, Err(gap)) => return found.gap("nodes", gap),
    };
    let of_pool = |pool: &NodePool| {
        let account = node_account(home, &pool.config.service_account);
        (pool.name.clone(), account)
    };
    let pools: Vec<_> = cluster.node_pools.iter().map(of_pool).collect();
    let nodes = |(pool, account)| Nodes {
        home,
        cluster,
        pool,
        account,
    };
    each_wide_policy(facts, found, |found, resource, policy, reading| {
        for (pool, account) in &pools {
            let nodes = nodes((pool, account));
            excess_of_nodes(facts, found, nodes, (resource, policy, &reading.source));
        }
    });
    repositories::each_policy(facts, found, |found, repository, policy, seen_at| {
        let resource = Resource::Repository(repository.clone());
        for (pool, account) in &pools {
            let nodes = nodes((pool, account));
            excess_of_nodes(facts, found, nodes, (&resource, policy, seen_at));
        }
    });
}

/// The nodes of one pool, and the account that they run as.
#[derive(Debug, Clone, Copy)]
struct Nodes<'a> {
    home: &'a Home,
    cluster: &'a Cluster,
    pool: &'a str,
    account: &'a str,
}

/// Finds the roles of nodes on one resource by which whoever takes one over writes, or does anything.
fn excess_of_nodes(
    facts: &Facts,
    found: &mut Found,
    nodes: Nodes<'_>,
    (place, policy, seen_at): (&Resource, &Policy, &Source),
) {
    let Nodes { pool, account, .. } = nodes;
    let is_node = |it: &Member| *it == Member::ServiceAccount(account.to_owned());
    for grant in policy.grants().filter(|it| is_node(&it.member)) {
        let writes = facts.custom_roles.carries(grant.role, UPLOAD);
        if writes == Carries::Yes || is_basic(grant.role) {
            let says = format!(
                "nodes of {pool} are {account}, which has {} on {place}",
                grant.role
            );
            let member = Grantee::Member(grant.text.to_owned());
            let excess = RoleGrant::new(place.clone(), grant.role, member);
            let fix = narrow(nodes.home, nodes.cluster, pool, &excess);
            found.add(Severity::Medium, pool, says, seen_at, fix);
        } else if writes == Carries::Unknown {
            found.unread_role(pool, seen_at, grant.role);
        }
    }
}

/// A21
pub(super) fn baseline(facts: &Facts, found: &mut Found) {
    let home = match facts.home.known() {
        Ok(home) => home,
        Err(gap) => return found.gap("organisation policies", gap),
    };
    for wanted in BASELINE {
        match facts.baseline_met(wanted) {
            Ok(true) => {}
            Ok(false) => {
                let says = format!(
                    "{} is not in force; it would prevent {}",
                    wanted.constraint, wanted.prevents
                );
                let fix = Fix::by(vec![wanted.action(&home.project)]);
                let seen_at = facts
                    .organisation
                    .get(wanted.constraint)
                    .map(|it| it.source.clone());
                found.add(
                    Severity::Medium,
                    wanted.constraint,
                    says,
                    &seen_at.unwrap_or_default(),
                    fix,
                );
            }
            Err(gap) => found.gap(wanted.constraint, gap),
        }
    }
}

/// A23
pub(super) fn audit_logs(facts: &Facts, found: &mut Found) {
    let (home, policy) = match (facts.home.known(), facts.home_policy.known()) {
        (Ok(home), Ok(policy)) => (home, policy),
        (Err(gap), _) | (_, Err(gap)) => return found.gap("audit logs", gap),
    };
    for service in LOGGED.iter().filter(|it| !policy.logs_reads_of(it)) {
        let says = format!("reads of {service} are not logged in {}", home.project);
        let fix = Fix::by(vec![Action::LogReads {
            project: home.project.clone(),
            service: (*service).to_owned(),
            logged: Some(policy.logs_of(service)),
        }])
        .and_advice("argosy gcp setup --audit-logs --apply does it; Google charges for such logs by their volume");
        found.add(
            Severity::Low,
            format!("projects/{}", home.project),
            says,
            &facts.home_policy.source,
            fix,
        );
    }
}

/// Spells out the account of nodes for which nobody chose one.
pub(crate) fn node_account(home: &Home, configured: &str) -> String {
    match configured {
        "" | "default" => format!("{}-compute@developer.gserviceaccount.com", home.number),
        chosen => chosen.to_owned(),
    }
}
