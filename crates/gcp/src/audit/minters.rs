//! Rules about who may act as the accounts of Projects: the controller, by the narrowest role, and nobody else.

use super::accounts::each_account;
use super::places::{Held, each_policy_above_accounts, roles};
use super::{Found, Severity};
use crate::facts::{Facts, Reach, Source};
use crate::policy::{
    self, Carries, MINT, Member, Policy, PoolMember, PoolSubject, SIGN, TIGHT_MINTER,
    is_service_agent_role,
};
use crate::principal::{Principal, ServiceAccountEmail};
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

/// A07: only the controller acts as a Project's account.
pub(super) fn other_minters(facts: &Facts, found: &mut Found) {
    each_policy(facts, found, |found, seen| {
        for held in seen.roles() {
            let member = &held.grant.member;
            if is_nobody(member, seen.principal) {
                continue;
            }
            match facts.names(member, seen.principal) {
                Reach::Yes => {}
                Reach::No => {
                    let may = format!("may act as {}", seen.email);
                    other_minter(facts, found, &held, &may, danger(member));
                }
                Reach::Unknown(gap) => found.gap(&held.place, gap),
            }
        }
    });
    minters_of_all(facts, found);
}

/// Finds who may act as every account; where those are Pods, A02 does.
fn minters_of_all(facts: &Facts, found: &mut Found) {
    let principal = facts.principal().ok();
    each_policy_above_accounts(facts, found, |found, resource, policy, reading| {
        for held in roles(resource, policy, &reading.source) {
            let member = &held.grant.member;
            let is_nobody = principal.as_ref().is_some_and(|it| is_nobody(member, it));
            // What Google's own agents do with their own roles is the service that somebody uses.
            let is_service = member.is_agent() && is_service_agent_role(held.grant.role);
            if !member.is_pod() && !is_nobody && !is_service {
                let may = format!("may act as every account below {resource}");
                other_minter(facts, found, &held, &may, Severity::Critical);
            }
        }
    });
}

/// Finds one role if it lets somebody act.
fn other_minter(facts: &Facts, found: &mut Found, held: &Held<'_>, may: &str, severity: Severity) {
    let (role, member) = (held.grant.role, &held.grant.member);
    match facts.custom_roles.carries(role, MINT) {
        Carries::Yes => {
            let says = format!("{} {may}, by {role}", whom(member, held.grant.text));
            let fix = held.take_back(facts);
            found
                .add(severity, &held.place, says, held.seen_at, fix)
                .unless_expected(facts, member);
        }
        Carries::Unknown => found.unread_role(&held.place, held.seen_at, role),
        Carries::No => {}
    }
}

/// Says whether a member is nobody: a slip that A24 finds, or what is left of somebody, which A16 does.
fn is_nobody(member: &Member, principal: &Principal) -> bool {
    let miss = policy::near_miss(member, principal);
    miss.is_some_and(|it| it.reaches_nobody()) || matches!(member, Member::Deleted(_))
}

/// A14: both spellings mean the same, and the older one is easily forgotten when a grant is taken back.
pub(super) fn legacy_members(facts: &Facts, found: &mut Found) {
    each_policy(facts, found, |found, seen| {
        let principal = seen.principal;
        for held in seen.roles().filter(|it| it.grant.member.is(principal)) {
            let (role, text) = (held.grant.role, held.grant.text);
            if !matches!(held.grant.member, Member::LegacyKubernetesAccount { .. }) {
                continue;
            }
            let (says, fix) = if seen.policy.grants_always(role, &principal.to_string()) {
                let says = format!(
                    "{role} on {} is granted to {text} as well as to {principal}",
                    seen.email
                );
                (says, held.take_back(facts))
            } else {
                let says = format!(
                    "{role} on {} is granted to {text}, the older spelling of {principal}",
                    seen.email
                );
                let newer = Action::Grant(seen.role(role, Grantee::Kubernetes(principal.clone())));
                let older = Action::Revoke(seen.role(role, Grantee::Member(text.to_owned())));
                (says, Fix::by(vec![newer, older]))
            };
            found.add(Severity::Info, seen.email, says, held.seen_at, fix);
        }
    });
}

