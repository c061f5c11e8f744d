//! The repositories that Projects use: what they are, who may do what with them, and what surrounds them.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use gcp::facts::{Facts, Reading, RepositoryFacts, Seen};
use gcp::policy::Policy;
use gcp::principal::ProjectId;
use gcp::repository::RepositoryName;
use gcp::{Apis, Service};
use serde::Deserialize;
use serde_json::Value;

use super::{AT_ONCE, desk};

pub(super) async fn gather(apis: &Apis, facts: &mut Facts) {
    let names: BTreeSet<_> = facts.uses().map(|it| it.address.repository).collect();
    let home = facts.home.known().ok().map(|it| it.project.clone());
    let home_policy = &facts.home_policy;
    let questions = names.into_iter().map(|name| {
        let known = (home.as_ref() == Some(&name.project)).then_some(home_policy);
        async move {
            let seen = look(apis, &name, known).await;
            (name, seen)
        }
    });
    let seen: Vec<_> = stream::iter(questions).buffered(AT_ONCE).collect().await;
    facts.repositories.extend(seen);
}

/// Looks at one repository; `known` is the policy of its project where that is the controller's own.
async fn look(
    apis: &Apis,
    name: &RepositoryName,
    known: Option<&Reading<Policy>>,
) -> RepositoryFacts {
    let project = &name.project;
    let policy = format!("/v1/{name}:getIamPolicy?options.requestedPolicyVersion=3");
    let topic = format!("/v1/projects/{project}/topics/gcr");
    let listeners = format!("{topic}/subscriptions?pageSize=100");
    let topic: Reading<Value> = apis.get(Service::Pubsub, &topic).await;
    let subscriptions = match &topic.seen {
        Seen::Known(_) => {
            apis.list(Service::Pubsub, &listeners, "subscriptions")
                .await
        }
        _ => Reading::default(),
    };
    let repository = apis
        .get(Service::ArtifactRegistry, &format!("/v1/{name}"))
        .await;
    let namesakes = match &repository.seen {
        Seen::Absent => namesakes(apis, name).await,
        _ => Reading::default(),
    };
    RepositoryFacts {
        repository,
        policy: apis.get(Service::ArtifactRegistry, &policy).await,
        project_policy: match known {
            Some(policy) => policy.clone(),
            None => desk::project_policy(apis, project).await,
        },
        redirection: redirection(apis, project).await,
        topic: topic.map(|_| ()),
        subscriptions,
        namesakes,
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    #[serde(default)]
    legacy_redirection_state: String,
}

async fn redirection(apis: &Apis, project: &ProjectId) -> Reading<String> {
    let path = format!("/v1/projects/{project}/projectSettings");
    let found: Reading<Settings> = apis.get(Service::ArtifactRegistry, &path).await;
    found.map(|it| it.legacy_redirection_state)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    location_id: String,
}

/// Finds the locations that hold a repository of the same name: `us` is easily written for `us-central1`.
async fn namesakes(apis: &Apis, name: &RepositoryName) -> Reading<Vec<String>> {
    let path = format!("/v1/projects/{}/locations?pageSize=100", name.project);
    let listed: Reading<Vec<Location>> = apis
        .list(Service::ArtifactRegistry, &path, "locations")
        .await;
    let source = listed.source.clone();
    let locations = match listed.seen {
        Seen::Known(locations) => locations,
        seen => return Reading { source, seen }.map(|_: Vec<Location>| Vec::new()),
    };
    let questions = locations
        .into_iter()
        .map(|Location { location_id }| async move {
            let other = RepositoryName {
                location: location_id.clone(),
                ..name.clone()
            };
            let path = format!("/v1/{other}");
            let found: Reading<Value> = apis.get(Service::ArtifactRegistry, &path).await;
            found.known().is_ok().then_some(location_id)
        });
    let found: Vec<_> = stream::iter(questions)
        .buffered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    Reading {
        source,
        seen: Seen::Known(found),
    }
}
