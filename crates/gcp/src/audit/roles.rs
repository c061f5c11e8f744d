//! Rules about the roles that the accounts of Projects hold: each needs to read some repositories, and no more.

use super::accounts::each_account;
use super::controller::revoke;
use super::{Found, Severity};
use crate::facts::{Facts, FoundGrant, Gap, Inventory};
use crate::policy::{self, Carries, UPLOAD};
use crate::principal::ServiceAccountEmail;
use crate::repository::RepositoryName;
use crate::setup::shell::command;
use crate::setup::terraform::block::{Block, label, text};
use crate::setup::terraform::commented;
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
    let mut has_accounts = false;
    each_account(facts, found, |found, seen, email| {
        has_accounts = true;
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
                        None => elsewhere(facts, &grant.resource, &grant.role, &email.member()),
                    };
                    found.add(
                        weight(wanted, &grant.role),
                        email,
                        says,
                        &grant.seen_at,
                        fix,
                    );
                }
            }
            Err(gap) => found.gap(email, gap),
        }
    });
    if has_accounts {
        what_was_not_searched(facts, found);
    }
}

/// Notes where nobody looked: a role may be granted on anything.
fn what_was_not_searched(facts: &Facts, found: &mut Found) {
    let reading = &facts.inventory;
    match reading.known() {
        Ok(Inventory {
            scope,
            beyond: Some(why),
        }) => {
            let gap = Gap {
                source: reading.source.clone(),
                why: why.clone(),
                skipped: false,
            };
            found.gap(format!("roles outside of {scope}"), gap);
        }
        Ok(Inventory { beyond: None, .. }) => {}
        Err(gap) => found.gap("roles on what Projects do not use", gap),
    }
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

/// Kinds of resources that accounts are at times granted something on: what they are called in a full resource name, in
/// commands, and as Terraform, with the argument that names one.
///
/// Source: <https://cloud.google.com/asset-inventory/docs/asset-names>
const KINDS: &[Kind] = &[
    Kind {
        service: "pubsub.googleapis.com",
        collection: "topics",
        words: &["pubsub", "topics"],
        resource: "google_pubsub_topic_iam_member",
        argument: "topic",
    },
    Kind {
        service: "pubsub.googleapis.com",
        collection: "subscriptions",
        words: &["pubsub", "subscriptions"],
        resource: "google_pubsub_subscription_iam_member",
        argument: "subscription",
    },
    Kind {
        service: "secretmanager.googleapis.com",
        collection: "secrets",
        words: &["secrets"],
        resource: "google_secret_manager_secret_iam_member",
        argument: "secret_id",
    },
];

struct Kind {
    service: &'static str,
    collection: &'static str,
    words: &'static [&'static str],
    resource: &'static str,
    argument: &'static str,
}

/// Says how to take a role from a member on something that the plans of `setup` know nothing of.
fn elsewhere(facts: &Facts, name: &str, role: &str, member: &str) -> Fix {
    let parts: Vec<_> = name.trim_start_matches('/').split('/').collect();
    let is = |kind: &&Kind| {
        parts.first() == Some(&kind.service) && parts.get(3) == Some(&kind.collection)
    };
    if let [_, "projects", project, _, id] = parts.as_slice()
        && let Some(kind) = KINDS.iter().find(is)
    {
        let words = [&["gcloud"], kind.words, &["remove-iam-policy-binding", id]].concat();
        let options = [("project", *project), ("role", role), ("member", member)];
        let block = Block::resource(kind.resource, &label(&[id, member]))
            .with("project", &text(project))
            .with(kind.argument, &text(id))
            .with("role", &text(role))
            .with("member", &text(member));
        return Fix::commands(&[command(&words, &options)]).and_terraform(commented(
            "Remove where it is declared:",
            &block.to_string(),
        ));
    }
    let scope = facts.inventory.known().map(|it| it.scope.as_str());
    let query = format!("resource=\"{name}\" policy:\"{member}\"");
    let options = [("scope", scope.unwrap_or("SCOPE")), ("query", &query)];
    let search = ["gcloud", "asset", "search-all-iam-policies"];
    Fix::commands(&[command(&search, &options)])
        .without_terraform("which resource holds the grant depends on the kind of what it is on")
        .and_advice(&format!("take {role} from {member} on {name}"))
}

/// Reads a full resource name, where its policy is one that can be changed from here.
fn resource_of(name: &str) -> Option<Resource> {
    if let Some(account) = name.strip_prefix("//iam.googleapis.com/") {
        let (_, email) = account.split_once("/serviceAccounts/")?;
        let email = ServiceAccountEmail::parse(email).ok()?;
        return Some(Resource::ServiceAccount(email));
    }
    if let Some(repository) = name.strip_prefix("//artifactregistry.googleapis.com/") {
        return RepositoryName::parse(repository).map(Resource::Repository);
    }
    let name = name.strip_prefix("//cloudresourcemanager.googleapis.com/")?;
    match name.strip_prefix("projects/") {
        Some(project) => project.parse().ok().map(Resource::Project),
        None => Some(Resource::Other(name.to_owned())),
    }
}
