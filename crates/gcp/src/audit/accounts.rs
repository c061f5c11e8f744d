//! Rules about the accounts that Projects act as: whether they are looked after, and without keys.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use super::places::{Held, each_wide_policy, revoke, roles};
use super::{Found, Severity};
use crate::facts::{Facts, Gap, ProjectFacts, Reading, Source};
use crate::policy::{Member, Policy};
use crate::principal::ServiceAccountEmail;
use crate::setup::shell::command;
use crate::setup::{Action, Fix, Resource};

/// How long an account may go without being used.
pub(crate) const UNUSED_AFTER: SignedDuration = SignedDuration::from_hours(24 * 90);

/// A08
pub(super) fn keys(facts: &Facts, found: &mut Found) {
    each_account(facts, found, |found, seen, email| match seen.keys.found() {
        Ok(keys) => {
            for key in keys.into_iter().flatten() {
                let (says, fix) = if key.disabled {
                    let says = format!(
                        "{email} has the key {}, which is disabled and can be enabled again",
                        key.id()
                    );
                    (says, delete_key(email, key.id()))
                } else {
                    let says = format!(
                        "{email} has the key {}, which whoever has a copy of can use",
                        key.id()
                    );
                    let disable = Action::DisableKey {
                        email: email.clone(),
                        key: key.id().to_owned(),
                    };
                    let fix = Fix::by(vec![disable]);
                    (
                        says,
                        fix.and_advice("delete the key once nothing has broken"),
                    )
                };
                found.add(Severity::High, email, says, &seen.keys.source, fix);
            }
        }
        Err(gap) => found.gap(email, gap),
    });
}

fn delete_key(email: &ServiceAccountEmail, key: &str) -> Fix {
    let words = ["gcloud", "iam", "service-accounts", "keys", "delete", key];
    let delete = command(&words, &[("iam-account", email.as_str())]);
    let removed = format!("# Remove the google_service_account_key {key} of {email}.\n");
    Fix::commands(&[delete]).and_terraform(removed)
}

/// A09
pub(super) fn unused(facts: &Facts, found: &mut Found) {
    each_account(facts, found, |found, seen, email| {
        match seen.account.found() {
            // Of what is disabled A16 speaks.
            Ok(account) if account.is_none_or(|it| it.disabled) => return,
            Ok(_) => {}
            Err(gap) => return found.gap(email, gap),
        }
        let seen_at = &seen.last_used.source;
        match seen.last_used.found() {
            Ok(Some(Some(last))) if facts.now.duration_since(*last) > UNUSED_AFTER => {
                let says = format!("{email} was not used for 90 days");
                found.add(Severity::Medium, email, says, seen_at, disable(email));
            }
            Ok(Some(None)) => {
                let says = format!("no use of {email} was seen; it may be new");
                found.add(Severity::Info, email, says, seen_at, look_at_use(email));
            }
            Ok(Some(Some(_)) | None) => {}
            Err(gap) => found.gap(email, gap),
        }
    });
    orphans(facts, found);
}

/// Says how to look again: a use shows some days late, and no use that is seen is not the same as none.
fn look_at_use(email: &ServiceAccountEmail) -> Fix {
    let words = ["gcloud", "policy-intelligence", "query-activity"];
    let project = email.project().map(|it| it.to_string());
    let project = project.unwrap_or_else(|| "PROJECT".to_owned());
    let filter = format!(
        "activities.fullResourceName=\"//iam.googleapis.com/projects/{project}/serviceAccounts/{email}\""
    );
    let options = [
        ("activity-type", "serviceAccountLastAuthentication"),
        ("project", &project),
        ("query-filter", &filter),
    ];
    Fix::commands(&[command(&words, &options)])
        .without_terraform("nothing is to be changed until it is known whether somebody uses it")
        .and_advice("have its Project promote something, and look again some days later")
}

/// A16
pub(super) fn leftovers(facts: &Facts, found: &mut Found) {
    each_account(facts, found, |found, seen, email| {
        match seen.account.found() {
            Ok(Some(account)) if account.disabled => {
                let fix = Fix::by(vec![Action::EnableServiceAccount {
                    email: email.clone(),
                }]);
                found.add(
                    Severity::Medium,
                    email,
                    format!("{email} is disabled"),
                    &seen.account.source,
                    fix,
                );
            }
            Ok(_) => {}
            Err(gap) => found.gap(email, gap),
        }
        if let Ok(policy) = seen.policy.known() {
            let resource = Resource::ServiceAccount(email.clone());
            of_the_deleted(found, &resource, policy, &seen.policy.source);
        }
    });
    for (name, seen) in &facts.repositories {
        if let Ok(policy) = seen.policy.known() {
            let resource = Resource::Repository(name.clone());
            of_the_deleted(found, &resource, policy, &seen.policy.source);
        }
    }
    each_wide_policy(facts, found, |found, resource, policy, reading| {
        let of_projects = |it: &Held<'_>| was_of_a_project(&it.grant.member);
        for held in roles(resource, policy, &reading.source).filter(of_projects) {
            to_the_deleted(found, resource, &held);
        }
    });
}

