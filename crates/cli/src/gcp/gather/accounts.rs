//! The account that each Project acts as: itself, its policy, its keys, its last use.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use gcp::facts::{AccountKey, Facts, ProjectFacts, Reading, Seen, ServiceAccount};
use gcp::principal::{ProjectId, ServiceAccountEmail};
use gcp::{Apis, Service};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::AT_ONCE;

pub(super) async fn gather(apis: &Apis, facts: &mut Facts) {
    let Ok(home) = facts.home.known().cloned() else {
        return;
    };
    let project = &home.project;
    let accounts = facts.intent.projects.keys().filter_map(|name| {
        let email = ServiceAccountEmail::of_kargo_project(name, project).ok()?;
        Some((name.clone(), email))
    });
    let accounts: Vec<_> = accounts.collect();
    let questions = accounts
        .into_iter()
        .map(|(name, email)| async move { (name, look(apis, project, &email).await) });
    let seen: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
    for (name, mut seen) in seen {
        if seen.account.seen == Seen::Absent {
            seen.misplaced = misplaced(apis, facts, &name, project).await;
        }
        let known = facts.projects.entry(name).or_default();
        // What the cluster said stays.
        *known = ProjectFacts {
            key_secrets: known.key_secrets.clone(),
            fallback: known.fallback.clone(),
            kubernetes_account: known.kubernetes_account.clone(),
            kubernetes_uid: known.kubernetes_uid.clone(),
            ..seen
        };
    }
}

async fn look(apis: &Apis, project: &ProjectId, email: &ServiceAccountEmail) -> ProjectFacts {
    let path = format!("/v1/projects/{project}/serviceAccounts/{email}");
    let policy = format!("{path}:getIamPolicy?options.requestedPolicyVersion=3");
    ProjectFacts {
        account: apis.get(Service::Iam, &path).await,
        policy: apis.post(Service::Iam, &policy, &json!({})).await,
        keys: keys(apis, &path).await,
        last_used: last_used(apis, project, email).await,
        ..ProjectFacts::default()
    }
}

/// Looks where a Project's images are for the account that it should have where the controller is.
async fn misplaced(
    apis: &Apis,
    facts: &Facts,
    name: &str,
    home: &ProjectId,
) -> Option<ServiceAccountEmail> {
    let used = facts.uses().filter(|it| it.project == name);
    let projects: BTreeSet<_> = used.map(|it| it.address.repository.project).collect();
    for project in projects.iter().filter(|it| *it != home) {
        let email = ServiceAccountEmail::of_kargo_project(name, project).ok()?;
        let path = format!("/v1/projects/{project}/serviceAccounts/{email}");
        let found: Reading<ServiceAccount> = apis.get(Service::Iam, &path).await;
        if found.known().is_ok() {
            return Some(email);
        }
    }
    None
}

#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    keys: Vec<AccountKey>,
}

async fn keys(apis: &Apis, account: &str) -> Reading<Vec<AccountKey>> {
    let path = format!("{account}/keys?keyTypes=USER_MANAGED");
    let found: Reading<Keys> = apis.get(Service::Iam, &path).await;
    found.map(|it| it.keys)
}

#[derive(Deserialize)]
struct Activities {
    #[serde(default)]
    activities: Vec<Activity>,
}

#[derive(Deserialize)]
struct Activity {
    #[serde(default)]
    activity: Authentication,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct Authentication {
    last_authenticated_time: Option<Timestamp>,
}

/// Asks when the account was last used; Policy Analyzer may be a day behind.
///
/// Source: <https://cloud.google.com/policy-intelligence/docs/activity-analyzer-service-account-authentication>
async fn last_used(
    apis: &Apis,
    project: &ProjectId,
    email: &ServiceAccountEmail,
) -> Reading<Option<Timestamp>> {
    let name = format!("//iam.googleapis.com/projects/{project}/serviceAccounts/{email}");
    let filter = format!("activities.fullResourceName=\"{name}\"");
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let path = format!(
        "/v1/projects/{project}/locations/global/activityTypes/serviceAccountLastAuthentication/activities:query?filter={filter}"
    );
    let found: Reading<Activities> = apis.get(Service::PolicyAnalyzer, &path).await;
    found.map(|it| {
        let times = it.activities.into_iter();
        times
            .filter_map(|it| it.activity.last_authenticated_time)
            .max()
    })
}
