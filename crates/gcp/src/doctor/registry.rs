//! Checks of the way from an account to a repository.

use super::{Answer, Verdict, kubernetes_token, symptoms};
use crate::facts::{Facts, Reason, RepositoryFacts, Seen, Use};
use crate::policy::{Access, DOWNLOAD, Member, READER, UPLOAD};
use crate::repository::{AddressError, ImageAddress, RepositoryName};
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant, shell};

/// Permissions beyond reading that a Project's account should not have.
pub const BEYOND_READING: &[&str] = &[
    UPLOAD,
    "artifactregistry.repositories.deleteArtifacts",
    "artifactregistry.repositories.setIamPolicy",
];

/// What the registry hosts of Google are called when nobody serves them any more under the old name.
const NOT_REDIRECTED: &[&str] = &["REDIRECTION_FROM_GCR_IO_DISABLED", ""];

pub(super) fn addresses(facts: &Facts) -> Vec<(String, Answer)> {
    let all = facts
        .intent
        .projects
        .iter()
        .flat_map(|(project, list)| list.iter().map(move |it| (project, it)));
    all.map(|(project, address)| {
        let verdict = match ImageAddress::parse(address) {
            Ok(it) => Verdict::pass(&format!("it leads to {}", it.repository)),
            Err(AddressError::OtherHost { .. }) => Verdict::skip("it is not on a host of Google's"),
            Err(refused) => Verdict::fail(&refused.to_string()).fix(Fix::advice(refused.hint())),
        };
        (format!("{project} {address}"), Ok(verdict))
    })
    .collect()
}

pub(super) fn exists(facts: &Facts, name: &RepositoryName) -> Answer {
    let seen = facts.repository(name);
    let reading = &seen.repository;
    let verdict = match reading.found()? {
        Some(it) if it.format == "DOCKER" || it.format.is_empty() => {
            Verdict::pass(&format!("{name} exists"))
        }
        Some(it) => Verdict::fail(&format!("{name} holds {}, not images", it.format)),
        None => match seen.namesakes.known().ok().and_then(|it| it.first()) {
            Some(location) => Verdict::fail(&format!(
                "there is no {} in {}, but there is one in {location}",
                name.repository, name.location
            ))
            .fix(Fix::advice(&format!(
                "write {location}-docker.pkg.dev in the subscription"
            ))),
            None => Verdict::fail(&format!("there is no {name}")).fix(create(name)),
        },
    };
    Ok(verdict.seen(reading))
}

pub(super) fn reader(facts: &Facts, used: &Use) -> Answer {
    let name = &used.address.repository;
    let seen = facts.repository(name);
    let Some(reader) = facts.reader_of(&used.project)? else {
        return Ok(Verdict::skip("there is no account to grant it to"));
    };
    let whom = reader.whom();
    let is_account = |it: &Member| reader.is_covered_by(it);
    let on_repository = seen
        .policy
        .known()?
        .access(DOWNLOAD, &facts.custom_roles, is_account);
    let verdict = match on_repository {
        Access::Yes { role } => Verdict::pass(&format!("{whom} has {role}")),
        Access::Conditional { role, expression } => {
            Verdict::warn(&format!("{whom} has {role}, but only while {expression}"))
        }
        Access::Unknown { role } => Verdict::unknown(&format!("what {role} carries was not read")),
        Access::No => return Ok(by_others(facts, name, &reader, &seen)),
    };
    Ok(verdict.seen(&seen.policy))
}

/// Looks for a role that reads where the account has none on the repository: on its project, or held by many.
fn by_others(
    facts: &Facts,
    name: &RepositoryName,
    reader: &Grantee,
    seen: &RepositoryFacts,
) -> Verdict {
    let project = &name.project;
    let whom = reader.whom();
    let is_account = |it: &Member| reader.is_covered_by(it);
    let on_project = seen.project_policy.known();
    let access = on_project.map(|it| it.access(DOWNLOAD, &facts.custom_roles, is_account));
    let verdict = match access {
        Err(gap) => Verdict::unknown(&format!(
            "{whom} has no role on {name} itself, and the policy of {project} was not read: {}",
            gap.why
        )),
        Ok(Access::Yes { role } | Access::Conditional { role, .. }) => Verdict::warn(&format!(
            "{whom} has {role} on all of {project}, not on the repository alone"
        )),
        Ok(Access::Unknown { role }) => {
            Verdict::unknown(&format!("what {role} on {project} carries was not read"))
        }
        Ok(Access::No) => match by_many(facts, reader, seen) {
            Some(role) => Verdict::unknown(&format!(
                "a group or a domain has {role}, and whether {whom} is in it cannot be read"
            )),
            None => Verdict::fail(&format!("{whom} has no role on {name} that reads")),
        },
    };
    verdict
        .seen(&seen.policy)
        .seen(&seen.project_policy)
        .fix(grant_reading(name, reader.clone()))
}

