//! Rules about the accounts that Projects act as: who may be them, and whether they are looked after.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::controller::revoke;
use super::{Found, Severity};
use crate::facts::{Facts, Gap, ProjectFacts, Source};
use crate::policy::{
    self, Access, Carries, MINT, Member, Policy, PoolMember, PoolSubject, SIGN, TIGHT_MINTER,
};
use crate::principal::{Principal, ServiceAccountEmail};
use crate::setup::shell::command;
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

/// How long an account may go without being used.
pub(crate) const UNUSED_AFTER: SignedDuration = SignedDuration::from_hours(24 * 90);

/// A07: only the controller acts as a Project's account.
pub(super) fn other_minters(facts: &Facts, found: &mut Found) {
    each_policy(
        facts,
        found,
        |found, policy, seen_at, (email, principal)| {
            for grant in policy.grants().filter(|it| !it.member.is(principal)) {
                let is_nobody = policy::near_miss(&grant.member, principal)
                    .is_some_and(|miss| miss.reaches_nobody());
                if is_nobody || matches!(grant.member, Member::Deleted(_)) {
                    continue;
                }
                let role = facts.custom_roles.carries(grant.role, MINT);
                if role == Carries::Yes {
                    let says = format!(
                        "{} may act as {email}, by {}",
                        whom(&grant.member, grant.text),
                        grant.role
                    );
                    let fix = revoke(
                        &Resource::ServiceAccount(email.clone()),
                        grant.role,
                        grant.text,
                    );
                    found.add(danger(&grant.member), email, says, seen_at, fix);
                } else if role == Carries::Unknown {
                    found.unread_role(email, seen_at, grant.role);
                }
            }
        },
    );
}

/// A08
pub(super) fn keys(facts: &Facts, found: &mut Found) {
    each_account(facts, found, |found, seen, email| match seen.keys.found() {
        Ok(keys) => {
            for key in keys.into_iter().flatten() {
                let says = format!(
                    "{email} has the key {}, which whoever has a copy of can use",
                    key.id()
                );
                let fix = Fix::by(vec![Action::DisableKey {
                    email: email.clone(),
                    key: key.id().to_owned(),
                }])
                .and_advice("delete the key once nothing has broken");
                found.add(Severity::High, email, says, &seen.keys.source, fix);
            }
        }
        Err(gap) => found.gap(email, gap),
    });
}

/// A09
pub(super) fn unused(facts: &Facts, found: &mut Found) {
    each_account(facts, found, |found, seen, email| {
        match seen.last_used.found() {
            Ok(Some(last)) => {
                if last.is_none_or(|last| facts.now.duration_since(last) > UNUSED_AFTER) {
                    let says = format!("{email} was not used for 90 days");
                    found.add(
                        Severity::Medium,
                        email,
                        says,
                        &seen.last_used.source,
                        disable(email),
                    );
                }
            }
            Ok(None) => {}
            Err(gap) => found.gap(email, gap),
        }
    });
    orphans(facts, found);
}

/// A14: both spellings mean the same, and the older one is easily forgotten when the grant is taken back.
pub(super) fn legacy_members(facts: &Facts, found: &mut Found) {
    each_policy(
        facts,
        found,
        |found, policy, seen_at, (email, principal)| {
            for grant in policy.grants().filter(|it| it.member.is(principal)) {
                let is_legacy = matches!(grant.member, Member::LegacyKubernetesAccount { .. });
                if is_legacy && policy.grants_always(grant.role, &principal.to_string()) {
                    let says = format!(
                        "{} on {email} is granted to {} as well as to {principal}",
                        grant.role, grant.text
                    );
                    let fix = revoke(
                        &Resource::ServiceAccount(email.clone()),
                        grant.role,
                        grant.text,
                    );
                    found.add(Severity::Info, email, says, seen_at, fix);
                }
            }
        },
    );
}

/// A16
pub(super) fn leftovers(facts: &Facts, found: &mut Found) {
    each_account(facts, found, |found, seen, email| {
        match seen.account.found() {
            Ok(Some(account)) if account.disabled => {
                let fix = Fix::by(vec![Action::EnableServiceAccount {
                    email: email.clone(),
                }]);
                found.add(
                    Severity::Medium,
                    email,
                    format!("{email} is disabled"),
                    &seen.account.source,
                    fix,
                );
            }
            Ok(_) => {}
            Err(gap) => found.gap(email, gap),
        }
        if let Ok(policy) = seen.policy.known() {
            let resource = Resource::ServiceAccount(email.clone());
            of_the_deleted(found, &resource, policy, &seen.policy.source);
        }
    });
    for (name, seen) in &facts.repositories {
        if let Ok(policy) = seen.policy.known() {
            let resource = Resource::Repository(name.clone());
            of_the_deleted(found, &resource, policy, &seen.policy.source);
        }
    }
}

/// Finds the grants on one resource to those who are gone.
fn of_the_deleted(found: &mut Found, resource: &Resource, policy: &Policy, seen_at: &Source) {
    for grant in policy
        .grants()
        .filter(|it| matches!(it.member, Member::Deleted(_)))
    {
        let says = format!(
            "{} on {resource} is granted to {}, who is gone",
            grant.role, grant.text
        );
        let fix = revoke(resource, grant.role, grant.text);
        found.add(Severity::Medium, resource, says, seen_at, fix);
    }
}

