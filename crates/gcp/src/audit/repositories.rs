//! Rules about who reads and writes the repositories in use.

use std::collections::BTreeSet;

use super::places::{Held, on_other_repositories, revoke, roles, what_was_not_searched};
use super::{Found, Severity};
use crate::facts::{Facts, Source};
use crate::policy::{Carries, DOWNLOAD, Member, Policy, PoolMember, PoolSubject, UPLOAD};
use crate::principal::{KubernetesAccount, PROJECT_ACCOUNT, Principal, ServiceAccountEmail};
use crate::repository::RepositoryName;
use crate::setup::Resource;
use crate::setup::repair::repository::create;

/// A10
pub(super) fn public(facts: &Facts, found: &mut Found) {
    each_policy(facts, found, |found, repository, policy, seen_at| {
        for grant in policy.grants().filter(|it| it.member.is_public()) {
            let says = format!("{} has {} on {repository}", grant.text, grant.role);
            let fix = revoke(
                &Resource::Repository(repository.clone()),
                grant.role,
                grant.text,
            );
            let only_reads = facts.custom_roles.carries(grant.role, UPLOAD) == Carries::No;
            if only_reads && facts.intent.public.contains(repository) {
                found
                    .add(Severity::High, repository, says, seen_at, fix)
                    .is_as_meant(format!("--public {repository}"));
            } else {
                let fix = fix.and_advice(
                    "leave it if the images are meant to be public, and say so to argosy gcp audit with --public REPOSITORY",
                );
                found.add(Severity::High, repository, says, seen_at, fix);
            }
        }
    });
}

/// A11: promotions read; what pushes should be somebody else.
pub(super) fn writable(facts: &Facts, found: &mut Found) {
    let controller = facts.principal();
    if let Err(gap) = &controller {
        found.gap("the controller", gap.clone());
    }
    let controller = controller.ok();
    let names = facts.intent.projects.keys();
    let kubernetes: Vec<_> = names
        .filter_map(|it| facts.kubernetes_principal(it).ok())
        .collect();
    let ours: Vec<_> = controller.iter().cloned().chain(kubernetes).collect();
    each_role(facts, found, |found, held| {
        let role = held.grant.role;
        let writes = facts.custom_roles.carries(role, UPLOAD);
        let is_ours = writes != Carries::No
            && (kargo_account(&held.grant.member).is_some()
                || ours.iter().any(|it| facts.covers(&held.grant.member, it))
                    && !held.grant.member.is_public());
        match writes {
            Carries::Yes if is_ours => writer(facts, found, held),
            Carries::Unknown if is_ours => found.unread_role(&held.place, held.seen_at, role),
            // Whether it is the controller may be open.
            Carries::Yes | Carries::Unknown => {
                ours.first().map(|it| found.reaches(facts, held, it));
            }
            Carries::No => {}
        }
    });
    if let Some(controller) = &controller {
        for held in on_other_repositories(facts) {
            let writes = facts.custom_roles.carries(held.grant.role, UPLOAD) == Carries::Yes;
            if writes && found.reaches(facts, &held, controller) {
                writer(facts, found, &held);
            }
        }
    }
    what_was_not_searched(facts, found);
}

fn writer(facts: &Facts, found: &mut Found, held: &Held<'_>) {
    let (role, text) = (held.grant.role, held.grant.text);
    let says = format!("{text} may write to {}, by {role}", held.place);
    let fix = held.take_back(facts);
    found.add(Severity::High, &held.place, says, held.seen_at, fix);
}

/// A12: with it, a Project without an account of its own reads what other Projects read.
pub(super) fn read_by_controller(facts: &Facts, found: &mut Found) {
    let principal = match facts.principal() {
        Ok(principal) => principal,
        Err(gap) => return found.gap("the controller", gap),
    };
    each_role(facts, found, |found, held| {
        let says = format!("the controller reads {} itself", held.place);
        reader(facts, found, held, (&principal, Severity::Medium, &says));
    });
    for held in on_other_repositories(facts) {
        let says = format!("the controller reads {} itself", held.place);
        reader(facts, found, &held, (&principal, Severity::Medium, &says));
    }
    let home = facts.home.known().ok().map(|it| it.project.clone());
    let mut done = BTreeSet::new();
    for (repository, seen) in &facts.repositories {
        let project = &repository.project;
        // Roles on the controller's own project are found by A01.
        if home.as_ref() == Some(project) || !done.insert(project) {
            continue;
        }
        let resource = Resource::Project(project.clone());
        let policy = match seen.project_policy.known() {
            Ok(policy) => policy,
            Err(gap) => {
                found.gap(resource, gap);
                continue;
            }
        };
        for held in roles(&resource, policy, &seen.project_policy.source) {
            let says = format!("the controller reads every repository of {project}");
            reader(facts, found, &held, (&principal, Severity::High, &says));
        }
    }
    what_was_not_searched(facts, found);
}

