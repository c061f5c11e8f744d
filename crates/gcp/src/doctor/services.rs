//! Checks that the Google APIs are on and can be reached.

use super::{Answer, Verdict};
use crate::facts::{Facts, Reason, Seen, ServiceName};
use crate::principal::ProjectId;
use crate::repository::RepositoryName;
use crate::setup::repair::{denial, nodes};

pub(super) fn at_home(facts: &Facts, service: &str) -> Answer {
    let home = facts.home.known()?;
    is_on(facts, &home.project, service)
}

pub(super) fn artifact_registry(facts: &Facts, repository: &RepositoryName) -> Answer {
    is_on(
        facts,
        &repository.project,
        "artifactregistry.googleapis.com",
    )
}

fn is_on(facts: &Facts, project: &ProjectId, service: &str) -> Answer {
    let name = ServiceName {
        project: project.clone(),
        service: service.to_owned(),
    };
    let reading = facts.services.get(&name).cloned().unwrap_or_default();
    Ok(if *reading.known()? {
        Verdict::pass(&format!("{service} is on in {project}"))
    } else {
        Verdict::fail(
            &format!("{service} is off in {project}"),
            denial::enable(project, service),
        )
    }
    .seen(&reading))
}

/// Asks for a token of an account that cannot be: that it is not found shows that all before it works.
pub(super) fn probe(facts: &Facts) -> Answer {
    let reading = &facts.pod.impersonation_probe;
    let denial = match &reading.seen {
        Seen::Absent | Seen::Known(()) => {
            return Ok(Verdict::pass("it answers, and to us").seen(reading));
        }
        Seen::Denied(denial) => denial,
        Seen::Unreachable { .. } | Seen::Skipped => {
            return reading.known().map(|()| Verdict::pass(""));
        }
    };
    // Who may not even see that the account is missing is let through all the same.
    let verdict = if denial.reason == Reason::MissingPermission {
        Verdict::pass("it answers, and to us")
    } else {
        let nothing = || nodes::restart_metadata_server(facts);
        Verdict::fail(&denial.says(), denial::of_minting(facts, denial, nothing))
    };
    Ok(verdict.seen(reading))
}
