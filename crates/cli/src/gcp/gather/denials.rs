//! What is denied whatever was granted: on the projects of the controller and of repositories, and on all above them.
//!
//! Only five reads a minute are free, so the places are asked one after the other, and only those that are there.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use gcp::facts::{DenyRule, Facts, Reading, Seen};
use gcp::policy::Condition;
use gcp::principal::ProjectId;
use gcp::{Apis, Service};
use serde::Deserialize;

use super::desk;

/// What is denied, by the name of the place.
type Denied = BTreeMap<String, Reading<Vec<DenyRule>>>;
/// What is above projects, as far as it could be listed.
type Above = BTreeMap<ProjectId, Vec<String>>;

/// Reads what is denied on each place; those above the controller's project are the ones whose policies were asked for.
pub(super) async fn gather(apis: &Apis, facts: &mut Facts) {
    let Ok(home) = facts.home.known() else {
        return;
    };
    let (mut denied, mut above) = (Denied::new(), Above::new());
    let own = format!("projects/{}", home.project);
    look(apis, own, &mut denied).await;
    let names = facts.ancestor_policies.keys();
    if names.clone().all(|it| is_place(it)) {
        above.insert(home.project.clone(), names.cloned().collect());
    }
    for (name, policy) in &facts.ancestor_policies {
        if is_place(name) {
            look(apis, name.clone(), &mut denied).await;
        } else {
            // What is above could not be listed; that is why its rules are not known either.
            denied.insert(name.clone(), policy.as_ref().map(|_| Vec::new()));
        }
    }
    let projects: BTreeSet<_> = facts
        .uses()
        .map(|it| it.address.repository.project)
        .filter(|it| *it != home.project)
        .collect();
    for project in &projects {
        around(apis, project, &mut denied, &mut above).await;
    }
    (facts.deny_rules, facts.above) = (denied, above);
}

/// Reads what is denied on the project of a repository and on all above it.
async fn around(apis: &Apis, project: &ProjectId, denied: &mut Denied, above: &mut Above) {
    look(apis, format!("projects/{project}"), denied).await;
    let listed = desk::ancestry(apis, project).await;
    let Seen::Known(names) = &listed.seen else {
        let unread = listed.map(|_| Vec::new());
        denied.insert(desk::above(project), unread);
        return;
    };
    for name in names {
        look(apis, name.clone(), denied).await;
    }
    above.insert(project.clone(), names.clone());
}

/// Reads what is denied on one place, once.
async fn look(apis: &Apis, name: String, denied: &mut Denied) {
    if let Entry::Vacant(place) = denied.entry(name) {
        let rules = deny_rules(apis, place.key()).await;
        place.insert(rules);
    }
}

fn is_place(name: &str) -> bool {
    name.starts_with("folders/") || name.starts_with("organizations/")
}

#[derive(Deserialize)]
struct DenyPolicy {
    name: String,
    #[serde(default)]
    rules: Vec<WrittenRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenRule {
    deny_rule: Option<WrittenDenial>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenDenial {
    denied_principals: Vec<String>,
    denied_permissions: Vec<String>,
    exception_principals: Vec<String>,
    exception_permissions: Vec<String>,
    denial_condition: Option<Condition>,
}

/// Reads what is denied on one place. A list names policies without their rules, so each is asked for by itself.
///
/// Source: <https://cloud.google.com/iam/docs/reference/rest/v2/policies/listPolicies>
async fn deny_rules(apis: &Apis, name: &str) -> Reading<Vec<DenyRule>> {
    let name = name.replace('/', "%2F");
    let attachment = format!("cloudresourcemanager.googleapis.com%2F{name}");
    let path = format!("/v2/policies/{attachment}/denypolicies");
    let listed: Reading<Vec<DenyPolicy>> = apis.list(Service::Iam, &path, "policies").await;
    let source = listed.source.clone();
    let policies = match listed.seen {
        Seen::Known(policies) => policies,
        seen => return Reading { source, seen }.map(|_: Vec<DenyPolicy>| Vec::new()),
    };
    let mut rules = Vec::new();
    for mut policy in policies {
        if policy.rules.is_empty() {
            let path = format!("/v2/{}", policy.name);
            let whole: Reading<DenyPolicy> = apis.get(Service::Iam, &path).await;
            let source = whole.source.clone();
            policy = match whole.seen {
                Seen::Known(whole) => whole,
                seen => return Reading { source, seen }.map(|_: DenyPolicy| Vec::new()),
            };
        }
        rules.extend(policy.rules.into_iter().filter_map(|rule| {
            let denied = rule.deny_rule?;
            Some(DenyRule {
                policy: policy.name.clone(),
                denied_principals: denied.denied_principals,
                denied_permissions: denied.denied_permissions,
                excepted_principals: denied.exception_principals,
                excepted_permissions: denied.exception_permissions,
                condition: denied.denial_condition.map(|it| it.expression),
            })
        }));
    }
    Reading {
        source,
        seen: Seen::Known(rules),
    }
}
