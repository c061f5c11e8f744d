//! Where roles are granted: in the policies that were read, and where a search found more.

use std::collections::BTreeSet;

use super::Found;
use crate::facts::{Facts, Gap, Inventory, PoolGrant, Reach, Reading, Source};
use crate::policy::{Grant, Member, Policy};
use crate::principal::{Principal, ServiceAccountEmail};
use crate::repository::RepositoryName;
use crate::setup::shell::command;
use crate::setup::terraform::block::{Block, label, text};
use crate::setup::terraform::commented;
use crate::setup::{Action, Fix, Grantee, Resource, RoleGrant};

/// How full names of projects, folders and organisations begin, and those of repositories.
const MANAGER: &str = "//cloudresourcemanager.googleapis.com/";
const REGISTRY: &str = "//artifactregistry.googleapis.com/";

/// A role that somebody has on something.
pub(super) struct Held<'a> {
    /// What it is on: a resource whose policy was read, or a full name that a search found.
    pub(super) place: String,
    pub(super) resource: Option<Resource>,
    pub(super) grant: Grant<'a>,
    pub(super) seen_at: &'a Source,
    /// Whether the policy itself was read, and not only found by a search.
    pub(super) is_read: bool,
}

impl Held<'_> {
    /// Says how to take it back.
    pub(super) fn take_back(&self, facts: &Facts) -> Fix {
        let Grant { role, text, .. } = &self.grant;
        match &self.resource {
            Some(resource) => revoke(resource, role, text),
            None => elsewhere(facts, &self.place, role, text),
        }
    }
}

impl Found {
    /// Says whether a member of a policy means a principal; notes where that cannot be told.
    pub(super) fn reaches(&mut self, facts: &Facts, held: &Held<'_>, who: &Principal) -> bool {
        match facts.reach(&held.grant.member, who) {
            Reach::Yes => !held.grant.member.is_public(),
            Reach::No => false,
            Reach::Unknown(gap) => {
                let why = format!("{} has {}: {}", held.grant.text, held.grant.role, gap.why);
                self.gap(&held.place, Gap { why, ..gap });
                false
            }
        }
    }
}

/// Policies that reach further than one account or repository, each with what it is on.
type Wide<'a> = Vec<(Resource, &'a Reading<Policy>)>;

/// Lists the policies of what holds the accounts of Projects: the controller's project and all above it.
fn above_accounts(facts: &Facts) -> Result<Wide<'_>, Gap> {
    let home = facts.home.known()?;
    let home = Resource::Project(home.project.clone());
    let above = facts.ancestor_policies.iter();
    let above = above.map(|(name, reading)| (Resource::Other(name.clone()), reading));
    Ok(std::iter::once((home, &facts.home_policy))
        .chain(above)
        .collect())
}

/// Lists the same and those of the projects that hold repositories, and of what is above these.
fn wide(facts: &Facts) -> Result<Wide<'_>, Gap> {
    let mut all = above_accounts(facts)?;
    for (name, seen) in &facts.repositories {
        let project = Resource::Project(name.project.clone());
        if !all.iter().any(|(known, _)| *known == project) {
            all.push((project, &seen.project_policy));
        }
    }
    let above = facts.registry_ancestor_policies.iter();
    all.extend(above.map(|(name, reading)| (Resource::Other(name.clone()), reading)));
    Ok(all)
}

/// Visits the policies of the controller's project and of all above it.
pub(super) fn each_policy_above_accounts(
    facts: &Facts,
    found: &mut Found,
    visit: impl FnMut(&mut Found, &Resource, &Policy, &Reading<Policy>),
) {
    visit_read(above_accounts(facts), found, visit);
}

/// Visits the same and the policies of the projects that hold repositories.
pub(super) fn each_wide_policy(
    facts: &Facts,
    found: &mut Found,
    visit: impl FnMut(&mut Found, &Resource, &Policy, &Reading<Policy>),
) {
    visit_read(wide(facts), found, visit);
}

fn visit_read(
    policies: Result<Wide<'_>, Gap>,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, &Resource, &Policy, &Reading<Policy>),
) {
    let policies = match policies {
        Ok(policies) => policies,
        Err(gap) => return found.gap("the controller's project", gap),
    };
    for (resource, reading) in policies {
        match reading.known() {
            Ok(policy) => visit(found, &resource, policy, reading),
            Err(gap) => found.gap(resource, gap),
        }
    }
}

/// Visits the roles on whole projects, folders and organisations: all of those that were read, of others what a search
/// found that the controller's pool has.
pub(super) fn each_wide_role(
    facts: &Facts,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, &Held<'_>),
) {
    each_wide_policy(facts, found, |found, resource, policy, reading| {
        for held in roles(resource, policy, &reading.source) {
            visit(found, &held);
        }
    });
    for held in on_other_places(facts) {
        visit(found, &held);
    }
}

