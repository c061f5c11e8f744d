//! Does what a plan says through Google's APIs: each step may be done twice, and waits for what takes time to be seen.

mod account;
mod cluster;
mod constraint;
mod policy;
mod role;
#[cfg(test)]
mod scripted;
mod services;
mod step;
mod wait;

use std::io::Write as _;

use anyhow::{Context as _, Result, anyhow};
use gcp::Apis;
use gcp::setup::{Action, Plan, gcloud};

pub(super) use wait::{Planned, Tried, wait_until_it_counts};

/// Does every step in its order and says so on standard error; stops at the first that is refused.
pub(super) async fn run(apis: &Apis, planned: Planned<'_>) -> Result<()> {
    let Planned { facts, plan } = planned;
    for (done, action) in plan.actions.iter().enumerate() {
        let ended = step::run(apis, planned, action).await.map_err(|error| {
            let hint = error.hint(facts, action);
            anyhow!("{error}; {hint}").context(format!(
                "step {} of {} failed, those before it are done: {}",
                done + 1,
                plan.actions.len(),
                command(action)
            ))
        })?;
        let mut stderr = anstream::stderr().lock();
        writeln!(stderr, "{ended}: {}", command(action))
            .context("failed to write to standard error")?;
    }
    Ok(())
}

/// Names a step by the command that would do it, on one line.
fn command(action: &Action) -> String {
    if let Action::SetConstraint {
        project,
        constraint,
        ..
    } = action
    {
        return format!("gcloud org-policies set-policy, {constraint} of {project}");
    }
    let plan = Plan {
        actions: vec![action.clone()],
        ..Plan::default()
    };
    gcloud::commands(&plan).trim_end().replace("\\\n", "")
}
