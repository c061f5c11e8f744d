//! Sets constraints of an organisation on a project, and leaves alone what else its policy says.
//!
//! Source: <https://cloud.google.com/resource-manager/docs/reference/orgpolicy/rest/v2/projects.policies>

use gcp::facts::{Reading, Seen};
use gcp::principal::ProjectId;
use gcp::setup::Wish;
use gcp::{Apis, Service};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::step::{Ended, StepError, answered};

/// What is set on the project itself; members that are not known here are sent back as they came.
#[derive(Deserialize, Default, PartialEq)]
#[serde(default)]
struct Policy {
    etag: Option<String>,
    spec: Map<String, Value>,
}

/// Sets a constraint on a project. Of what was set there before, the one rule that holds without a condition gives way;
/// rules under a condition, what is inherited and the dry run stay.
///
/// One attempt: a conflict is for the caller to try again, from the reading on.
pub(super) async fn set(
    apis: &Apis,
    project: &ProjectId,
    constraint: &str,
    wish: Wish,
) -> Result<Ended, StepError> {
    let name = format!("projects/{project}/policies/{constraint}");
    let found: Reading<Policy> = apis.get(Service::OrgPolicy, &format!("/v2/{name}")).await;
    let written: Reading<Value> = if found.seen == Seen::Absent {
        let body = json!({"name": name, "spec": {"rules": [rule(wish)]}});
        let path = format!("/v2/projects/{project}/policies");
        apis.post(Service::OrgPolicy, &path, &body).await
    } else {
        let Policy { etag, spec } = answered(found)?;
        let body = json!({"name": name, "etag": etag, "spec": with_rule(spec, wish)});
        // Without a mask all of the policy would be written anew, the dry run included.
        let path = format!("/v2/{name}?updateMask=spec");
        apis.patch(Service::OrgPolicy, &path, &body).await
    };
    answered(written).map(|_| Ended::Done)
}

fn rule(wish: Wish) -> Value {
    match wish {
        Wish::Enforce => json!({"enforce": true}),
        Wish::DenyAll => json!({"denyAll": true}),
    }
}

/// Puts the rule in the place of those that always hold. A policy that resets what is above may have no rules.
fn with_rule(mut spec: Map<String, Value>, wish: Wish) -> Map<String, Value> {
    let before = spec.remove("rules").unwrap_or_default();
    let before = before.as_array().into_iter().flatten();
    let conditional = before.filter(|it| it.get("condition").is_some());
    let rules = std::iter::once(rule(wish)).chain(conditional.cloned());
    spec.insert("rules".to_owned(), rules.collect());
    spec.remove("reset");
    spec
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gcp::apply::scripted::{Scripted, acme, refusal};

    const CONSTRAINT: &str = "iam.workloadIdentityPoolProviders";
    const POLICY: &str = "/v2/projects/acme-gke/policies/iam.workloadIdentityPoolProviders";

    async fn set(google: &Scripted) -> Result<Ended, StepError> {
        super::set(&google.apis(), &acme(), CONSTRAINT, Wish::DenyAll).await
    }

    #[tokio::test]
    async fn of_a_policy_that_is_there_only_the_rule_that_always_holds_gives_way() {
        let exception = json!({"values": {"allowedValues": ["https://ci.acme.example"]},
            "condition": {"expression": "resource.matchTag('7/ci', 'yes')"}});
        let before = json!({
            "name": "projects/4711/policies/x", "etag": "E1",
            "spec": {"etag": "E1", "inheritFromParent": true, "rules": [{"allowAll": true}, exception]},
            "dryRunSpec": {"rules": [{"denyAll": true}]},
        });
        let google = Scripted::start([(200, before), (200, json!({}))]).await;
        set(&google).await.expect("it is set");
        let written = format!("PATCH {POLICY}?updateMask=spec");
        assert_eq!(google.asked(), [format!("GET {POLICY}"), written]);
        let wanted = json!({
            "name": POLICY.trim_start_matches("/v2/"), "etag": "E1",
            "spec": {"etag": "E1", "inheritFromParent": true, "rules": [{"denyAll": true}, exception]},
        });
        assert_eq!(google.sent(), [Value::Null, wanted]);
    }

    #[tokio::test]
    async fn a_policy_that_resets_gets_the_rule_in_its_place() {
        let before = json!({"etag": "E1", "spec": {"reset": true}});
        let google = Scripted::start([(200, before), (200, json!({}))]).await;
        set(&google).await.expect("it is set");
        assert_eq!(
            google.sent()[1]["spec"],
            json!({"rules": [{"denyAll": true}]})
        );
    }

    #[tokio::test]
    async fn where_nothing_is_set_the_policy_is_made() {
        let missing = refusal(404, "NOT_FOUND", "Policy was not found.");
        let google = Scripted::start([missing, (200, json!({}))]).await;
        set(&google).await.expect("it is set");
        let made = "POST /v2/projects/acme-gke/policies";
        assert_eq!(google.asked(), [format!("GET {POLICY}"), made.to_owned()]);
    }

    #[tokio::test]
    async fn whoever_was_faster_is_read_and_not_overwritten() {
        let before = json!({"etag": "E1", "spec": {"rules": [{"allowAll": true}]}});
        let conflict = refusal(409, "ABORTED", "The policy was changed at the same time.");
        let google = Scripted::start([(200, before), conflict]).await;
        let error = set(&google).await.expect_err("somebody was faster");
        assert!(matches!(error, StepError::Conflict), "{error:?}");
        assert_eq!(google.sent()[1]["etag"], "E1");
    }
}
