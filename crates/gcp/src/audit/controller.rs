//! Rules about what the controller's own identity may do.

use super::{Found, Severity};
use crate::facts::{Facts, Reading};
use crate::policy::{Carries, MINT, Member, Policy};
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

/// The annotation that ties a Kubernetes account to a Google one.
pub(crate) const ANNOTATION: &str = "iam.gke.io/gcp-service-account";

/// A01: the controller needs no role on more than single accounts.
pub(super) fn broad_roles(facts: &Facts, found: &mut Found) {
    let principal = match facts.principal() {
        Ok(principal) => principal,
        Err(gap) => return found.gap("the controller", gap),
    };
    each_wide_policy(facts, found, |found, resource, policy, reading| {
        for grant in policy
            .grants()
            .filter(|it| it.member.covers(&principal) && !it.member.is_public())
        {
            if facts.custom_roles.carries(grant.role, MINT) != Carries::Yes {
                let says = format!("{} has {} on {resource}", grant.text, grant.role);
                found.add(
                    Severity::High,
                    resource,
                    says,
                    &reading.source,
                    revoke(resource, grant.role, grant.text),
                );
            }
        }
    });
}

/// A02: minting belongs on single accounts; on a project it reaches all of them.
pub(super) fn project_wide_minting(facts: &Facts, found: &mut Found) {
    each_wide_policy(facts, found, |found, resource, policy, reading| {
        for grant in policy.grants() {
            let is_pod = matches!(
                grant.member,
                Member::Pool(_) | Member::LegacyKubernetesAccount { .. }
            );
            let mints = facts.custom_roles.carries(grant.role, MINT);
            if is_pod && mints == Carries::Unknown {
                found.unread_role(resource, &reading.source, grant.role);
            }
            if is_pod && mints == Carries::Yes {
                let says = format!(
                    "{} may act as every account below {resource}, by {}",
                    grant.text, grant.role
                );
                let fix = revoke(resource, grant.role, grant.text)
                    .and_advice("grant the role on the account of each Project instead: argosy gcp setup writes it");
                found.add(Severity::Critical, resource, says, &reading.source, fix);
            }
        }
    });
}

/// A17: with the annotation, the Pod is a Google account and no longer the principal that grants name.
pub(super) fn annotation(facts: &Facts, found: &mut Found) {
    let controller = &facts.intent.controller;
    let reading = &facts.pod.account_annotations;
    match reading.known() {
        Ok(annotations) => {
            if let Some(account) = annotations.get(ANNOTATION) {
                let says = format!(
                    "{controller} is tied to {account}, so it is not the principal that grants name"
                );
                found.add(
                    Severity::High,
                    controller,
                    says,
                    &reading.source,
                    remove_annotation(facts),
                );
            }
        }
        Err(gap) => found.gap(controller, gap),
    }
}

/// Says how to take the annotation off.
pub(crate) fn remove_annotation(facts: &Facts) -> Fix {
    crate::setup::repair::controller::untie(&facts.intent.controller, ANNOTATION)
}

/// Visits the policies of the controller's project and of all above it.
pub(super) fn each_wide_policy(
    facts: &Facts,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, &Resource, &Policy, &Reading<Policy>),
) {
    let home = match facts.home.known() {
        Ok(home) => Resource::Project(home.project.clone()),
        Err(gap) => return found.gap("the controller's project", gap),
    };
    let above = facts.ancestor_policies.iter();
    let above = above.map(|(name, reading)| (Resource::Other(name.clone()), reading));
    for (resource, reading) in std::iter::once((home, &facts.home_policy)).chain(above) {
        match reading.known() {
            Ok(policy) => visit(found, &resource, policy, reading),
            Err(gap) => found.gap(resource, gap),
        }
    }
}

/// Says how to take a role from a member as it stands in the policy.
pub(super) fn revoke(resource: &Resource, role: &str, member: &str) -> Fix {
    let grant = RoleGrant::new(resource.clone(), role, Grantee::Member(member.to_owned()));
    Fix::by(vec![Action::Revoke(grant)])
}
