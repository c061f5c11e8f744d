//! Which refusals are worth another try, and what is said about the others.

use gcp::facts::{Home, ServiceName};
use gcp::principal::ProjectNumber;
use gcp::setup::Plan;
use serde_json::{Value, json};

use super::*;
use crate::gcp::apply::scripted::{Scripted, acme, refusal};

const REQUEST: &str = "POST https://iam.googleapis.com/v1/x:setIamPolicy";
const ORG_POLICY: &str = "orgpolicy.googleapis.com";

fn refused(status: u16, message: &str) -> StepError {
    let body = json!({"error": {"code": status, "message": message}}).to_string();
    let reading: Reading<Value> = Reading::of_refusal(REQUEST, status, &body);
    answered(reading).expect_err("it was refused")
}

fn off(service: &str) -> (u16, Value) {
    let message = format!("{service} has not been used in project 815 before or it is disabled.");
    let details = json!([{"reason": "SERVICE_DISABLED", "metadata": {"service": service}}]);
    let error =
        json!({"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": details});
    (403, json!({ "error": error }))
}

fn is_off(service: &str) -> StepError {
    let (status, body) = off(service);
    let reading: Reading<Value> = Reading::of_refusal(REQUEST, status, &body.to_string());
    answered(reading).expect_err("it is off")
}

fn facts() -> Facts {
    let home = Home {
        project: acme(),
        number: ProjectNumber(4711),
    };
    Facts {
        home: Reading::known_from("--gcp-project", home),
        ..Facts::default()
    }
}

fn switching_on(service: &str) -> Plan {
    Plan {
        actions: vec![Action::EnableServices {
            project: acme(),
            services: vec![service.to_owned()],
        }],
        ..Plan::default()
    }
}

#[test]
fn a_race_and_what_is_too_new_pass_and_a_refusal_stays() {
    let (facts, plan) = (facts(), switching_on("iam.googleapis.com"));
    let planned = Planned {
        facts: &facts,
        plan: &plan,
    };
    for (status, message, passes) in [
        (409, "There were concurrent policy changes", true),
        (404, "Unknown service account", true),
        (400, "Service account web does not exist.", true),
        (
            403,
            "IAM API has not been used in project 4711 before or it is disabled",
            true,
        ),
        (
            403,
            "Permission 'iam.x' denied on resource '//iam/x'",
            false,
        ),
        (
            400,
            "One or more users named in the policy do not belong to a permitted customer",
            false,
        ),
        (500, "internal", false),
    ] {
        assert_eq!(
            refused(status, message).passes(planned),
            passes,
            "{status} {message}"
        );
    }
}

#[test]
fn only_an_api_that_is_switched_on_is_waited_for() {
    let (facts, nothing) = (facts(), Plan::default());
    let mut seen_on = facts.clone();
    let name = ServiceName {
        project: acme(),
        service: ORG_POLICY.to_owned(),
    };
    let on = Reading::known_from("GET services:batchGet", true);
    seen_on.services.insert(name, on);
    let (this, other) = (switching_on(ORG_POLICY), switching_on("iam.googleapis.com"));
    for (facts, plan, passes) in [
        (&facts, &nothing, false),
        (&facts, &other, false),
        (&facts, &this, true),
        (&seen_on, &nothing, true),
    ] {
        let planned = Planned { facts, plan };
        assert_eq!(is_off(ORG_POLICY).passes(planned), passes, "{plan:?}");
    }
}

#[tokio::test]
async fn an_api_that_nobody_switches_on_ends_it_at_once_with_the_command_for_it() {
    let google = Scripted::start([off(ORG_POLICY)]).await;
    let (facts, plan) = (facts(), Plan::default());
    let planned = Planned {
        facts: &facts,
        plan: &plan,
    };
    let action = Action::SetConstraint {
        project: acme(),
        constraint: "iam.disableServiceAccountKeyCreation".to_owned(),
        wish: gcp::setup::Wish::Enforce,
        is_set: None,
    };
    let ended = run(&google.apis(), planned, &action).await;
    let hint = ended.expect_err("it is off").hint(&facts, &action);
    let command = "gcloud services enable orgpolicy.googleapis.com --project=815";
    assert!(hint.contains(command), "{hint}");
    assert_eq!(google.asked().len(), 1);
}

#[tokio::test]
async fn a_policy_that_changed_meanwhile_is_read_again_and_written_to() {
    let first = json!({"etag": "E1", "spec": {"rules": [{"enforce": false}]}});
    let conflict = refusal(409, "ABORTED", "The policy was changed at the same time.");
    let second = json!({"etag": "E2", "spec": {"inheritFromParent": true}});
    let script = [(200, first), conflict, (200, second), (200, json!({}))];
    let google = Scripted::start(script).await;
    let (facts, plan) = (facts(), Plan::default());
    let planned = Planned {
        facts: &facts,
        plan: &plan,
    };
    let action = Action::SetConstraint {
        project: acme(),
        constraint: "iam.workloadIdentityPoolProviders".to_owned(),
        wish: gcp::setup::Wish::DenyAll,
        is_set: None,
    };
    let ended = run(&google.apis(), planned, &action).await;
    assert_eq!(ended.expect("it is set"), Ended::Done);
    let written = &google.sent()[3];
    assert_eq!(written["etag"], "E2");
    assert_eq!(written["spec"]["inheritFromParent"], true);
}
