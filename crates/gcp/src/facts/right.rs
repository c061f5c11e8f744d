//! By what the controller may act as the account of a Project: by a role on the account, or on what holds it.

use super::{Facts, Gap, ProjectFacts, Source};
use crate::policy::{Access, MINT, Policy};

/// By what the controller may act as the account of a Project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Right {
    OnAccount {
        role: String,
        /// The condition without which it does not count.
        only: Option<String>,
    },
    /// On the project of the account, or on something above that.
    Above {
        role: String,
        place: String,
    },
    None,
}

/// Finds by what the controller may act as an account.
///
/// # Errors
/// [`Gap`] where it is not on the account itself and what else could grant it was not read.
pub(crate) fn right(facts: &Facts, seen: &ProjectFacts) -> Result<Right, Gap> {
    let principal = facts.principal()?;
    let on = |policy: &Policy| {
        policy.access(MINT, &facts.custom_roles, facts.now, |it| {
            facts.covers(it, &principal)
        })
    };
    let unread = |role: &str, seen_at: &Source| Gap {
        source: seen_at.clone(),
        why: format!("what {role} carries was not read"),
        skipped: false,
    };
    let policy = seen.policy.known()?;
    match on(policy) {
        Access::Yes { role } => return Ok(Right::OnAccount { role, only: None }),
        Access::Conditional { role, expression } => {
            let only = Some(expression);
            return Ok(Right::OnAccount { role, only });
        }
        Access::Unknown { role } => return Err(unread(&role, &seen.policy.source)),
        Access::Lapsed { .. } | Access::No => {}
    }
    if let Some(gap) = facts.may_hold(policy, MINT, &principal) {
        return Err(gap);
    }
    let own = format!("projects/{}", facts.home.known()?.project);
    let above = facts.ancestor_policies.iter();
    let mut open = None;
    for (place, policy) in std::iter::once((&own, &facts.home_policy)).chain(above) {
        let gap = match policy.known().map(on) {
            Ok(Access::Yes { role } | Access::Conditional { role, .. }) => {
                let place = place.clone();
                return Ok(Right::Above { role, place });
            }
            Ok(Access::Unknown { role }) => unread(&role, &policy.source),
            Ok(Access::Lapsed { .. } | Access::No) => continue,
            Err(gap) => Gap {
                why: format!(
                    "it has no role on the account itself, and the policy of {place} was not read: {}",
                    gap.why
                ),
                ..gap
            },
        };
        open.get_or_insert(gap);
    }
    match open {
        None => Ok(Right::None),
        Some(gap) => Err(gap),
    }
}
