//! One broken world for each check, and one that cannot be seen where the check reads something.

use super::*;
use crate::facts::whole::{cluster, cluster_reading, repository};
use crate::facts::{
    DenyRule, FoundGrant, Pod, ProjectFacts, RepositoryFacts, ServiceName, Source, UseFacts,
};
use crate::policy::{Condition, DOWNLOAD, Policy};
use crate::repository::ImageAddress;
use crate::setup::Terraform;
use crate::setup::repair::tests::mends;

/// A check, what it should say, and the change that breaks its link.
pub(super) type Case = (&'static str, Status, &'static str, fn(&mut Facts));

fn cases() -> impl Iterator<Item = &'static Case> {
    let of_the_cloud = broken_cloud::CASES.iter().chain(broken_grants::CASES);
    let above = broken_organisation::CASES.iter();
    broken_pod::CASES.iter().chain(of_the_cloud).chain(above)
}

#[test]
fn each_broken_link_is_found_by_its_check() {
    for (id, status, says, change) in cases() {
        let report = after(change);
        let matching = report
            .results
            .iter()
            .find(|it| it.id == *id && it.status == *status);
        let it =
            matching.unwrap_or_else(|| panic!("{id} is not {status}: {:?}", result(&report, id)));
        assert!(
            it.says.contains(says),
            "{id} says {:?}, not {says:?}",
            it.says
        );
    }
}

#[test]
fn every_check_has_a_case_that_does_not_pass_as_whole() {
    let with_case: BTreeSet<_> = cases().map(|it| it.0).collect();
    let all: BTreeSet<_> = CHECKS.iter().map(|it| it.id).collect();
    assert_eq!(with_case, all);
}

/// Checks that only warn, or only say something: the chain holds all the same.
const NEVER_FAILING: &[&str] = &[
    "API-RESOURCEMANAGER",
    "API-SERVICEUSAGE",
    "AR-IMMUTABLE",
    "AR-ISOLATION",
    "AR-REST",
    "AR-TEST",
    "AUDITLOG",
    "ENV-CREDENTIALS",
    "ENV-PROXY",
    "FALLBACK-MODE",
    "GSA-ORPHAN",
    "GSA-UNUSED",
    "MDS-LATENCY",
    "ORGPOL-HARDENING",
    "POOL-PROJECT",
    "PUBSUB",
    "QUOTA-GSA",
    "SAMENESS",
];

#[test]
fn every_other_check_fails_where_its_link_is_broken() {
    let failing: BTreeSet<_> = cases()
        .filter(|it| it.1 == Status::Fail)
        .map(|it| it.0)
        .collect();
    let all: BTreeSet<_> = CHECKS.iter().map(|it| it.id).collect();
    let never: BTreeSet<_> = all.difference(&failing).copied().collect();
    assert_eq!(never, NEVER_FAILING.iter().copied().collect());
}

/// Checks of which some repair is nothing that Terraform could declare.
const WITHOUT_TERRAFORM: &[&str] = &[
    "AR-ADDRESS",
    "AR-PULL",
    "AR-REPO",
    "CLOCK",
    "CLUSTER-STATUS",
    "K8S-NODE",
    "MDS-EMAIL",
    "MDS-FLAVOR",
    "MDS-LATENCY",
    "MDS-PROJECT",
    "MDS-REACH",
    "MDS-TOKEN",
];

#[test]
fn what_fails_says_how_to_mend_it() -> anyhow::Result<()> {
    let (mut written, mut without) = (BTreeSet::new(), BTreeSet::new());
    for (_, _, _, change) in cases() {
        for it in after(change).results {
            let is_bad = matches!(it.status, Status::Fail | Status::Warn);
            let what = format!("{} ({})", it.id, it.says);
            let Some(fix) = it.fix else {
                assert!(!is_bad, "{what} says not how to mend it");
                continue;
            };
            mends(&fix, &what);
            match fix.terraform {
                Terraform::Written(text) => written.insert(text),
                Terraform::Never { .. } => without.insert(it.id),
            };
        }
    }
    assert_eq!(without, WITHOUT_TERRAFORM.iter().copied().collect());
    loopback_servers::terraform::accepts_each(written.iter().map(String::as_str))
}

pub(super) fn known<T>(value: T) -> Reading<T> {
    Reading::known_from("GET https://example.test/", value)
}

pub(super) fn denied<T>() -> Reading<T> {
    refused("IAM_PERMISSION_DENIED", "it is denied on resource")
}

pub(super) fn env(facts: &mut Facts, name: &str, value: &str) {
    match &mut facts.pod.environment.seen {
        Seen::Known(all) => _ = all.insert(name.to_owned(), value.to_owned()),
        other => panic!("{other:?}"),
    }
}

