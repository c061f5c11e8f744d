//! One step of a plan, and what it means that one was refused.

use std::fmt;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use gcp::facts::{Denial, Facts, Reading, Reason, Seen};
use gcp::principal::{ProjectId, ServiceAccountEmail};
use gcp::setup::{Action, Resource, RoleGrant, Wish};
use gcp::{Apis, Service};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{cluster, policy};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    /// Somebody was faster, or it was tried before.
    AlreadySo,
    /// It is for a person to do, as it is felt at once.
    ByHand,
}

/// Why a step could not be done.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error("somebody else changed the same policy at the same time")]
    Conflict,
    #[error("what was just made is not seen everywhere yet: {says}")]
    NotSeenYet { says: String },
    #[error("{}", denial.says())]
    Refused { denial: Denial },
    #[error("no answer that can be used: {why}")]
    NoAnswer { why: String },
}

/// How long is waited for what was just made: Google speaks of a minute for accounts and of some for APIs.
///
/// Source: <https://cloud.google.com/iam/docs/service-accounts-create#creating>
const PATIENCE: Duration = Duration::from_mins(4);

/// Does a step; what passes is tried again, at growing distances that differ from those of others.
pub(super) async fn run(apis: &Apis, action: &Action) -> Result<Ended, StepError> {
    let pauses = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .with_total_delay(Some(PATIENCE));
    let attempt = || once(apis, action);
    attempt.retry(pauses).when(StepError::passes).await
}

async fn once(apis: &Apis, action: &Action) -> Result<Ended, StepError> {
    match action {
        Action::EnableServices { project, services } => enable(apis, project, services).await,
        Action::CreateServiceAccount {
            email,
            project,
            kargo_project,
        } => create(apis, email, project, kargo_project).await,
        Action::EnableServiceAccount { email } => enable_account(apis, email).await,
        Action::Grant(grant) => policy::edit(apis, &grant.resource, |it| grant.add_to(it)).await,
        Action::Revoke(grant) => {
            policy::edit(apis, &grant.resource, |it| grant.remove_from(it)).await
        }
        Action::SetConstraint {
            project,
            constraint,
            wish,
        } => set_constraint(apis, project, constraint, *wish).await,
        Action::LogReads { project, service } => {
            let project = Resource::Project(project.clone());
            policy::edit_logs(apis, &project, |it| it.log_reads_of(service)).await
        }
        Action::SetWorkloadPool { cluster, pool } => cluster::set_pool(apis, cluster, pool).await,
        Action::SetNodePoolMetadata { .. }
        | Action::DisableKey { .. }
        | Action::DisableServiceAccount { .. }
        | Action::MakeTagsImmutable { .. }
        | Action::CreateTopic { .. } => Ok(Ended::ByHand),
    }
}

#[derive(Deserialize)]
struct Operation {
    name: String,
    #[serde(default)]
    done: bool,
}

