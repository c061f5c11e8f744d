//! Checks of whether accounts read the repositories that they should, and no others.

use std::collections::BTreeSet;

use super::{Answer, Verdict, grants, kubernetes_token, symptoms};
use crate::Fallback;
use crate::facts::{Denial, Facts, Gap, RepositoryFacts, Seen, Use};
use crate::policy::{Access, DOWNLOAD, Member, Policy, READER, UPLOAD};
use crate::repository::RepositoryName;
use crate::setup::repair::denial::{self, Refuser};
use crate::setup::repair::repository;
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

/// Permissions beyond reading that a Project's account should not have.
pub const BEYOND_READING: &[&str] = &[
    UPLOAD,
    "artifactregistry.repositories.deleteArtifacts",
    "artifactregistry.repositories.setIamPolicy",
];

pub(super) fn reader(facts: &Facts, used: &Use) -> Answer {
    let name = &used.address.repository;
    let seen = facts.repository(name);
    let Some(reader) = facts.reader_of(&used.project)? else {
        return Ok(Verdict::skip("there is no account to grant it to"));
    };
    let whom = reader.whom();
    let verdict = match reads(facts, seen.policy.known()?, &reader) {
        Access::Yes { role } => Verdict::pass(&format!("{whom} has {role}")),
        Access::Conditional { role, expression } => Verdict::warn(
            &format!("{whom} has {role}, but only while {expression}"),
            grant_reading(name, reader).and_advice("the grant it adds has no condition"),
        ),
        Access::Unknown { role } => Verdict::unknown(&format!("what {role} carries was not read")),
        Access::Lapsed { role, expression } => {
            let lapsed = format!(
                "{whom} has {role} on {name} only while {expression}, which does not hold now"
            );
            return Ok(by_others(facts, name, &reader, &lapsed));
        }
        Access::No => {
            let none = format!("{whom} has no role on {name} that reads");
            return Ok(by_others(facts, name, &reader, &none));
        }
    };
    Ok(verdict.seen(&seen.policy))
}

/// Looks for a role that reads where the account has none on the repository: on its project, or held by many.
fn by_others(facts: &Facts, name: &RepositoryName, reader: &Grantee, none: &str) -> Verdict {
    let (project, whom) = (&name.project, reader.whom());
    let seen = facts.repository(name);
    let fix = grant_reading(name, reader.clone());
    let on_project = seen.project_policy.known();
    let verdict = match on_project.map(|it| reads(facts, it, reader)) {
        Err(gap) => Verdict::unknown(&format!(
            "{none}, and the policy of {project} was not read: {}",
            gap.why
        ))
        .with(fix),
        Ok(Access::Yes { role } | Access::Conditional { role, .. }) => Verdict::warn(
            &format!("{whom} has {role} on all of {project}, not on the repository alone"),
            fix,
        ),
        Ok(Access::Unknown { role }) => {
            Verdict::unknown(&format!("what {role} on {project} carries was not read")).with(fix)
        }
        Ok(Access::Lapsed { .. } | Access::No) => match by_many(facts, reader, &seen) {
            Some(role) => Verdict::unknown(&format!(
                "a group or a domain has {role}, and whether {whom} is in it cannot be read"
            ))
            .with(fix),
            None => Verdict::fail(none, fix),
        },
    };
    verdict.seen(&seen.policy).seen(&seen.project_policy)
}

