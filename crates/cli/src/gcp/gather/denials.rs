//! What is denied whatever was granted: on the controller's project, and on all that stands above it.
//!
//! Only five reads a minute are free, so the places are asked one after the other, and only those that are there.

use std::collections::BTreeMap;

use gcp::facts::{DenyRule, Facts, Reading, Seen};
use gcp::{Apis, Service};
use serde::Deserialize;

/// Reads what is denied on each place; those above are the ones whose policies were asked for.
pub(super) async fn gather(apis: &Apis, facts: &Facts) -> BTreeMap<String, Reading<Vec<DenyRule>>> {
    let Ok(home) = facts.home.known() else {
        return BTreeMap::new();
    };
    let own = format!("projects/{}", home.project);
    let mut denied = BTreeMap::new();
    denied.insert(own.clone(), deny_rules(apis, &own).await);
    for (name, policy) in &facts.ancestor_policies {
        let is_place = name.starts_with("folders/") || name.starts_with("organizations/");
        let rules = if is_place {
            deny_rules(apis, name).await
        } else {
            // What is above could not be listed; that is why its rules are not known either.
            policy.as_ref().map(|_| Vec::new())
        };
        denied.insert(name.clone(), rules);
    }
    denied
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
    deny_rule: Option<Denied>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
#[expect(clippy::struct_field_names, reason = "the words of the API")]
struct Denied {
    denied_principals: Vec<String>,
    denied_permissions: Vec<String>,
    exception_principals: Vec<String>,
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
            })
        }));
    }
    Reading {
        source,
        seen: Seen::Known(rules),
    }
}
