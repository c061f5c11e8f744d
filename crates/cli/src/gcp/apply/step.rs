//! One step of a plan, and what it means that one was refused.

use std::fmt;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use gcp::Apis;
use gcp::facts::{Denial, Facts, Reading, Reason, Seen};
use gcp::setup::shell::quote;
use gcp::setup::{Action, Resource, RoleGrant};

use super::{Planned, account, cluster, constraint, policy, role, services};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    /// Somebody was faster, or it was tried before.
    AlreadySo,
    /// It had been deleted, and is there again.
    Restored,
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
    #[error("it was begun and failed: {why}")]
    Failed { why: String },
    #[error("no answer that can be used: {why}")]
    NoAnswer { why: String },
}

/// How long is waited for what was just made: Google speaks of a minute for accounts and of some for APIs.
///
/// Source: <https://cloud.google.com/iam/docs/service-accounts-create#creating>
const PATIENCE: Duration = Duration::from_mins(4);

/// Does a step of a plan; what passes is tried again, at growing distances that differ from those of others.
pub(super) async fn run(
    apis: &Apis,
    planned: Planned<'_>,
    action: &Action,
) -> Result<Ended, StepError> {
    let pauses = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(10))
        .without_max_times()
        .with_total_delay(Some(PATIENCE));
    let attempt = || once(apis, action);
    attempt.retry(pauses).when(|it| it.passes(planned)).await
}

async fn once(apis: &Apis, action: &Action) -> Result<Ended, StepError> {
    match action {
        Action::EnableServices { project, services } => {
            services::enable(apis, project, services, services::PAUSE).await
        }
        Action::CreateServiceAccount {
            email,
            project,
            kargo_project,
        } => account::create(apis, email, project, kargo_project).await,
        Action::EnableServiceAccount { email } => account::enable(apis, email).await,
        Action::CreateRole { project } => role::create(apis, project).await,
        Action::Grant(grant) => policy::edit(apis, &grant.resource, |it| grant.add_to(it)).await,
        Action::Revoke(grant) => {
            policy::edit(apis, &grant.resource, |it| grant.remove_from(it)).await
        }
        Action::SetConstraint {
            project,
            constraint,
            wish,
            ..
        } => constraint::set(apis, project, constraint, *wish).await,
        Action::LogReads {
            project, service, ..
        } => {
            let project = Resource::Project(project.clone());
            policy::edit_logs(apis, &project, |it| it.log_reads_of(service)).await
        }
        Action::SetWorkloadPool { cluster, pool } => {
            cluster::set_pool(apis, cluster, pool, cluster::PAUSE).await
        }
        Action::SetNodePoolMetadata { .. }
        | Action::DisableKey { .. }
        | Action::DisableServiceAccount { .. }
        | Action::MakeTagsImmutable { .. }
        | Action::CreateTopic { .. } => Ok(Ended::ByHand),
    }
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
    fn passes(&self, planned: Planned<'_>) -> bool {
        match self {
            Self::Conflict | Self::NotSeenYet { .. } => true,
            Self::Refused { denial } => match &denial.reason {
                Reason::ServiceDisabled { service } => planned.switches_on(service.as_deref()),
                _ => false,
            },
            Self::Failed { .. } | Self::NoAnswer { .. } => false,
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
            (Self::Refused { denial }, _) if is_off(denial) => switch_on(facts, denial),
            (Self::Refused { .. }, _) => {
                "ask somebody who may, with what --format gcloud or --format terraform writes"
                    .to_owned()
            }
            (Self::Failed { .. }, _) => {
                "mend that, then run the same command again: what is done stays done".to_owned()
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
            Self::Restored => "there again, as it had been deleted",
            Self::ByHand => "left to you",
        })
    }
}

fn is_off(denial: &Denial) -> bool {
    matches!(denial.reason, Reason::ServiceDisabled { .. })
}

/// Names the command that switches on what is off, in the project that Google names: it pays for the calls, and need not
/// be the controller's.
fn switch_on(facts: &Facts, denial: &Denial) -> String {
    let service = match &denial.reason {
        Reason::ServiceDisabled { service } => service.as_deref().unwrap_or("SERVICE"),
        _ => "SERVICE",
    };
    let named = denial.message.split_once(" in project ");
    let named = named.and_then(|(_, rest)| rest.split_whitespace().next());
    let project = match (named, facts.home.known()) {
        (Some(project), _) => project,
        (None, Ok(home)) => home.project.as_str(),
        (None, Err(_)) => "PROJECT",
    };
    format!(
        "it is none that this plan switches on: gcloud services enable {service} --project={}, \
         then run the same command again",
        quote(project)
    )
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
mod tests;
