//! May this principal do this, now? Deny rules first, then any binding on the resource or above it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::policy::{Binding, Earlier, Policy};
use crate::principal::Principal;
use crate::resource::ResourceName;
use crate::roles;
use crate::world::{DenyRule, World};

/// How long changes of policies take to count. Google's take minutes; the simulator's take none unless a fault says so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Propagation {
    pub(crate) grant: SignedDuration,
    pub(crate) revoke: SignedDuration,
    /// How many replicas take turns in answering; the last of them knows the newest policy already.
    pub(crate) replicas: u32,
}

impl Propagation {
    /// Lets the replica answer whose turn it is at a question, by the number of that.
    pub(crate) fn at(self, question: u32) -> Self {
        if self.replicas > 1 && question % self.replicas == self.replicas - 1 {
            return Self::default();
        }
        self
    }
}

/// Says whether `principal` has `permission` on `resource`.
pub(crate) fn allows(
    world: &World,
    principal: &Principal,
    permission: &str,
    resource: &ResourceName,
    now: Timestamp,
    propagation: Propagation,
) -> bool {
    let question = Question {
        world,
        principal,
        permission,
        resource,
        now,
        propagation,
    };
    let lineage = world.lineage(resource);
    !lineage.iter().any(|name| question.denied_at(name))
        && lineage
            .iter()
            .filter_map(|name| world.policy(name))
            .any(|policy| question.allowed_by(policy))
}

/// What a role contains, predefined or custom.
pub(crate) fn permissions_of<'a>(world: &'a World, role: &str) -> Option<&'a BTreeSet<String>> {
    if let Some(permissions) = roles::predefined(role) {
        return Some(permissions);
    }
    let mut parts = role.split('/');
    let (kind, owner) = (parts.next()?, parts.next()?);
    let id = parts.nth(1)?;
    let customs = match kind {
        "projects" => &world.project(owner)?.roles,
        "organizations" => &world.organization(owner)?.roles,
        _ => return None,
    };
    customs
        .iter()
        .find(|custom| custom.id == id && !custom.deleted)
        .map(|custom| &custom.included_permissions)
}

struct Question<'a> {
    world: &'a World,
    principal: &'a Principal,
    permission: &'a str,
    resource: &'a ResourceName,
    now: Timestamp,
    propagation: Propagation,
}

impl Question<'_> {
    /// Goes back through the changes of a policy to the newest that counts already.
    fn allowed_by(&self, policy: &Policy) -> bool {
        let mut after = self.any(&policy.bindings);
        for earlier in policy.earlier().iter().rev() {
            let before = self.any(&earlier.bindings);
            let delay = match (before, after) {
                (false, true) => self.propagation.grant,
                (true, false) => self.propagation.revoke,
                // It made no difference here.
                (true, true) | (false, false) => continue,
            };
            if self.has_spread(earlier, delay) {
                return after;
            }
            after = before;
        }
        after
    }

    /// Says whether a change counts; what takes no time counts by a clock that is behind too.
    fn has_spread(&self, earlier: &Earlier, delay: SignedDuration) -> bool {
        delay.is_zero() || self.now >= earlier.until + delay
    }

    fn any(&self, bindings: &[Binding]) -> bool {
        bindings.iter().any(|binding| {
            let condition = binding.condition.as_ref();
            permissions_of(self.world, &binding.role)
                .is_some_and(|permissions| permissions.contains(self.permission))
                && condition.is_none_or(|it| it.holds(self.resource, self.now))
                && self.means(&binding.members)
        })
    }

    fn means(&self, members: &[String]) -> bool {
        members
            .iter()
            .any(|member| self.principal.is_meant_by(member, &self.world.groups))
    }

    fn denied_at(&self, name: &ResourceName) -> bool {
        let rules: &[DenyRule] = match name {
            ResourceName::Organization { number } => {
                self.world.organization(number).map_or(&[], |it| &it.deny)
            }
            ResourceName::Folder { number } => self.world.folder(number).map_or(&[], |it| &it.deny),
            ResourceName::Project { project } => {
                self.world.project(project).map_or(&[], |it| &it.deny)
            }
            ResourceName::ServiceAccount { .. }
            | ResourceName::Repository { .. }
            | ResourceName::Topic { .. }
            | ResourceName::Subscription { .. } => &[],
        };
        rules.iter().any(|rule| self.denied_by(rule))
    }

    fn denied_by(&self, rule: &DenyRule) -> bool {
        let permission = deny_spelling(self.permission);
        rule.denied_permissions.contains(&permission)
            && self.in_deny_set(&rule.denied_principals)
            && !self.in_deny_set(&rule.exception_principals)
    }

    /// Deny rules spell accounts and everybody differently from allow policies.
    fn in_deny_set(&self, principals: &[String]) -> bool {
        principals.iter().any(|principal| {
            if principal == "principalSet://goog/public:all" {
                return true;
            }
            let account = "principal://iam.googleapis.com/projects/-/serviceAccounts/";
            match principal.strip_prefix(account) {
                Some(email) => self.principal.email() == Some(email),
                None => self.principal.is_meant_by(principal, &self.world.groups),
            }
        })
    }
}

/// `iam.serviceAccounts.getAccessToken` is `iam.googleapis.com/serviceAccounts.getAccessToken` in a deny rule.
fn deny_spelling(permission: &str) -> String {
    permission
        .split_once('.')
        .map_or_else(String::new, |(service, rest)| {
            format!("{service}.googleapis.com/{rest}")
        })
}

#[cfg(test)]
mod tests;