async fn enable(apis: &Apis, project: &ProjectId, services: &[String]) -> Result<Ended, StepError> {
    let path = format!("/v1/projects/{project}/services:batchEnable");
    let body = json!({ "serviceIds": services });
    let started: Reading<Operation> = apis.post(Service::ServiceUsage, &path, &body).await;
    let mut operation = answered(started)?;
    for _ in 0..100 {
        if operation.done {
            return Ok(Ended::Done);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        let path = format!("/v1/{}", operation.name);
        operation = answered(apis.get(Service::ServiceUsage, &path).await)?;
    }
    Err(StepError::NoAnswer {
        why: "the services were not on after some minutes".to_owned(),
    })
}

async fn create(
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

async fn enable_account(apis: &Apis, email: &ServiceAccountEmail) -> Result<Ended, StepError> {
    let path = format!("/v1/projects/-/serviceAccounts/{email}:enable");
    let done: Reading<Value> = apis.post(Service::Iam, &path, &json!({})).await;
    answered(done).map(|_| Ended::Done)
}

#[derive(Deserialize, Default, PartialEq)]
#[serde(default)]
struct Constraint {
    etag: Option<String>,
}

/// Sets a constraint on a project, whether or not something was set there before.
async fn set_constraint(
    apis: &Apis,
    project: &ProjectId,
    constraint: &str,
    wish: Wish,
) -> Result<Ended, StepError> {
    let name = format!("projects/{project}/policies/{constraint}");
    let rule = match wish {
        Wish::Enforce => json!({"enforce": true}),
        Wish::DenyAll => json!({"denyAll": true}),
    };
    let found: Reading<Constraint> = apis.get(Service::OrgPolicy, &format!("/v2/{name}")).await;
    let written: Reading<Value> = if found.seen == Seen::Absent {
        let body = json!({"name": name, "spec": {"rules": [rule]}});
        let path = format!("/v2/projects/{project}/policies");
        apis.post(Service::OrgPolicy, &path, &body).await
    } else {
        let etag = answered(found)?.etag;
        let body = json!({"name": name, "etag": etag, "spec": {"rules": [rule]}});
        apis.patch(Service::OrgPolicy, &format!("/v2/{name}"), &body)
            .await
    };
    answered(written).map(|_| Ended::Done)
}

/// Takes an answer for what it means to whoever wants to change something.
pub(super) fn answered<T>(reading: Reading<T>) -> Result<T, StepError> {
    let says = match reading.seen {
        Seen::Known(value) => return Ok(value),
        Seen::Unreachable { .. } if reading.source.status == Some(409) => {
            return Err(StepError::Conflict);
        }
        Seen::Absent => "it is not found".to_owned(),
        Seen::Denied(denial) if denial.message.contains("does not exist") => denial.message,
        Seen::Denied(denial) => return Err(StepError::Refused { denial }),
        Seen::Unreachable { why } => return Err(StepError::NoAnswer { why }),
        Seen::Skipped => {
            return Err(StepError::NoAnswer {
                why: "nobody was asked".to_owned(),
            });
        }
    };
    Err(StepError::NotSeenYet { says })
}

impl StepError {
    /// Says whether the same may be tried again: a race, or something new that is not known everywhere.
    fn passes(&self) -> bool {
        match self {
            Self::Conflict | Self::NotSeenYet { .. } => true,
            Self::Refused { denial } => matches!(denial.reason, Reason::ServiceDisabled { .. }),
            Self::NoAnswer { .. } => false,
        }
    }

    /// Says what to do next.
    pub(super) fn hint(&self, facts: &Facts, action: &Action) -> String {
        match (self, action) {
            (Self::Refused { denial }, Action::Grant(grant))
                if denial.reason == Reason::OrganisationPolicy =>
            {
                let_in(facts, grant)
            }
            (Self::Refused { .. }, _) => {
                "ask somebody who may, with what --format gcloud or --format terraform writes"
                    .to_owned()
            }
            (Self::Conflict | Self::NotSeenYet { .. } | Self::NoAnswer { .. }, _) => {
                "run the same command again: what is done stays done".to_owned()
            }
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Done => "done",
            Self::AlreadySo => "there already",
            Self::ByHand => "left to you",
        })
    }
}

/// Says what the organisation has to add, as commands; it has to be done by whoever runs it.
fn let_in(facts: &Facts, grant: &RoleGrant) -> String {
    let fix = gcp::setup::let_in(facts, grant);
    format!(
        "the organisation lets in only members it knows. This adds {}, and then run the same command again; {}:\n{}",
        grant.member,
        fix.advice,
        fix.commands.trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &str = "POST https://iam.googleapis.com/v1/x:setIamPolicy";

    fn refused(status: u16, message: &str) -> StepError {
        let body = json!({"error": {"code": status, "message": message}}).to_string();
        let reading: Reading<Value> = Reading::of_refusal(REQUEST, status, &body);
        answered(reading).expect_err("it was refused")
    }

    #[test]
    fn a_race_and_what_is_too_new_pass_and_a_refusal_stays() {
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
                refused(status, message).passes(),
                passes,
                "{status} {message}"
            );
        }
    }
}
