//! Checks that the Google APIs are on and can be reached.

use super::{Answer, Verdict};
use crate::facts::{Facts, Reading, Reason, Seen, ServiceName};
use crate::principal::ProjectId;
use crate::repository::RepositoryName;
use crate::setup::repair::{denial, nodes};

const SERVICE_USAGE: &str = "serviceusage.googleapis.com";

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
    if is_without_service_usage(&reading) {
        let gap = reading.known().err().map(|it| it.why).unwrap_or_default();
        let verdict = Verdict::unknown(&format!("whether {service} is on in {project}: {gap}"));
        return Ok(verdict
            .with(denial::enable(project, SERVICE_USAGE))
            .seen(&reading));
    }
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

/// Says whether nothing was to be seen of services as the one that knows them is off.
fn is_without_service_usage<T>(reading: &Reading<T>) -> bool {
    match &reading.seen {
        Seen::Denied(denial) => matches!(
            &denial.reason,
            Reason::ServiceDisabled { service } if service.as_deref().is_none_or(|it| it == SERVICE_USAGE)
        ),
        Seen::Known(_) | Seen::Absent | Seen::Unreachable { .. } | Seen::Skipped => false,
    }
}

/// The chain holds without it; what is known of the other services does not.
pub(super) fn service_usage(facts: &Facts) -> Answer {
    only_to_look(
        facts,
        SERVICE_USAGE,
        "nothing is known of the other services",
    )
}

/// The chain holds without it; what the controller may do with its whole project is asked there.
pub(super) fn resource_manager(facts: &Facts) -> Answer {
    let missed = "neither policies of projects nor what the controller may do with all of its own are to be seen";
    only_to_look(facts, "cloudresourcemanager.googleapis.com", missed)
}

fn only_to_look(facts: &Facts, service: &str, missed: &str) -> Answer {
    let project = &facts.home.known()?.project;
    let name = ServiceName {
        project: project.clone(),
        service: service.to_owned(),
    };
    let reading = facts.services.get(&name).cloned().unwrap_or_default();
    let is_off = service == SERVICE_USAGE && is_without_service_usage(&reading);
    Ok(if !is_off && *reading.known()? {
        Verdict::pass(&format!("{service} is on in {project}"))
    } else {
        let says = format!("{service} is off in {project}: {missed}");
        Verdict::warn(&says, denial::enable(project, service))
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
