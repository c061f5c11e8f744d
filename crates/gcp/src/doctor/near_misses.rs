//! The check of grants that were meant for the controller and miss it, or that name it as nobody does any more.

use super::accounts::email;
use super::{Answer, Verdict};
use crate::facts::Facts;
use crate::policy::{Carries, Grant, MINT, Member, near_miss};
use crate::principal::{Principal, ServiceAccountEmail};
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

pub(super) fn of_account(facts: &Facts, project: &str) -> Answer {
    let reading = facts.project(project).policy;
    let Some(policy) = reading.found()? else {
        return Ok(Verdict::skip(
            "there is no account, so nothing is granted on it",
        ));
    };
    let principal = facts.principal()?;
    let Some(email) = email(facts, project)? else {
        return Ok(Verdict::skip(
            "there is no account, so nothing is granted on it",
        ));
    };
    // A role that lets nobody act as the account was meant for something else.
    let roles = &facts.custom_roles;
    let minting = policy.grants();
    let minting: Vec<_> = minting
        .filter(|it| roles.carries(it.role, MINT) != Carries::No)
        .collect();
    let mut misses = minting
        .iter()
        .filter_map(|it| near_miss(&it.member, &principal).map(|miss| (it, miss)));
    let Some((grant, miss)) = misses.next() else {
        return Ok(spelling(facts, &principal, &email, &minting).seen(&reading));
    };
    let says = format!(
        "{} has {} but {}\n- {}\n+ {principal}",
        grant.text,
        grant.role,
        miss.says(),
        grant.text
    );
    let on = |member| RoleGrant::new(Resource::ServiceAccount(email.clone()), grant.role, member);
    let fix = Fix::by(vec![
        Action::Grant(on(Grantee::Kubernetes(principal.clone()))),
        Action::Revoke(on(Grantee::Member(grant.text.to_owned()))),
    ]);
    let works = policy
        .access(MINT, &facts.custom_roles, facts.now, |it| {
            facts.covers(it, &principal)
        })
        .is_granted();
    let verdict = if works {
        Verdict::warn(&says, fix)
    } else {
        Verdict::fail(&says, fix)
    };
    Ok(verdict.seen(&reading))
}

/// Asks for a grant in today's spelling where only the older one works for the controller.
fn spelling(
    facts: &Facts,
    principal: &Principal,
    email: &ServiceAccountEmail,
    minting: &[Grant<'_>],
) -> Verdict {
    let is_legacy = |it: &&Grant<'_>| matches!(it.member, Member::LegacyKubernetesAccount { .. });
    let theirs = minting
        .iter()
        .filter(|it| facts.covers(&it.member, principal));
    let (legacy, modern): (Vec<_>, Vec<_>) = theirs.partition(is_legacy);
    let Some(legacy) = legacy.first().filter(|_| modern.is_empty()) else {
        return Verdict::pass("no grant looks like a slip");
    };
    let (role, text) = (legacy.role, legacy.text);
    let says =
        format!("{text} has {role}, which works; today it is spelled\n- {text}\n+ {principal}");
    let on = |member| RoleGrant::new(Resource::ServiceAccount(email.clone()), role, member);
    let fix = Fix::by(vec![
        Action::Grant(on(Grantee::Kubernetes(principal.clone()))),
        Action::Revoke(on(Grantee::Member(text.to_owned()))),
    ]);
    Verdict::warn(&says, fix)
}