/// Finds a role that may read and is held by a group or a domain, whose members are not in any policy.
fn by_many(facts: &Facts, reader: &Grantee, seen: &RepositoryFacts) -> Option<String> {
    // No federated identity is in a group or of a domain.
    if matches!(reader, Grantee::Kubernetes(_)) {
        return None;
    }
    let is_many = |it: &Member| matches!(it, Member::Group(_) | Member::Domain(_));
    let policies = [&seen.policy, &seen.project_policy];
    policies.iter().find_map(|it| {
        match it
            .known()
            .ok()?
            .access(DOWNLOAD, &facts.custom_roles, is_many)
        {
            Access::No => None,
            Access::Yes { role } | Access::Conditional { role, .. } | Access::Unknown { role } => {
                Some(role)
            }
        }
    })
}

pub(super) fn pull(facts: &Facts, used: &Use) -> Answer {
    if let Some(verdict) = kubernetes_token::missing(facts, &used.project) {
        return Ok(verdict);
    }
    let name = &used.address.repository;
    let reading = facts
        .project(&used.project)
        .uses
        .get(name)
        .cloned()
        .unwrap_or_default()
        .pull;
    let verdict = match &reading.seen {
        Seen::Known(()) => Verdict::pass("the first page came"),
        Seen::Absent => Verdict::fail(&format!(
            "there is no image {} in {name}",
            used.address.image
        ))
        .fix(Fix::advice(
            "compare the name with `gcloud artifacts docker images list`, and the host's location",
        )),
        Seen::Denied(denial) => {
            let verdict = Verdict::fail(&symptoms::with_cause(&denial.message));
            match (&denial.reason, facts.reader_of(&used.project)?) {
                (Reason::MissingPermission, Some(reader)) => {
                    verdict.fix(grant_reading(name, reader))
                }
                (Reason::ServiceDisabled { .. }, _) => verdict.fix(super::services::switch_on(
                    &name.project,
                    "artifactregistry.googleapis.com",
                )),
                _ => verdict,
            }
        }
        Seen::Unreachable { .. } | Seen::Skipped => {
            return reading.known().map(|()| Verdict::pass(""));
        }
    };
    Ok(verdict.seen(&reading))
}

pub(super) fn permissions(facts: &Facts, used: &Use) -> Answer {
    let name = &used.address.repository;
    let reading = facts
        .project(&used.project)
        .uses
        .get(name)
        .cloned()
        .unwrap_or_default()
        .permissions;
    let held = reading.known()?;
    let extra: Vec<_> = held
        .iter()
        .filter(|it| BEYOND_READING.contains(&it.as_str()))
        .map(String::as_str)
        .collect();
    Ok(if extra.is_empty() {
        Verdict::pass("it reads and no more")
    } else {
        Verdict::warn(&format!("it also has {}", extra.join(", "))).fix(Fix::advice(&format!(
            "leave the account {READER} alone: argosy gcp audit names the others (A04, A11)"
        )))
    }
    .seen(&reading))
}

pub(super) fn listing(facts: &Facts, used: &Use) -> Answer {
    let name = &used.address.repository;
    let reading = facts
        .project(&used.project)
        .uses
        .get(name)
        .cloned()
        .unwrap_or_default()
        .listing;
    match &reading.seen {
        Seen::Denied(denial) => Ok(Verdict::warn(&format!(
            "{}; discovery asks tag by tag instead",
            denial.says()
        ))
        .seen(&reading)
        .fix(super::services::switch_on(
            &name.project,
            "artifactregistry.googleapis.com",
        ))),
        _ => reading
            .known()
            .map(|()| Verdict::pass("it works").seen(&reading)),
    }
}

pub(super) fn isolation(facts: &Facts, project: &str) -> Answer {
    let reading = facts.project(project).foreign_reads;
    let foreign = reading.known()?;
    let names = foreign
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    Ok(if foreign.is_empty() {
Verdict::pass("it reads only what the Project uses")
} else {
Verdict::warn(&format!("it also reads {names}"))
            .fix(Fix::advice("grant reading on single repositories, not on projects: argosy gcp audit names the grant (A05)"))
}
    .seen(&reading))
}

