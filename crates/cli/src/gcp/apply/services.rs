//! Switches APIs on, and waits until Google says that they are.
//!
//! Source: <https://cloud.google.com/service-usage/docs/reference/rest/v1/services/batchEnable>

use std::time::Duration;

use gcp::facts::Reading;
use gcp::principal::ProjectId;
use gcp::{Apis, Service};
use serde::Deserialize;
use serde_json::json;

use super::step::{Ended, StepError, answered};

/// How long between two looks, and how many: Google speaks of some minutes.
pub(super) const PAUSE: Duration = Duration::from_secs(2);
const LOOKS: usize = 100;

/// Source: <https://cloud.google.com/service-usage/docs/reference/rest/v1/operations#Operation>
#[derive(Deserialize)]
struct Operation {
    name: String,
    #[serde(default)]
    done: bool,
    /// With `done`: it ended, and in vain. Billing is closed, or an organisation policy restricts services.
    error: Option<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    message: String,
}

pub(super) async fn enable(
    apis: &Apis,
    project: &ProjectId,
    services: &[String],
    pause: Duration,
) -> Result<Ended, StepError> {
    let path = format!("/v1/projects/{project}/services:batchEnable");
    let body = json!({ "serviceIds": services });
    let mut started: Reading<Operation> = apis.post(Service::ServiceUsage, &path, &body).await;
    for _ in 0..LOOKS {
        let Operation { name, done, error } = answered(started)?;
        match error {
            Some(Failure { message }) => return Err(StepError::Failed { why: message }),
            None if done => return Ok(Ended::Done),
            None => tokio::time::sleep(pause).await,
        }
        started = apis
            .get(Service::ServiceUsage, &format!("/v1/{name}"))
            .await;
    }
    Err(StepError::NoAnswer {
        why: "the services were not on after some minutes".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gcp::apply::scripted::{Scripted, acme};

    const ENABLE: &str = "POST /v1/projects/acme-gke/services:batchEnable";
    const LOOK: &str = "GET /v1/operations/acf.p2-1";

    /// What it comes to when Google answers so, one after the other.
    async fn enabled(answers: &[serde_json::Value]) -> (Result<Ended, StepError>, Vec<String>) {
        let script = answers.iter().map(|it| (200, it.clone()));
        let google = Scripted::start(script).await;
        let services = ["iam.googleapis.com".to_owned()];
        let ended = enable(&google.apis(), &acme(), &services, Duration::ZERO).await;
        (ended, google.asked())
    }

    #[tokio::test]
    async fn an_operation_that_runs_is_looked_at_until_it_is_done() {
        let runs = json!({"name": "operations/acf.p2-1"});
        let done = json!({"name": "operations/acf.p2-1", "done": true, "response": {}});
        let (ended, asked) = enabled(&[runs.clone(), runs, done]).await;
        assert_eq!(ended.expect("it is on"), Ended::Done);
        assert_eq!(asked, [ENABLE, LOOK, LOOK]);
    }

    #[tokio::test]
    async fn an_operation_that_ends_in_an_error_is_no_success() {
        let runs = json!({"name": "operations/acf.p2-1"});
        let failed = json!({"name": "operations/acf.p2-1", "done": true, "error": {
            "code": 9, "message": "Billing account for project '4711' is not found."}});
        for answers in [vec![failed.clone()], vec![runs, failed]] {
            let (ended, _) = enabled(&answers).await;
            let error = ended.expect_err("it is off");
            assert!(matches!(error, StepError::Failed { .. }), "{error:?}");
            assert!(error.to_string().contains("Billing account"), "{error}");
        }
    }
}
