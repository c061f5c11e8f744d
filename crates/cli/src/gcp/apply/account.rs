//! Makes service accounts, and enables those that were disabled.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>

use gcp::facts::Reading;
use gcp::principal::{ProjectId, ServiceAccountEmail};
use gcp::{Apis, Service};
use serde_json::{Value, json};

use super::step::{Ended, StepError, answered};

pub(super) async fn create(
    apis: &Apis,
    email: &ServiceAccountEmail,
    project: &ProjectId,
    kargo_project: &str,
) -> Result<Ended, StepError> {
    let path = format!("/v1/projects/{project}/serviceAccounts");
    let body = json!({
        "accountId": email.account_id(),
        "serviceAccount": {"displayName": format!("Kargo Project {kargo_project}")},
    });
    let made: Reading<Value> = apis.post(Service::Iam, &path, &body).await;
    match made.source.status {
        Some(409) => Ok(Ended::AlreadySo),
        _ => answered(made).map(|_| Ended::Done),
    }
}

pub(super) async fn enable(apis: &Apis, email: &ServiceAccountEmail) -> Result<Ended, StepError> {
    let path = format!("/v1/projects/-/serviceAccounts/{email}:enable");
    let done: Reading<Value> = apis.post(Service::Iam, &path, &json!({})).await;
    answered(done).map(|_| Ended::Done)
}
