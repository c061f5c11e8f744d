//! Checks that the Google APIs are on and can be reached.

use super::{Answer, Verdict};
use crate::facts::{Facts, Reason, Seen, ServiceName};
use crate::principal::ProjectId;
use crate::repository::RepositoryName;
use crate::setup::{Action, Fix};

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
        Verdict::fail(&format!("{service} is off in {project}")).fix(switch_on(project, service))
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
    let says = denial.says();
    let verdict = match &denial.reason {
        // Who may not even see that the account is missing is let through all the same.
        Reason::MissingPermission => Verdict::pass("it answers, and to us"),
        Reason::ServiceDisabled { service } => {
            let service = service.as_deref().unwrap_or("iamcredentials.googleapis.com");
            let fix = facts.home.known().map(|home| switch_on(&home.project, service));
            Verdict::fail(&says).fix(fix.unwrap_or_default())
        }
        Reason::Perimeter { .. } => Verdict::fail(&says).fix(Fix::advice(
            "give the id to whoever runs the perimeter: it has to let the controller reach iamcredentials.googleapis.com",
        )),
        Reason::NarrowScope => Verdict::fail(&says).fix(Fix::advice(
            "the metadata server hands out cloud-platform by itself; on nodes without it, widen their OAuth scopes",
        )),
        Reason::BadCredential | Reason::Anonymous | Reason::OrganisationPolicy | Reason::Other => Verdict::fail(&says),
    };
    Ok(verdict.seen(reading))
}

pub(super) fn switch_on(project: &ProjectId, service: &str) -> Fix {
    Fix::by(vec![Action::EnableServices {
        project: project.clone(),
        services: vec![service.to_owned()],
    }])
    .and_advice("it takes some minutes until every server knows")
}
