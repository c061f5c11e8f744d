//! What follows from the policies that were read: which custom roles they name, and what accounts hold where.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use gcp::facts::{Facts, FoundGrant, Reading, Seen};
use gcp::policy::{Member, Policy};
use gcp::principal::ServiceAccountEmail;
use gcp::{Apis, Service};
use serde::Deserialize;

use super::AT_ONCE;

pub(super) async fn gather(apis: &Apis, facts: &mut Facts) {
    let searched = facts
        .projects
        .values()
        .filter_map(|it| it.grants.known().ok());
    let pool = facts.pool_grants.known().into_iter().flatten();
    let searched = searched.flatten().chain(pool.map(|it| &it.found));
    let searched = searched.map(|it| it.role.clone());
    // Setup may have made it for another Project.
    let minter = facts.home.known().ok();
    let minter = minter.map(|home| gcp::setup::minter_role(&home.project));
    let named: BTreeSet<String> = all(facts)
        .flat_map(|it| it.bindings.iter().map(|it| it.role.clone()))
        .chain(searched)
        .chain(minter)
        .filter(|it| !it.starts_with("roles/"))
        .collect();
    let questions = named.into_iter().map(|role| async move {
        let permissions = permissions(apis, &role).await;
        Some((role, permissions?))
    });
    let known: Vec<_> = stream::iter(questions)
        .buffered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    facts.custom_roles.0.extend(known);
    let names: Vec<String> = facts.intent.projects.keys().cloned().collect();
    for name in names {
        let Ok(Ok(email)) = facts.account_of(&name) else {
            continue;
        };
        let searched = facts.project(&name).grants;
        let grants = grants(facts, &email, &searched);
        facts.projects.entry(name).or_default().grants = grants;
    }
}

fn all(facts: &Facts) -> impl Iterator<Item = &Policy> {
    let on_accounts = facts.projects.values().map(|it| &it.policy);
    let around = named_policies(facts).map(|(_, policy)| policy);
    around.chain(on_accounts).filter_map(|it| it.known().ok())
}

/// Each policy beside those on accounts, with the full name of what it is on.
fn named_policies(facts: &Facts) -> impl Iterator<Item = (String, &Reading<Policy>)> {
    const MANAGER: &str = "//cloudresourcemanager.googleapis.com";
    let home = facts.home.known().ok();
    let own = home.map(|it| {
        (
            format!("{MANAGER}/projects/{}", it.project),
            &facts.home_policy,
        )
    });
    let above = facts.ancestor_policies.iter();
    let above = above.chain(&facts.registry_ancestor_policies);
    let above = above.map(|(name, policy)| (format!("{MANAGER}/{name}"), policy));
    let repositories = facts.repositories.iter();
    let repositories = repositories.flat_map(move |(name, seen)| {
        let on_project = (
            format!("{MANAGER}/projects/{}", name.project),
            &seen.project_policy,
        );
        let is_home = home.is_some_and(|it| it.project == name.project);
        let on_repository = (
            format!("//artifactregistry.googleapis.com/{name}"),
            &seen.policy,
        );
        std::iter::once(on_repository).chain((!is_home).then_some(on_project))
    });
    own.into_iter().chain(above).chain(repositories)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Role {
    #[serde(default)]
    included_permissions: Vec<String>,
    #[serde(default)]
    deleted: bool,
}

/// Reads what a custom role carries: nothing once it is deleted, `None` where it is not to be seen.
async fn permissions(apis: &Apis, role: &str) -> Option<Vec<String>> {
    let found: Reading<Role> = apis.get(Service::Iam, &format!("/v1/{role}")).await;
    match found.seen {
        Seen::Known(role) if role.deleted => Some(Vec::new()),
        Seen::Known(role) => Some(role.included_permissions),
        _ => None,
    }
}

/// Finds what an account holds in every policy that was read, and adds what a search found elsewhere, which lags behind;
/// unknown while neither the controller's project's policy was read nor anything searched.
fn grants(
    facts: &Facts,
    email: &ServiceAccountEmail,
    searched: &Reading<Vec<FoundGrant>>,
) -> Reading<Vec<FoundGrant>> {
    let account = Member::ServiceAccount(email.as_str().to_owned());
    let mut found = Vec::new();
    let mut seen_on = BTreeSet::new();
    for (resource, policy) in named_policies(facts) {
        let Ok(known) = policy.known() else { continue };
        if !seen_on.insert(resource.clone()) {
            continue;
        }
        let held = known.grants().filter(|it| it.member == account);
        found.extend(held.map(|it| FoundGrant {
            resource: resource.clone(),
            role: it.role.to_owned(),
            seen_at: policy.source.clone(),
        }));
    }
    let elsewhere = searched.known().into_iter().flatten();
    let elsewhere = elsewhere.filter(|it| !seen_on.contains(&it.resource));
    found.extend(elsewhere.cloned());
    if facts.home_policy.known().is_err() && searched.known().is_ok() {
        // Whatever was searched, the project was.
        return searched.as_ref().map(|_| found);
    }
    facts.home_policy.as_ref().map(|_| found)
}

#[cfg(test)]
mod tests {
    use gcp::facts::Source;

    use super::*;

    const REQUEST: &str = "POST projects/acme:getIamPolicy";

    fn email() -> ServiceAccountEmail {
        ServiceAccountEmail::parse("kargo-project-web@acme.iam.gserviceaccount.com")
            .expect("an email")
    }

    fn searched() -> Reading<Vec<FoundGrant>> {
        let grant = FoundGrant {
            resource: "//cloudresourcemanager.googleapis.com/projects/acme".to_owned(),
            role: "roles/owner".to_owned(),
            seen_at: Source::new("GET search", Some(200)),
        };
        Reading::known_from("GET search", vec![grant])
    }

    fn found(home_policy: Reading<Policy>, searched: &Reading<Vec<FoundGrant>>) -> Option<usize> {
        let facts = Facts {
            home_policy,
            ..Facts::default()
        };
        let found = grants(&facts, &email(), searched);
        found.known().ok().map(Vec::len)
    }

    #[test]
    fn what_a_search_found_outlives_a_policy_that_may_not_be_read() {
        let denied = || Reading::of_refusal(REQUEST, 403, "denied");
        let nobody = Reading::default();
        assert_eq!(found(denied(), &searched()), Some(1));
        assert_eq!(found(denied(), &nobody), None, "nothing was seen at all");
        let read = || Reading::known_from(REQUEST, Policy::default());
        assert_eq!(found(read(), &searched()), Some(1));
        assert_eq!(found(read(), &nobody), Some(0));
    }
}