/// A22: reading needs tokens, never signatures.
pub(super) fn signing(facts: &Facts, found: &mut Found) {
    each_policy(facts, found, |found, seen| {
        for held in seen.roles() {
            let role = held.grant.role;
            let condition = held.grant.condition;
            let is_over = condition.is_some_and(|it| it.holds(facts.now) == Some(false));
            let signs = signs(facts, role);
            if is_over || signs == Carries::No {
                continue;
            }
            match facts.names(&held.grant.member, seen.principal) {
                Reach::Yes if signs == Carries::Unknown => {
                    found.unread_role(seen.email, held.seen_at, role);
                }
                Reach::Yes => {
                    let says = format!(
                        "{role} lets the controller sign as {}, beyond getting tokens of it",
                        seen.email
                    );
                    let narrower = Grantee::Kubernetes(seen.principal.clone());
                    let held_by = Grantee::Member(held.grant.text.to_owned());
                    let fix = Fix::by(vec![
                        Action::Grant(seen.role(TIGHT_MINTER, narrower)),
                        Action::Revoke(seen.role(role, held_by)),
                    ]);
                    found.add(Severity::Low, seen.email, says, held.seen_at, fix);
                }
                Reach::No => {}
                Reach::Unknown(gap) => found.gap(seen.email, gap),
            }
        }
    });
}

/// Says whether a role carries any of the permissions to sign.
fn signs(facts: &Facts, role: &str) -> Carries {
    let mut all = SIGN.iter().map(|it| facts.custom_roles.carries(role, it));
    all.find(|it| *it != Carries::No).unwrap_or(Carries::No)
}

/// A24
pub(super) fn near_misses(facts: &Facts, found: &mut Found) {
    each_policy(facts, found, |found, seen| {
        let principal = seen.principal;
        for held in seen.roles() {
            let (role, text) = (held.grant.role, held.grant.text);
            // A role that lets nobody act as the account was meant for something else.
            if facts.custom_roles.carries(role, MINT) == Carries::No {
                continue;
            }
            if let Some(miss) = policy::near_miss(&held.grant.member, principal) {
                let says = format!("{text} {}; it should be {principal}", miss.says());
                let right = Grantee::Kubernetes(principal.clone());
                let fix = Fix::by(vec![
                    Action::Grant(seen.role(role, right)),
                    Action::Revoke(seen.role(role, Grantee::Member(text.to_owned()))),
                ]);
                found.add(Severity::Medium, seen.email, says, held.seen_at, fix);
            }
        }
    });
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

/// The policy on the account of a Project, and who the controller is.
pub(super) struct OnAccount<'a> {
    email: &'a ServiceAccountEmail,
    principal: &'a Principal,
    policy: &'a Policy,
    seen_at: &'a Source,
}

impl<'a> OnAccount<'a> {
    /// Lists what is granted on the account.
    pub(super) fn roles(&self) -> impl Iterator<Item = Held<'a>> + use<'a> {
        let place = Resource::ServiceAccount(self.email.clone());
        let email = self.email.to_string();
        roles(&place, self.policy, self.seen_at).map(move |it| Held {
            place: email.clone(),
            ..it
        })
    }

    fn role(&self, role: &str, member: Grantee) -> RoleGrant {
        RoleGrant::new(Resource::ServiceAccount(self.email.clone()), role, member)
    }
}

/// Visits every account whose policy was read, with who the controller is.
pub(super) fn each_policy(
    facts: &Facts,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, OnAccount<'_>),
) {
    let principal = match facts.principal() {
        Ok(principal) => principal,
        Err(gap) => return found.gap("the controller", gap),
    };
    each_account(facts, found, |found, seen, email| {
        match seen.policy.found() {
            Ok(Some(policy)) => visit(
                found,
                OnAccount {
                    email,
                    principal: &principal,
                    policy,
                    seen_at: &seen.policy.source,
                },
            ),
            Ok(None) => {}
            Err(gap) => found.gap(email, gap),
        }
    });
}