/// A20
pub(super) fn key_secrets(facts: &Facts, found: &mut Found) {
    for project in facts.intent.projects.keys() {
        let reading = facts.project(project).key_secrets;
        match reading.known() {
            Ok(names) => {
                for name in names {
                    let resource = format!("secret {project}/{name}");
                    let says = "it holds a key of a service account, and wins over every identity without one".to_owned();
                    let fix = delete_secret(project, name)
                        .and_advice("run argosy gcp setup first, so that the Project has an identity without keys");
                    found.add(Severity::High, resource, says, &reading.source, fix);
                }
            }
            Err(gap) => found.gap(format!("secrets of {project}"), gap),
        }
    }
}

fn delete_secret(project: &str, name: &str) -> Fix {
    let delete = command(
        &["kubectl", "delete", "secret", name],
        &[("namespace", project)],
    );
    let removed = format!("# Remove the kubernetes_secret_v1 {name} of {project}.\n");
    Fix::commands(&[delete]).and_terraform(removed)
}

/// A22: reading needs tokens, never signatures.
pub(super) fn signing(facts: &Facts, found: &mut Found) {
    each_policy(
        facts,
        found,
        |found, policy, seen_at, (email, principal)| {
            let access = policy.access(SIGN[0], &facts.custom_roles, facts.now, |it| {
                it.is(principal)
            });
            if let Access::Yes { role } | Access::Conditional { role, .. } = access {
                let says = format!(
                    "{role} lets the controller sign as {email}, beyond getting tokens of it"
                );
                let on = |role: &str| {
                    RoleGrant::new(
                        Resource::ServiceAccount(email.clone()),
                        role,
                        Grantee::Kubernetes(principal.clone()),
                    )
                };
                let fix = Fix::by(vec![
                    Action::Grant(on(TIGHT_MINTER)),
                    Action::Revoke(on(&role)),
                ]);
                found.add(Severity::Low, email, says, seen_at, fix);
            }
        },
    );
}

/// A24
pub(super) fn near_misses(facts: &Facts, found: &mut Found) {
    each_policy(
        facts,
        found,
        |found, policy, seen_at, (email, principal)| {
            for grant in policy.grants() {
                if let Some(miss) = policy::near_miss(&grant.member, principal) {
                    let says = format!("{} {}; it should be {principal}", grant.text, miss.says());
                    let on = |member| {
                        RoleGrant::new(Resource::ServiceAccount(email.clone()), grant.role, member)
                    };
                    let fix = Fix::by(vec![
                        Action::Grant(on(Grantee::Kubernetes(principal.clone()))),
                        Action::Revoke(on(Grantee::Member(grant.text.to_owned()))),
                    ]);
                    found.add(Severity::Medium, email, says, seen_at, fix);
                }
            }
        },
    );
}

fn danger(member: &Member) -> Severity {
    match member {
        Member::AllUsers
        | Member::AllAuthenticatedUsers
        | Member::Pool(PoolMember {
            subject: PoolSubject::Everyone,
            ..
        }) => Severity::Critical,
        _ => Severity::High,
    }
}

fn whom(member: &Member, text: &str) -> String {
    match member {
        Member::Pool(pool) => format!("{} ({text})", pool.subject),
        Member::AllUsers => "anybody".to_owned(),
        Member::AllAuthenticatedUsers => "anybody with an account of Google".to_owned(),
        _ => text.to_owned(),
    }
}

/// Lists the accounts that are usable and whose Project is gone.
pub(crate) fn orphaned(facts: &Facts) -> Result<Vec<ServiceAccountEmail>, Gap> {
    let accounts = facts.accounts.known()?;
    let live = facts.live_projects.known()?.iter();
    let live: BTreeSet<_> = live.map(String::as_str).collect();
    let usable = accounts.iter().filter(|it| !it.disabled);
    let emails = usable.filter_map(|it| ServiceAccountEmail::parse(&it.email).ok());
    let is_left =
        |it: &ServiceAccountEmail| it.kargo_project().is_some_and(|it| !live.contains(it));
    Ok(emails.filter(is_left).collect())
}

fn orphans(facts: &Facts, found: &mut Found) {
    let left = match orphaned(facts) {
        Ok(left) => left,
        Err(gap) => return found.gap("accounts without a Project", gap),
    };
    for email in left {
        let project = email.kargo_project().unwrap_or_default();
        let says =
            format!("there is no Project {project}; whoever makes one of that name is {email}");
        found.add(
            Severity::Medium,
            &email,
            says,
            &facts.accounts.source,
            disable(&email),
        );
    }
}

fn disable(email: &ServiceAccountEmail) -> Fix {
    Fix::by(vec![Action::DisableServiceAccount {
        email: email.clone(),
    }])
}

/// Visits every Project that can have an account.
pub(super) fn each_account(
    facts: &Facts,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, &ProjectFacts, &ServiceAccountEmail),
) {
    for project in facts.intent.projects.keys() {
        match facts.account_of(project) {
            Ok(Ok(email)) => visit(found, &facts.project(project), &email),
            Ok(Err(_)) => {}
            Err(gap) => found.gap(project, gap),
        }
    }
}

/// Visits every account whose policy was read, with who the controller is.
fn each_policy(
    facts: &Facts,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, &Policy, &Source, (&ServiceAccountEmail, &Principal)),
) {
    let principal = match facts.principal() {
        Ok(principal) => principal,
        Err(gap) => return found.gap("the controller", gap),
    };
    each_account(facts, found, |found, seen, email| {
        match seen.policy.found() {
            Ok(Some(policy)) => visit(found, policy, &seen.policy.source, (email, &principal)),
            Ok(None) => {}
            Err(gap) => found.gap(email, gap),
        }
    });
}