/// Says whether somebody who is gone acted for a Project: of a whole project the others are no concern here.
fn was_of_a_project(member: &Member) -> bool {
    let Member::Deleted(text) = member else {
        return false;
    };
    let (text, _) = text.split_once('?').unwrap_or((text, ""));
    let email = text.strip_prefix("serviceAccount:").unwrap_or_default();
    ServiceAccountEmail::parse(email).is_ok_and(|it| it.kargo_project().is_some())
}

/// Finds the grants on one resource to those who are gone.
fn of_the_deleted(found: &mut Found, resource: &Resource, policy: &Policy, seen_at: &Source) {
    let is_gone = |it: &Held<'_>| matches!(it.grant.member, Member::Deleted(_));
    for held in roles(resource, policy, seen_at).filter(is_gone) {
        to_the_deleted(found, resource, &held);
    }
}

fn to_the_deleted(found: &mut Found, resource: &Resource, held: &Held<'_>) {
    let (role, text) = (held.grant.role, held.grant.text);
    let says = format!("{role} on {resource} is granted to {text}, who is gone");
    let fix = revoke(resource, role, text);
    found.add(Severity::Medium, resource, says, held.seen_at, fix);
}

/// A20
pub(super) fn key_secrets(facts: &Facts, found: &mut Found) {
    for project in facts.intent.projects.keys() {
        let says = "it holds a key of a service account, and wins over every identity without one";
        let first = "run argosy gcp setup first, so that the Project has an identity without keys";
        let reading = facts.project(project).key_secrets;
        keys_in(found, project, &reading, says, first);
    }
    for (namespace, reading) in &facts.shared_key_secrets {
        let says = "it holds a key of a service account, and for every Project wins over identities without one";
        let first =
            "run argosy gcp setup for each Project first, so that all have identities without keys";
        keys_in(found, namespace, reading, says, first);
    }
}

fn keys_in(
    found: &mut Found,
    namespace: &str,
    reading: &Reading<Vec<String>>,
    says: &str,
    first: &str,
) {
    match reading.known() {
        Ok(names) => {
            for name in names {
                let resource = format!("secret {namespace}/{name}");
                let fix = delete_secret(namespace, name).and_advice(first);
                found.add(
                    Severity::High,
                    resource,
                    says.to_owned(),
                    &reading.source,
                    fix,
                );
            }
        }
        Err(gap) => found.gap(format!("secrets of {namespace}"), gap),
    }
}

fn delete_secret(namespace: &str, name: &str) -> Fix {
    let delete = command(
        &["kubectl", "delete", "secret", name],
        &[("namespace", namespace)],
    );
    let removed = format!("# Remove the kubernetes_secret_v1 {name} of {namespace}.\n");
    Fix::commands(&[delete]).and_terraform(removed)
}

/// Lists the accounts that are usable and whose Project is gone.
pub(crate) fn orphaned(facts: &Facts) -> Result<Vec<ServiceAccountEmail>, Gap> {
    let accounts = facts.accounts.known()?;
    let live = facts.live_projects.known()?.iter();
    let live: BTreeSet<_> = live.map(String::as_str).collect();
    let usable = accounts.iter().filter(|it| !it.disabled);
    let emails = usable.filter_map(|it| ServiceAccountEmail::parse(&it.email).ok());
    let is_left =
        |it: &ServiceAccountEmail| it.kargo_project().is_some_and(|it| !live.contains(it));
    Ok(emails.filter(is_left).collect())
}

fn orphans(facts: &Facts, found: &mut Found) {
    let left = match orphaned(facts) {
        Ok(left) => left,
        Err(gap) => return found.gap("accounts without a Project", gap),
    };
    for email in left {
        let project = email.kargo_project().unwrap_or_default();
        let says =
            format!("there is no Project {project}; whoever makes one of that name is {email}");
        found.add(
            Severity::Medium,
            &email,
            says,
            &facts.accounts.source,
            disable(&email).and_advice(&other_clusters(facts)),
        );
    }
}

/// Accounts belong to a project, Projects to a cluster: what is left over here may be in use there.
pub(crate) fn other_clusters(facts: &Facts) -> String {
    let own = facts.cluster.known().ok().map(|it| &it.name);
    let all = facts.clusters.known().into_iter().flatten();
    let others = all.map(|it| &it.name).filter(|it| Some(*it) != own);
    let names: Vec<_> = others.map(String::as_str).collect();
    match names.as_slice() {
        [] => "first look whether another cluster has that Project: its account would be the same"
            .to_owned(),
        names => format!(
            "first look whether another cluster of the project has that Project, as its account is the same: {}",
            names.join(", ")
        ),
    }
}

fn disable(email: &ServiceAccountEmail) -> Fix {
    Fix::by(vec![Action::DisableServiceAccount {
        email: email.clone(),
    }])
}

/// Visits every Project that can have an account.
pub(super) fn each_account(
    facts: &Facts,
    found: &mut Found,
    mut visit: impl FnMut(&mut Found, &ProjectFacts, &ServiceAccountEmail),
) {
    for project in facts.intent.projects.keys() {
        match facts.account_of(project) {
            Ok(Ok(email)) => visit(found, &facts.project(project), &email),
            Ok(Err(_)) => {}
            Err(gap) => found.gap(project, gap),
        }
    }
}
