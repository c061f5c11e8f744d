//! Rules about what the controller's own identity may do.

use super::places::{Held, each_wide_role, each_wide_role_over_accounts, what_was_not_searched};
use super::{Found, Severity};
use crate::facts::Facts;
use crate::policy::{Carries, DOWNLOAD, MINT, UPLOAD, is_basic};
use crate::setup::{Fix, Resource};

/// The annotation that ties a Kubernetes account to a Google one.
pub(crate) const ANNOTATION: &str = "iam.gke.io/gcp-service-account";

/// A01: the controller needs no role on more than single accounts.
pub(super) fn broad_roles(facts: &Facts, found: &mut Found) {
    let principal = match facts.principal() {
        Ok(principal) => principal,
        Err(gap) => return found.gap("the controller", gap),
    };
    each_wide_role(facts, found, |found, held| {
        let role = held.grant.role;
        let mints = facts.custom_roles.carries(role, MINT) == Carries::Yes;
        if mints || only_reads_images(facts, held) || !found.reaches(facts, held, &principal) {
            return;
        }
        let says = format!("{} has {role} on {}", held.grant.text, held.place);
        let fix = held.take_back(facts);
        found.add(Severity::High, &held.place, says, held.seen_at, fix);
    });
    what_was_not_searched(facts, found);
}

/// Says whether a role is for reading the repositories of another project, which A12 finds.
fn only_reads_images(facts: &Facts, held: &Held<'_>) -> bool {
    let Some(Resource::Project(project)) = &held.resource else {
        return false;
    };
    let carries = |permission| facts.custom_roles.carries(held.grant.role, permission);
    let holds_repositories = facts.repositories.keys().any(|it| it.project == *project);
    let is_home = facts.home.known().is_ok_and(|it| it.project == *project);
    let reads = carries(DOWNLOAD) == Carries::Yes && carries(UPLOAD) != Carries::Yes;
    holds_repositories && !is_home && reads && !is_basic(held.grant.role)
}

/// A02: minting belongs on single accounts; on a project it reaches all of them.
pub(super) fn project_wide_minting(facts: &Facts, found: &mut Found) {
    let principal = facts.principal().ok();
    each_wide_role_over_accounts(facts, found, |found, held| {
        let (role, member) = (held.grant.role, &held.grant.member);
        let is_controller = |it| facts.covers(member, it);
        // Where only a search looked, what other Pods do is their own matter.
        let is_concern = held.is_read || principal.as_ref().is_some_and(is_controller);
        if !member.is_pod() || !is_concern {
            return;
        }
        match facts.custom_roles.carries(role, MINT) {
            Carries::Unknown => found.unread_role(&held.place, held.seen_at, role),
            Carries::Yes => {
                let says = format!(
                    "{} may act as every account below {}, by {role}",
                    held.grant.text, held.place
                );
                let fix = held.take_back(facts).and_advice(
                    "grant the role on the account of each Project instead: argosy gcp setup writes it",
                );
                let finding = found.add(Severity::Critical, &held.place, says, held.seen_at, fix);
                // What the controller has too much of is nobody's emergency.
                if !principal.as_ref().is_some_and(is_controller) {
                    finding.unless_expected(facts, member);
                }
            }
            Carries::No => {}
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
