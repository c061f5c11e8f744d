//! Rules about the cluster, its neighbours, its nodes and the organisation around them.

use std::collections::BTreeSet;

use super::controller::{each_wide_policy, revoke};
use super::{Found, Severity};
use crate::facts::{Cluster, Facts, Gap, Home, Source};
use crate::policy::{Carries, Member, Policy, UPLOAD, is_basic, is_service_agent_role};
use crate::principal::{KubernetesAccount, ServiceAccountEmail};
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
    let own = facts
        .cluster
        .known()
        .map(|it| (it.location.clone(), it.name.clone()))
        .ok();
    let others = clusters
        .iter()
        .filter(|it| own.as_ref() != Some(&(it.location.clone(), it.name.clone())));
    // Where the own cluster is not known, one of those listed is it.
    let unknown_self = usize::from(own.is_none());
    let mut others = others
        .filter(|it| it.has_workload_identity())
        .skip(unknown_self)
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
        for grant in policy.grants().filter(|it| is_service_agent_role(it.role)) {
            if !is_agent(&grant.member) {
                let says = format!(
                    "{} has {}, which is for Google's own service agents",
                    grant.text, grant.role
                );
                let fix = revoke(resource, grant.role, grant.text);
                found.add(Severity::High, resource, says, &reading.source, fix);
            }
        }
    });
}

/// A19: whoever leaves a Pod for its node has what the node has.
pub(super) fn node_accounts(facts: &Facts, found: &mut Found) {
    let (home, cluster, policy) = match (
        facts.home.known(),
        facts.cluster.known(),
        facts.home_policy.known(),
    ) {
        (Ok(home), Ok(cluster), Ok(policy)) => (home, cluster, policy),
        (Err(gap), ..) | (_, Err(gap), _) | (.., Err(gap)) => return found.gap("nodes", gap),
    };
    for pool in &cluster.node_pools {
        let account = node_account(home, &pool.config.service_account);
        let policies = facts.repositories.iter().filter_map(|(name, seen)| {
            let policy = seen.policy.known().ok()?;
            let resource = Resource::Repository(name.clone());
            Some((resource, policy, &seen.policy.source))
        });
        let wide = Resource::Project(home.project.clone());
        let wide = std::iter::once((wide, policy, &facts.home_policy.source));
        let nodes = Nodes {
            home,
            cluster,
            pool: &pool.name,
            account: &account,
        };
        for (place, policy, seen_at) in wide.chain(policies) {
            excess_of_nodes(facts, found, nodes, (&place, policy, seen_at));
        }
    }
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

fn is_agent(member: &Member) -> bool {
    let Member::ServiceAccount(email) = member else {
        return matches!(member, Member::Deleted(_));
    };
    ServiceAccountEmail::parse(email).is_ok_and(|it| it.is_service_agent())
}
