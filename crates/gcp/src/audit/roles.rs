//! Rules about the roles that the accounts of Projects hold: each needs to read some repositories, and no more.

use super::accounts::each_account;
use super::controller::revoke;
use super::{Found, Severity};
use crate::facts::{Facts, FoundGrant};
use crate::policy::{self, Carries, UPLOAD};
use crate::setup::{Fix, Resource};

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
    each_account(facts, found, |found, seen, email| {
        match seen.grants.found() {
            Ok(grants) => {
                for grant in grants
                    .into_iter()
                    .flatten()
                    .filter(|it| excess_of(facts, it) == Some(wanted))
                {
                    let says = format!("{email} has {} on {}", grant.role, grant.resource);
                    let fix = match resource_of(&grant.resource) {
                        Some(resource) => revoke(&resource, &grant.role, &email.member()),
                        None => Fix::advice(&format!(
                            "take {} from {email} on {}",
                            grant.role, grant.resource
                        )),
                    };
                    found.add(
                        weight(wanted, &grant.role),
                        email,
                        says,
                        &seen.grants.source,
                        fix,
                    );
                }
            }
            Err(gap) => found.gap(email, gap),
        }
    });
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
        // The policies of repositories are looked at by A11.
        () if writes && grant.repository().is_some() => None,
        () if writes => Some(Excess::Writing),
        () => Some(Excess::Other),
    }
}

fn weight(excess: Excess, role: &str) -> Severity {
    match excess {
        Excess::Basic if role == "roles/viewer" => Severity::High,
        Excess::Basic => Severity::Critical,
        Excess::Writing => Severity::High,
        Excess::WideReading | Excess::Other => Severity::Medium,
    }
}

/// Reads a full resource name, where its policy is one that can be changed from here.
fn resource_of(name: &str) -> Option<Resource> {
    let name = name.strip_prefix("//cloudresourcemanager.googleapis.com/")?;
    match name.strip_prefix("projects/") {
        Some(project) => project.parse().ok().map(Resource::Project),
        None => Some(Resource::Other(name.to_owned())),
    }
}
