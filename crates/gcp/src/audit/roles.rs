//! Rules about the roles that the accounts of Projects hold: each needs to read some repositories, and no more.

use super::accounts::each_account;
use super::places::{everywhere, full_name, revoke_by_name, what_was_not_searched};
use super::{Found, Severity};
use crate::facts::{Facts, FoundGrant};
use crate::policy::{self, Carries, UPLOAD};

/// What a role that a Project's account holds somewhere amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excess {
    Basic,
    Writing,
    WideReading,
    Other,
}

/// A03
pub(super) fn basic_roles(facts: &Facts, found: &mut Found) {
    excess(facts, found, Excess::Basic);
}

/// A04
pub(super) fn writing_roles(facts: &Facts, found: &mut Found) {
    excess(facts, found, Excess::Writing);
}

/// A05
pub(super) fn project_wide_reading(facts: &Facts, found: &mut Found) {
    excess(facts, found, Excess::WideReading);
}

/// A06
pub(super) fn other_roles(facts: &Facts, found: &mut Found) {
    excess(facts, found, Excess::Other);
}

fn excess(facts: &Facts, found: &mut Found, wanted: Excess) {
    let mut has_accounts = false;
    each_account(facts, found, |found, seen, email| {
        has_accounts = true;
        match seen.grants.found() {
            Ok(grants) => {
                let excessive = grants.into_iter().flatten();
                for grant in excessive.filter(|it| excess_of(facts, it) == Some(wanted)) {
                    let says = format!("{email} has {} on {}", grant.role, grant.resource);
                    let fix = revoke_by_name(facts, &grant.resource, &grant.role, &email.member());
                    let severity = weight(wanted, &grant.role);
                    found.add(severity, email, says, &grant.seen_at, fix);
                }
            }
            Err(gap) => found.gap(email, gap),
        }
    });
    let has_kubernetes_accounts = of_kubernetes_accounts(facts, found, wanted);
    if has_accounts || has_kubernetes_accounts {
        what_was_not_searched(facts, found);
    }
}

/// Finds the same for the Kubernetes accounts that act for Projects; says whether there are any.
fn of_kubernetes_accounts(facts: &Facts, found: &mut Found, wanted: Excess) -> bool {
    let mut are_there = false;
    for project in facts.intent.projects.keys() {
        let principal = match facts.acting_as(project) {
            Ok(Some(principal)) => principal,
            Ok(None) => continue,
            Err(gap) if gap.skipped => continue,
            Err(gap) => {
                found.gap(format!("who acts for {project}"), gap);
                continue;
            }
        };
        are_there = true;
        for held in everywhere(facts)
            .iter()
            .filter(|it| it.grant.member.is_pod())
        {
            let grant = FoundGrant {
                resource: full_name(held),
                role: held.grant.role.to_owned(),
                seen_at: held.seen_at.clone(),
            };
            let is_wanted = excess_of(facts, &grant) == Some(wanted);
            if is_wanted && found.reaches(facts, held, &principal) {
                let says = format!(
                    "{}, which is or holds who {project} acts as, has {} on {}",
                    held.grant.text, grant.role, grant.resource
                );
                let severity = weight(wanted, &grant.role);
                let fix = held.take_back(facts);
                found.add(severity, &principal.account, says, held.seen_at, fix);
            }
        }
    }
    are_there
}

/// Says what a grant amounts to; reading a repository is what the account is for.
fn excess_of(facts: &Facts, grant: &FoundGrant) -> Option<Excess> {
    let is_reader = matches!(
        grant.role.as_str(),
        policy::READER | "roles/artifactregistry.viewer"
    );
    let writes = facts.custom_roles.carries(&grant.role, UPLOAD) == Carries::Yes;
    match () {
        () if policy::is_basic(&grant.role) => Some(Excess::Basic),
        () if is_reader && grant.repository().is_some() => None,
        () if is_reader => Some(Excess::WideReading),
        // The policies of repositories that were read are looked at by A11.
        () if writes && is_read(facts, grant) => None,
        () if writes => Some(Excess::Writing),
        () => Some(Excess::Other),
    }
}

/// Says whether a grant is on a repository whose policy was read.
fn is_read(facts: &Facts, grant: &FoundGrant) -> bool {
    let Some(wanted) = grant.repository() else {
        return false;
    };
    let mut read = facts.repositories.iter();
    read.any(|(name, seen)| name.to_string() == wanted && seen.policy.known().is_ok())
}

fn weight(excess: Excess, role: &str) -> Severity {
    match excess {
        Excess::Basic if role == "roles/viewer" => Severity::High,
        Excess::Basic => Severity::Critical,
        Excess::Writing => Severity::High,
        Excess::WideReading | Excess::Other => Severity::Medium,
    }
}