/// Finds one role if it lets the controller read.
fn reader(
    facts: &Facts,
    found: &mut Found,
    held: &Held<'_>,
    (controller, severity, says): (&Principal, Severity, &str),
) {
    let role = held.grant.role;
    let reads = facts.custom_roles.carries(role, DOWNLOAD);
    if reads == Carries::No || !found.reaches(facts, held, controller) {
        return;
    }
    if reads == Carries::Unknown {
        return found.unread_role(&held.place, held.seen_at, role);
    }
    let says = format!("{says}, by {role}");
    let fix = held.take_back(facts);
    found.add(severity, &held.place, says, held.seen_at, fix);
}

/// A13: by service accounts and by Kubernetes accounts.
pub(super) fn shared_by_projects(facts: &Facts, found: &mut Found) {
    each_policy(facts, found, |found, repository, policy, seen_at| {
        let members = policy.grants().map(|it| it.member);
        let projects: BTreeSet<_> = members.flat_map(|it| kargo_projects(facts, &it)).collect();
        if projects.len() > 1 {
            let last = projects.last().cloned().unwrap_or_default();
            let own = RepositoryName {
                repository: format!("{}-{last}", repository.repository),
                ..repository.clone()
            };
            let names = projects.into_iter().collect::<Vec<_>>().join(", ");
            let says = format!("{repository} is read by the Projects {names}");
            let fix = create(&own)
                .and_advice("leave it where the Projects belong together, else give each its own");
            found.add(Severity::Info, repository, says, seen_at, fix);
        }
    });
}

/// Finds the account of a Project that a member is.
fn kargo_account(member: &Member) -> Option<ServiceAccountEmail> {
    let Member::ServiceAccount(email) = member else {
        return None;
    };
    let email = ServiceAccountEmail::parse(email).ok()?;
    email.kargo_project().is_some().then_some(email)
}

/// Lists the Projects that read as a member: by its service account, by its Kubernetes account, or by a set that holds that.
fn kargo_projects(facts: &Facts, member: &Member) -> Vec<String> {
    if let Some(email) = kargo_account(member) {
        return email
            .kargo_project()
            .map(str::to_owned)
            .into_iter()
            .collect();
    }
    if member.is_public() {
        return Vec::new();
    }
    let named = kubernetes_account(member).filter(|it| it.name == PROJECT_ACCOUNT);
    let named = named.map(|it| it.namespace.clone());
    // A set holds an account that is there; one that is named counts as a service account that is named does.
    let has_account = |it: &&String| facts.project(it).kubernetes_account.known().is_ok();
    let held = facts.intent.projects.keys().filter(has_account).cloned();
    let is_covered = |it: &String| {
        let principal = facts.kubernetes_principal(it);
        principal.is_ok_and(|it| facts.covers(member, &it))
    };
    named.into_iter().chain(held).filter(is_covered).collect()
}

/// Finds the Kubernetes account that a member names.
fn kubernetes_account(member: &Member) -> Option<&KubernetesAccount> {
    match member {
        Member::Pool(PoolMember {
            subject: PoolSubject::Account(account),
            ..
        })
        | Member::LegacyKubernetesAccount { account, .. } => Some(account),
        _ => None,
    }
}

/// Visits every role on a repository that was read.
fn each_role(facts: &Facts, found: &mut Found, mut visit: impl FnMut(&mut Found, &Held<'_>)) {
    each_policy(facts, found, |found, repository, policy, seen_at| {
        for held in roles(&Resource::Repository(repository.clone()), policy, seen_at) {
            visit(found, &held);
        }
    });
}

/// Visits the policy of every repository that was read.
pub(super) fn each_policy(
    facts: &Facts,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, &RepositoryName, &Policy, &Source),
) {
    let used = facts.uses().map(|it| it.address.repository);
    let names: BTreeSet<_> = used.chain(facts.repositories.keys().cloned()).collect();
    for name in names {
        let seen = facts.repository(&name);
        match seen.policy.found() {
            Ok(Some(policy)) => visit(found, &name, policy, &seen.policy.source),
            Ok(None) => {}
            Err(gap) => found.gap(name, gap),
        }
    }
}