pub(super) fn immutable(facts: &Facts, name: &RepositoryName) -> Answer {
    let reading = facts.repository(name).repository;
    Ok(if reading.known()?.docker_config.immutable_tags {
        Verdict::pass("tags are immutable")
    } else {
        // Many push `latest` on purpose, so it is said without a warning.
        Verdict::pass("tags may be moved; with immutable tags a promotion is what it says").fix(
            Fix::by(vec![Action::MakeTagsImmutable {
                repository: name.clone(),
            }]),
        )
    }
    .seen(&reading))
}

pub(super) fn former_host(facts: &Facts, used: &Use) -> Answer {
    if !used.address.is_former() {
        return Ok(Verdict::skip(
            "it is no address of the former Container Registry",
        ));
    }
    let project = &used.address.repository.project;
    let reading = facts.repository(&used.address.repository).redirection;
    let state = reading.known()?;
    Ok(if NOT_REDIRECTED.contains(&state.as_str()) {
        Verdict::fail(&format!(
            "{} is not served any more for {project}",
            used.address.host
        ))
        .fix(Fix::command(&format!(
            "gcloud artifacts docker upgrade migrate --projects={project}\n"
        )))
    } else {
        Verdict::pass(&format!(
            "{} is served by Artifact Registry ({state})",
            used.address.host
        ))
    }
    .seen(&reading))
}

pub(super) fn topic(facts: &Facts, name: &RepositoryName) -> Answer {
    let seen = facts.repository(name);
    let reading = seen.topic;
    Ok(match reading.found()? {
        Some(()) => match seen.subscriptions.known() {
            Ok(names) if names.is_empty() => {
                Verdict::pass("the topic gcr exists, and nobody listens to it")
            }
            Ok(names) => Verdict::pass(&format!("{} listens to the topic gcr", names.join(", "))),
            Err(gap) if gap.skipped => Verdict::pass("the topic gcr exists"),
            Err(gap) => Verdict::pass(&format!(
                "the topic gcr exists; who listens to it was not read: {}",
                gap.why
            )),
        }
        .seen(&seen.subscriptions),
        None => Verdict::pass(
            "there is no topic gcr, so new images are found by looking from time to time",
        )
        .fix(Fix::by(vec![Action::CreateTopic {
            project: name.project.clone(),
        }])),
    }
    .seen(&reading))
}

pub(super) fn read_by_controller(facts: &Facts, name: &RepositoryName) -> Answer {
    let reading = facts
        .pod
        .direct_permissions
        .get(name)
        .cloned()
        .unwrap_or_default();
    let held = reading.known()?;
    let fix = || {
        Fix::advice(
            "take the controller's role off the repository: argosy gcp audit names it (A12)",
        )
    };
    let says = "it reads the repository itself, so every Project that falls back does";
    Ok(
        match (held.iter().any(|it| it == DOWNLOAD), facts.intent.fallback) {
            (false, _) => Verdict::pass("it reads nothing here"),
            (true, crate::Fallback::Deny) => Verdict::fail(says).fix(fix()),
            (true, _) => Verdict::warn(says).fix(fix()),
        }
        .seen(&reading),
    )
}

fn grant_reading(name: &RepositoryName, reader: Grantee) -> Fix {
    Fix::by(vec![Action::Grant(RoleGrant::new(
        Resource::Repository(name.clone()),
        READER,
        reader,
    ))])
}

fn create(name: &RepositoryName) -> Fix {
    let create = shell::command(
        &[
            "gcloud",
            "artifacts",
            "repositories",
            "create",
            &name.repository,
        ],
        &[
            ("project", name.project.as_str()),
            ("location", &name.location),
            ("repository-format", "docker"),
        ],
    );
    Fix::command(&format!("{create}\n"))
        .and_advice("or correct the address: a location such as us differs from us-central1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::whole;

    #[test]
    fn the_command_that_creates_a_repository_runs_nothing_else() {
        let fix = create(&whole::repository("$(reboot)"));
        assert_eq!(
            fix.commands.replace("\\\n  ", ""),
            "gcloud artifacts repositories create '$(reboot)' --project=acme-art --location=europe-west1 \
             --repository-format=docker\n"
        );
    }
}
