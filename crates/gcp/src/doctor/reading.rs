//! Checks of whether accounts read the repositories that they should, and no others.

use std::collections::BTreeSet;

use super::grants::{self, Taking};
use super::{Answer, Verdict, kubernetes_token, symptoms};
use crate::Fallback;
use crate::facts::{Denial, Facts, Gap, Reading, Seen, Use};
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
        Ok(Access::Lapsed { .. } | Access::No) => from_above(facts, name, reader, none).with(fix),
    };
    verdict.seen(&seen.policy).seen(&seen.project_policy)
}

/// Looks for a role that reads on what is above the project of a repository; what was not read there may hold one.
fn from_above(facts: &Facts, name: &RepositoryName, reader: &Grantee, none: &str) -> Verdict {
    let whom = reader.whom();
    let above = match facts.policies_above(&name.project) {
        Ok(above) => above,
        Err(gap) => return Verdict::unknown(&format!("{none}, and {}", gap.why)),
    };
    let mut open = None;
    for (place, policy) in &above {
        let why = match policy.known().map(|it| reads(facts, it, reader)) {
            Ok(Access::Yes { role } | Access::Conditional { role, .. }) => {
                let says =
                    format!("{whom} has {role} on all of {place}, not on the repository alone");
                return Verdict::warn(&says, grant_reading(name, reader.clone())).seen(policy);
            }
            Ok(Access::Unknown { role }) => format!("what {role} on {place} carries was not read"),
            Ok(Access::Lapsed { .. } | Access::No) => continue,
            Err(gap) => format!(
                "{none}, and the policy of {place} was not read: {}",
                gap.why
            ),
        };
        open.get_or_insert_with(|| Verdict::unknown(&why).seen(policy));
    }
    let seen = facts.repository(name);
    let policies = [&seen.policy, &seen.project_policy].into_iter();
    let policies = policies.chain(above.iter().map(|(_, policy)| policy));
    if let Some(role) = by_many(facts, reader, policies) {
        return Verdict::unknown(&format!(
            "a group or a domain has {role}, and whether {whom} is in it cannot be read"
        ));
    }
    if let Some(gap) = may_read(facts, reader, &[&seen.policy, &seen.project_policy], &above) {
        return Verdict::unknown(&format!("{none}, and {}", gap.why));
    }
    open.unwrap_or_else(|| Verdict::fail(none, grant_reading(name, reader.clone())))
}

/// Says why it cannot be told whether a policy lets a Kubernetes account read, where a member may mean it.
fn may_read(
    facts: &Facts,
    reader: &Grantee,
    own: &[&Reading<Policy>],
    above: &[(String, Reading<Policy>)],
) -> Option<Gap> {
    let Grantee::Kubernetes(principal) = reader else {
        return None;
    };
    let above = above.iter().map(|(_, policy)| policy);
    let mut known = own
        .iter()
        .copied()
        .chain(above)
        .filter_map(|it| it.known().ok());
    known.find_map(|it| facts.may_hold(it, DOWNLOAD, principal))
}

fn reads(facts: &Facts, policy: &Policy, reader: &Grantee) -> Access {
    policy.access(DOWNLOAD, &facts.custom_roles, facts.now, |it| {
        reader.is_covered_by(facts, it)
    })
}

/// Finds a role that may read and is held by a group or a domain, whose members are not in any policy.
fn by_many<'a>(
    facts: &Facts,
    reader: &Grantee,
    mut policies: impl Iterator<Item = &'a Reading<Policy>>,
) -> Option<String> {
    // No federated identity is in a group or of a domain.
    if matches!(reader, Grantee::Kubernetes(_)) {
        return None;
    }
    let is_many = |it: &Member| matches!(it, Member::Group(_) | Member::Domain(_));
    policies.find_map(|it| {
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
    let reading = facts.of_use(used).pull;
    let verdict = match &reading.seen {
        Seen::Known(()) => Verdict::pass("the first page came"),
        Seen::Absent => no_image(facts, used),
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

/// A registry says of a repository that is missing what it says of an image, so both are named unless one was seen.
fn no_image(facts: &Facts, used: &Use) -> Verdict {
    let (name, image) = (&used.address.repository, &used.address.image);
    let fix = repository::list_images(&used.project, &used.address);
    if facts.repository(name).repository.known().is_ok() {
        return Verdict::fail(&format!("there is no image {image} in {name}"), fix);
    }
    let says = format!("there is no image {image} in {name}, or no such repository");
    Verdict::fail(
        &says,
        fix.and_advice("at a desk AR-REPO says whether the repository is there"),
    )
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
        let fix = grants::of_writing(facts, name, &who)
            .fix()
            .and_advice(&format!(
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
    let own: BTreeSet<_> = used_by(facts, project).collect();
    if facts.uses().all(|it| own.contains(&it.address.repository)) {
        return Ok(Verdict::skip(
            "no other Project that was looked at uses a repository of its own",
        ));
    }
    let foreign = facts.project(project).foreign_permissions;
    if foreign.is_empty() {
        return Reading::<()>::default().known().map(|()| Verdict::pass(""));
    }
    let reads = |reading: &Reading<Vec<String>>| {
        let held = reading.known();
        held.is_ok_and(|it| it.iter().any(|it| it == DOWNLOAD))
    };
    let leaks: Vec<_> = foreign.iter().filter(|(_, it)| reads(it)).collect();
    // What was found stays found, whatever else was not to be read.
    if leaks.is_empty() {
        let asked = foreign.values();
        return asked.clone().find_map(|it| it.found().err()).map_or_else(
            || {
                let verdict = Verdict::pass("it reads only what the Project uses");
                Ok(asked.fold(verdict, Verdict::seen))
            },
            Err,
        );
    }
    let Some(who) = facts.reader_of(project)? else {
        return Ok(Verdict::skip("there is no account that could read"));
    };
    let names: Vec<_> = leaks.iter().map(|(name, _)| (*name).clone()).collect();
    let fix = only_its_own(facts, project, &names, &who)
        .fix()
        .and_advice("grant reading on single repositories, not on projects");
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let verdict = Verdict::warn(&format!("it also reads {}", names.join(", ")), fix);
    let evidence = leaks.into_iter().map(|(_, reading)| reading);
    Ok(evidence.fold(verdict, Verdict::seen))
}

/// Lists the repositories that a Project uses.
fn used_by(facts: &Facts, project: &str) -> impl Iterator<Item = RepositoryName> {
    let used = facts.uses().filter(move |it| it.project == project);
    used.map(|it| it.address.repository)
}

/// Lets somebody read what a Project uses, and takes from them what lets them read the others.
fn only_its_own(facts: &Facts, project: &str, others: &[RepositoryName], who: &Grantee) -> Taking {
    let own: BTreeSet<_> = used_by(facts, project).collect();
    let grant = |name| {
        Action::Grant(RoleGrant::new(
            Resource::Repository(name),
            READER,
            who.clone(),
        ))
    };
    let mut all = Taking {
        actions: own.into_iter().map(grant).collect(),
        is_guessed: false,
    };
    for name in others {
        let taking = grants::of_reading(facts, name, who);
        all.is_guessed |= taking.is_guessed;
        for revoke in taking.actions {
            // One grant on a project is found for each repository in it.
            if !all.actions.contains(&revoke) {
                all.actions.push(revoke);
            }
        }
    }
    all
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
    let controller = super::accounts::controller_of(facts)?;
    let fix = grants::of_reading(facts, name, &controller).fix();
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