pub(super) fn pod(facts: &mut Facts) -> &mut Pod {
    match &mut facts.pod.pod.seen {
        Seen::Known(pod) => pod,
        other => panic!("{other:?}"),
    }
}

pub(super) fn annotate(facts: &mut Facts) {
    facts.pod.account_annotations =
        known([(crate::audit::ANNOTATION.to_owned(), "x@y".to_owned())].into());
}

/// Denies a permission to somebody at a place.
pub(super) fn deny(facts: &mut Facts, place: &str, permission: &str, principal: &str) {
    let rules = vec![DenyRule {
        policy: "policies/cloudresourcemanager.googleapis.com%2Fx/denypolicies/strict".to_owned(),
        denied_permissions: vec![permission.to_owned()],
        denied_principals: vec![principal.to_owned()],
        ..DenyRule::default()
    }];
    facts.deny_rules.insert(place.to_owned(), known(rules));
}

/// Fences the Pod in with one policy that has these rules, written as Kubernetes does.
pub(super) fn fence(facts: &mut Facts, rules: &str) {
    let rules: serde_json::Value = serde_json::from_str(rules).expect("rules");
    let spec = serde_json::json!({"podSelector": {}, "policyTypes": ["Egress"], "egress": rules});
    facts.pod.network = known(crate::facts::whole::network(&[spec]));
}

pub(super) fn gke(facts: &mut Facts, change: impl FnOnce(&mut crate::facts::Cluster)) {
    let mut one = cluster("one");
    change(&mut one);
    facts.cluster = cluster_reading(one);
}

pub(super) fn home_grant(facts: &mut Facts, role: &str, member: &str) {
    facts.home_policy = known(granting(role, member));
}

pub(super) fn off(facts: &mut Facts, id: &str, service: &str) {
    let name = ServiceName {
        project: project(id),
        service: service.to_owned(),
    };
    facts.services.insert(name, known(false));
}

/// Switches the service off that knows which services are on.
pub(super) fn without_service_usage(facts: &mut Facts) {
    for reading in facts.services.values_mut() {
        *reading = refused(
            "SERVICE_DISABLED",
            "Service Usage API has not been used in project 4711 before or it is disabled",
        );
    }
}

pub(super) fn web(facts: &mut Facts) -> &mut ProjectFacts {
    facts.projects.get_mut("web").expect("web")
}

pub(super) fn web_use(facts: &mut Facts) -> &mut UseFacts {
    web(facts).uses.values_mut().next().expect("a use")
}

pub(super) fn web_grant(facts: &mut Facts, role: &str, member: &str) {
    let mut policy = granting(crate::policy::TIGHT_MINTER, &controller().to_string());
    policy.add(role, member);
    web(facts).policy = known(policy);
}

/// A policy with one grant that counts only under a condition.
pub(super) fn while_it_holds(role: &str, member: &str, expression: &str) -> Policy {
    let mut policy = granting(role, member);
    policy.bindings[0].condition = Some(Condition {
        expression: expression.to_owned(),
        ..Condition::default()
    });
    policy
}

pub(super) fn disable(facts: &mut Facts) {
    match &mut web(facts).account.seen {
        Seen::Known(account) => account.disabled = true,
        other => panic!("{other:?}"),
    }
}

pub(super) fn found_role(facts: &mut Facts, role: &str) {
    web(facts).grants = known(vec![FoundGrant {
        resource: "//cloudresourcemanager.googleapis.com/projects/acme-gke".to_owned(),
        role: role.to_owned(),
        seen_at: Source::new("GET https://example.test/", Some(200)),
    }]);
}

pub(super) fn apps(facts: &mut Facts) -> &mut RepositoryFacts {
    facts
        .repositories
        .get_mut(&repository("apps"))
        .expect("apps")
}

pub(super) fn subscribe(facts: &mut Facts, address: &str) {
    facts
        .intent
        .projects
        .get_mut("web")
        .expect("web")
        .push(address.to_owned());
}

pub(super) fn former(facts: &mut Facts, state: &str) {
    let address = "eu.gcr.io/acme-art/web";
    subscribe(facts, address);
    let name = ImageAddress::parse(address).expect("an address").repository;
    let seen = RepositoryFacts {
        redirection: known(state.to_owned()),
        ..RepositoryFacts::default()
    };
    facts.repositories.insert(name, seen);
}

/// Lets the account of `web` read what only `shop` uses.
pub(super) fn reads_shop(facts: &mut Facts) {
    let reads = known(vec![DOWNLOAD.to_owned()]);
    let foreign = &mut web(facts).foreign_permissions;
    foreign.insert(repository("shop"), reads);
}

pub(super) fn reads_itself(facts: &mut Facts) {
    facts
        .pod
        .direct_permissions
        .insert(repository("apps"), known(vec![DOWNLOAD.to_owned()]));
}