/// Visits the same. Only what holds the accounts of Projects has to have been read: it is about accounts.
pub(super) fn each_wide_role_over_accounts(
    facts: &Facts,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, &Held<'_>),
) {
    each_policy_above_accounts(facts, found, |found, resource, policy, reading| {
        for held in roles(resource, policy, &reading.source) {
            visit(found, &held);
        }
    });
    let above = above_accounts(facts).map_or(0, |it| it.len());
    let elsewhere = wide(facts).unwrap_or_default().into_iter().skip(above);
    for (resource, reading) in elsewhere {
        if let Ok(policy) = reading.known() {
            for held in roles(&resource, policy, &reading.source) {
                visit(found, &held);
            }
        }
    }
    for held in on_other_places(facts) {
        visit(found, &held);
    }
}

/// Lists the roles on projects, folders and organisations whose policy was not read, as far as a search found what the
/// controller's pool has.
fn on_other_places(facts: &Facts) -> impl Iterator<Item = Held<'_>> {
    searched(facts).filter(|it| it.place.starts_with(MANAGER))
}

/// Lists the roles on repositories whose policy was not read, as far as a search found what the controller's pool has.
pub(super) fn on_other_repositories(facts: &Facts) -> impl Iterator<Item = Held<'_>> {
    searched(facts).filter(|it| it.place.starts_with(REGISTRY))
}

/// Lists what a policy grants.
pub(super) fn roles<'a>(
    resource: &Resource,
    policy: &'a Policy,
    seen_at: &'a Source,
) -> impl Iterator<Item = Held<'a>> + use<'a> {
    let resource = resource.clone();
    policy.grants().map(move |grant| Held {
        place: resource.to_string(),
        resource: Some(resource.clone()),
        grant,
        seen_at,
        is_read: true,
    })
}

/// Lists what a search found of the controller's pool where no policy was read: that counts for more.
fn searched(facts: &Facts) -> impl Iterator<Item = Held<'_>> {
    let read = read_by_name(facts);
    let all = facts.pool_grants.known().into_iter().flatten();
    all.filter(move |it| !read.contains(&it.found.resource))
        .map(|PoolGrant { member, found }| Held {
            place: found.resource.clone(),
            resource: resource_of(&found.resource),
            grant: Grant {
                role: &found.role,
                text: member,
                member: Member::parse(member),
                condition: None,
            },
            seen_at: &found.seen_at,
            is_read: false,
        })
}

/// The full names of everything wide and of every repository whose policy was read.
fn read_by_name(facts: &Facts) -> BTreeSet<String> {
    let wide = wide(facts).unwrap_or_default().into_iter();
    let wide = wide.filter(|(_, reading)| reading.known().is_ok());
    let wide = wide.map(|(resource, _)| format!("{MANAGER}{resource}"));
    let repositories = facts.repositories.iter();
    let repositories = repositories.filter(|(_, seen)| seen.policy.known().is_ok());
    wide.chain(repositories.map(|(name, _)| format!("{REGISTRY}{name}")))
        .collect()
}

/// Lists every role wherever a policy was read, and where a search found what the controller's pool has.
pub(super) fn everywhere(facts: &Facts) -> Vec<Held<'_>> {
    let wide = wide(facts).unwrap_or_default().into_iter();
    let repositories = facts.repositories.iter();
    let repositories =
        repositories.map(|(name, seen)| (Resource::Repository(name.clone()), &seen.policy));
    let read = wide.chain(repositories).filter_map(|(resource, reading)| {
        let policy = reading.known().ok()?;
        Some((resource, policy, &reading.source))
    });
    let read = read.flat_map(|(resource, policy, seen_at)| roles(&resource, policy, seen_at));
    read.chain(searched(facts)).collect()
}

/// Notes where nobody looked: a role may be granted on anything.
pub(super) fn what_was_not_searched(facts: &Facts, found: &mut Found) {
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

/// Says how to take a role from a member as it stands in the policy.
pub(super) fn revoke(resource: &Resource, role: &str, member: &str) -> Fix {
    let grant = RoleGrant::new(resource.clone(), role, Grantee::Member(member.to_owned()));
    Fix::by(vec![Action::Revoke(grant)])
}

/// Says how to take a role from a member on what has this full name.
pub(super) fn revoke_by_name(facts: &Facts, name: &str, role: &str, member: &str) -> Fix {
    match resource_of(name) {
        Some(resource) => revoke(&resource, role, member),
        None => elsewhere(facts, name, role, member),
    }
}

/// Spells what a role is on as a full name.
pub(super) fn full_name(held: &Held<'_>) -> String {
    match &held.resource {
        Some(Resource::Repository(name)) => format!("{REGISTRY}{name}"),
        Some(place @ (Resource::Project(_) | Resource::Other(_))) => format!("{MANAGER}{place}"),
        Some(Resource::ServiceAccount(_)) | None => held.place.clone(),
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
