//! Operations that run, end and fail.

use gcp::principal::ProjectId;

use super::*;
use crate::gcp::apply::scripted::{Scripted, acme};

const PUT: &str = "PUT /v1/projects/acme-gke/locations/europe-west1/clusters/main";
const LOOK: &str = "GET /v1/projects/acme-gke/locations/europe-west1/operations/operation-1";

async fn switched(answers: &[serde_json::Value]) -> (Result<Ended, StepError>, Vec<String>) {
    let google = Scripted::start(answers.iter().map(|it| (200, it.clone()))).await;
    let project: ProjectId = acme();
    let pool = WorkloadPool::of(&project);
    let cluster = ClusterName {
        project,
        location: "europe-west1".to_owned(),
        cluster: "main".to_owned(),
    };
    let ended = set_pool(&google.apis(), &cluster, &pool, Duration::ZERO).await;
    (ended, google.asked())
}

#[tokio::test]
async fn an_operation_that_runs_is_looked_at_until_it_is_done() {
    let status = |it: &str| json!({"name": "operation-1", "status": it});
    let (ended, asked) = switched(&["PENDING", "RUNNING", "DONE"].map(status)).await;
    assert_eq!(ended.expect("it is on"), Ended::Done);
    assert_eq!(asked, [PUT, LOOK, LOOK]);
}

#[tokio::test]
async fn an_operation_that_fails_is_no_success() {
    let runs = json!({"name": "operation-1", "status": "RUNNING"});
    let failed = json!({"name": "operation-1", "status": "DONE", "error": {
        "code": 13, "message": "The control plane could not be updated."}});
    let (ended, _) = switched(&[runs, failed]).await;
    let error = ended.expect_err("it is off");
    assert!(matches!(error, StepError::Failed { .. }), "{error:?}");
    assert!(
        error.to_string().contains("could not be updated"),
        "{error}"
    );
}