fn reads(facts: &Facts, policy: &Policy, reader: &Grantee) -> Access {
    policy.access(DOWNLOAD, &facts.custom_roles, facts.now, |it| {
        reader.is_covered_by(it)
    })
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
        let policy = it.known().ok()?;
        match policy.access(DOWNLOAD, &facts.custom_roles, facts.now, is_many) {
            Access::Lapsed { .. } | Access::No => None,
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
    let reading = facts.of_use(used).pull;
    let verdict = match &reading.seen {
        Seen::Known(()) => Verdict::pass("the first page came"),
        Seen::Absent => Verdict::fail(
            &format!("there is no image {} in {name}", used.address.image),
            repository::list_images(&used.project, &used.address),
        ),
        Seen::Denied(denial) => Verdict::fail(
            &symptoms::with_cause(&denial.message),
            mended(facts, used, denial)?,
        ),
        Seen::Unreachable { .. } | Seen::Skipped => {
            return reading.known().map(|()| Verdict::pass(""));
        }
    };
    Ok(verdict.seen(&reading))
}

/// Says what mends a refusal of a repository to a Project.
fn mended(facts: &Facts, used: &Use, denial: &Denial) -> Result<Fix, Gap> {
    let name = &used.address.repository;
    let reader = facts.reader_of(&used.project)?;
    let refuser = Refuser {
        project: &name.project,
        service: "artifactregistry.googleapis.com",
    };
    // Whoever was refused has a name: nobody else has a token.
    let grant = || match reader {
        Some(reader) => grant_reading(name, reader),
        None => repository::kubernetes_account(&used.project),
    };
    Ok(denial::of(facts, denial, refuser, grant))
}

pub(super) fn permissions(facts: &Facts, used: &Use) -> Answer {
    let name = &used.address.repository;
    let reading = facts.of_use(used).permissions;
    let held = reading.known()?;
    let extra: Vec<_> = held
        .iter()
        .filter(|it| BEYOND_READING.contains(&it.as_str()))
        .map(String::as_str)
        .collect();
    let verdict = if extra.is_empty() {
        Verdict::pass("it reads and no more")
    } else {
        let Some(who) = facts.reader_of(&used.project)? else {
            return Ok(Verdict::skip("there is no account that could have it"));
        };
        let fix = Fix::by(grants::of_writing(facts, name, &who)).and_advice(&format!(
            "leave the account {READER} alone, on this repository"
        ));
        Verdict::warn(&format!("it also has {}", extra.join(", ")), fix)
    };
    Ok(verdict.seen(&reading))
}

pub(super) fn listing(facts: &Facts, used: &Use) -> Answer {
    let reading = facts.of_use(used).listing;
    match &reading.seen {
        Seen::Denied(denial) => {
            let says = format!("{}; discovery asks tag by tag instead", denial.says());
            Ok(Verdict::warn(&says, mended(facts, used, denial)?).seen(&reading))
        }
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
    let verdict = if foreign.is_empty() {
        Verdict::pass("it reads only what the Project uses")
    } else {
        let Some(who) = facts.reader_of(project)? else {
            return Ok(Verdict::skip("there is no account that could read"));
        };
        let fix = Fix::by(only_its_own(facts, project, foreign, &who))
            .and_advice("grant reading on single repositories, not on projects");
        Verdict::warn(&format!("it also reads {names}"), fix)
    };
    Ok(verdict.seen(&reading))
}

/// Lets somebody read what a Project uses, and takes from them what lets them read the others.
fn only_its_own(
    facts: &Facts,
    project: &str,
    others: &[RepositoryName],
    who: &Grantee,
) -> Vec<Action> {
    let used = facts.uses().filter(|it| it.project == project);
    let own: BTreeSet<_> = used.map(|it| it.address.repository).collect();
    let grant = |name| {
        Action::Grant(RoleGrant::new(
            Resource::Repository(name),
            READER,
            who.clone(),
        ))
    };
    let mut actions: Vec<_> = own.into_iter().map(grant).collect();
    for revoke in others
        .iter()
        .flat_map(|it| grants::of_reading(facts, it, who))
    {
        // One grant on a project is found for each repository in it.
        if !actions.contains(&revoke) {
            actions.push(revoke);
        }
    }
    actions
}

pub(super) fn read_by_controller(facts: &Facts, name: &RepositoryName) -> Answer {
    let reading = facts
        .pod
        .direct_permissions
        .get(name)
        .cloned()
        .unwrap_or_default();
    let held = reading.known()?;
    if !held.iter().any(|it| it == DOWNLOAD) {
        return Ok(Verdict::pass("it reads nothing here").seen(&reading));
    }
    let controller = Grantee::Kubernetes(facts.principal()?);
    let fix = Fix::by(grants::of_reading(facts, name, &controller));
    let says = "it reads the repository itself, so every Project that falls back does";
    let verdict = match facts.intent.fallback {
        Fallback::Deny => Verdict::fail(says, fix),
        // Whoever lets Projects fall back may have meant just that.
        Fallback::IfAbsent | Fallback::Allow => Verdict::pass(says).with(fix),
    };
    Ok(verdict.seen(&reading))
}

fn grant_reading(name: &RepositoryName, reader: Grantee) -> Fix {
    Fix::by(vec![Action::Grant(RoleGrant::new(
        Resource::Repository(name.clone()),
        READER,
        reader,
    ))])
}
