//! Rules about who reads and writes the repositories in use.

use std::collections::BTreeSet;

use super::controller::revoke;
use super::{Found, Severity};
use crate::facts::{Facts, Source};
use crate::policy::{Carries, DOWNLOAD, Grant, Member, Policy, PoolMember, PoolSubject, UPLOAD};
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
            )
            .and_advice("leave it if the images are meant to be public");
            found.add(Severity::High, repository, says, seen_at, fix);
        }
    });
}

/// A11: promotions read; what pushes should be somebody else.
pub(super) fn writable(facts: &Facts, found: &mut Found) {
    let principal = facts.principal().ok();
    let names = facts.intent.projects.keys();
    let kubernetes: Vec<_> = names
        .filter_map(|it| facts.kubernetes_principal(it).ok())
        .collect();
    each_policy(facts, found, |found, repository, policy, seen_at| {
        for grant in policy.grants() {
            let of_project = |it: &Principal| grant.member.covers(it) && !grant.member.is_public();
            let is_ours = is_controller(&grant, principal.as_ref())
                || kubernetes.iter().any(of_project)
                || kargo_account(&grant.member).is_some();
            let writes = facts.custom_roles.carries(grant.role, UPLOAD);
            if is_ours && writes == Carries::Unknown {
                found.unread_role(repository, seen_at, grant.role);
            }
            if is_ours && writes == Carries::Yes {
                let says = format!(
                    "{} may write to {repository}, by {}",
                    grant.text, grant.role
                );
                let fix = revoke(
                    &Resource::Repository(repository.clone()),
                    grant.role,
                    grant.text,
                );
                found.add(Severity::High, repository, says, seen_at, fix);
            }
        }
    });
}

/// A12: with it, a Project without an account of its own reads what other Projects read.
pub(super) fn read_by_controller(facts: &Facts, found: &mut Found) {
    let principal = match facts.principal() {
        Ok(principal) => principal,
        Err(gap) => return found.gap("the controller", gap),
    };
    let carries = |grant: &Grant<'_>| {
        if is_controller(grant, Some(&principal)) {
            facts.custom_roles.carries(grant.role, DOWNLOAD)
        } else {
            Carries::No
        }
    };
    let reads = |grant: &Grant<'_>| carries(grant) == Carries::Yes;
    let may_read = |grant: &Grant<'_>| carries(grant) == Carries::Unknown;
    each_policy(facts, found, |found, repository, policy, seen_at| {
        for grant in policy.grants().filter(may_read) {
            found.unread_role(repository, seen_at, grant.role);
        }
        for grant in policy.grants().filter(reads) {
            let says = format!(
                "the controller reads {repository} itself, by {}",
                grant.role
            );
            let fix = revoke(
                &Resource::Repository(repository.clone()),
                grant.role,
                grant.text,
            );
            found.add(Severity::Medium, repository, says, seen_at, fix);
        }
    });
    let home = facts.home.known().ok().map(|it| it.project.clone());
    let mut done = BTreeSet::new();
    for (repository, seen) in &facts.repositories {
        let project = &repository.project;
        // Roles on the controller's own project are found by A01.
        if home.as_ref() == Some(project) || !done.insert(project) {
            continue;
        }
        let policy = match seen.project_policy.known() {
            Ok(policy) => policy,
            Err(gap) => {
                found.gap(format!("projects/{project}"), gap);
                continue;
            }
        };
        for grant in policy.grants().filter(reads) {
            let says = format!(
                "the controller reads every repository of {project}, by {}",
                grant.role
            );
            let fix = revoke(&Resource::Project(project.clone()), grant.role, grant.text);
            found.add(
                Severity::High,
                format!("projects/{project}"),
                says,
                &seen.project_policy.source,
                fix,
            );
        }
    }
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

fn is_controller(grant: &Grant<'_>, principal: Option<&Principal>) -> bool {
    principal.is_some_and(|it| grant.member.covers(it) && !grant.member.is_public())
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
        principal.is_ok_and(|it| member.covers(&it))
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

/// Visits the policy of every repository that was read.
fn each_policy(
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
