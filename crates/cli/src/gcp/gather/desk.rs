//! The controller's Google Cloud project and what stands above it, with the rights of whoever asks.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use gcp::facts::{Cluster, Facts, OrganisationPolicy, Reading, Seen, ServiceName, TokenSource};
use gcp::policy::Policy;
use gcp::principal::{ProjectId, ProjectNumber};
use gcp::{Apis, Service, doctor};
use serde::Deserialize;
use serde_json::json;

use super::{AT_ONCE, Project, denials, numbered};
use crate::gcp::place::ClusterAddress;

/// Services that one request may name.
///
/// Source: <https://cloud.google.com/service-usage/docs/reference/rest/v1/services/batchGet>
const MOST_SERVICES: usize = 30;

/// What is asked for of each cluster: all of it is long.
///
/// Source: <https://cloud.google.com/apis/docs/system-parameters>
const CLUSTER_FIELDS: &str = "missingZones,clusters(name,location,status,currentMasterVersion,autopilot,\
    workloadIdentityConfig,networkConfig,fleet,nodePools(name,status,config(serviceAccount,workloadMetadataConfig)))";

pub(super) async fn gather(apis: &Apis, own: Option<&ClusterAddress>, facts: &mut Facts) {
    let Ok(home) = facts.home.known().cloned() else {
        return;
    };
    let project = &home.project;
    // A controller that asks by a credential file is in no cluster of Google's.
    if facts.intent.asks_by == TokenSource::MetadataServer {
        (facts.clusters, facts.missing_zones) = clusters(apis, project).await;
        facts.cluster = own_of(&facts.clusters, own);
        if let Some(owner) = facts.pool_of_another() {
            facts.pool_number = number_of(apis, &owner).await;
        }
    }
    facts.services = services(apis, facts.services_to_look_at()).await;
    facts.home_policy = project_policy(apis, project).await;
    facts.ancestor_policies = ancestors(apis, project).await;
    let accounts = format!("/v1/projects/{project}/serviceAccounts?pageSize=100");
    facts.accounts = apis.list(Service::Iam, &accounts, "accounts").await;
    facts.organisation = organisation(apis, project).await;
    facts.own_constraints = own_constraints(apis, project).await;
    facts.registry_service_limits = service_limits(apis, project, facts).await;
    denials::gather(apis, facts).await;
    facts.registry_ancestor_policies = others_above(apis, facts).await;
}

/// Asks for the number of a Google Cloud project.
async fn number_of(apis: &Apis, project: &ProjectId) -> Reading<ProjectNumber> {
    let path = format!("/v3/projects/{project}");
    let found: Reading<Project> = apis.get(Service::ResourceManager, &path).await;
    numbered(project, found).map(|it| it.number)
}

/// Reads the policy of a Google Cloud project.
pub(super) async fn project_policy(apis: &Apis, project: &ProjectId) -> Reading<Policy> {
    wide_policy(apis, &format!("projects/{project}")).await
}

async fn wide_policy(apis: &Apis, name: &str) -> Reading<Policy> {
    let body = json!({"options": {"requestedPolicyVersion": 3}});
    let path = format!("/v3/{name}:getIamPolicy");
    apis.post(Service::ResourceManager, &path, &body).await
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Clusters {
    clusters: Vec<Cluster>,
    missing_zones: Vec<String>,
}

/// Lists the clusters of a project, and the zones that did not answer.
async fn clusters(apis: &Apis, project: &ProjectId) -> (Reading<Vec<Cluster>>, Vec<String>) {
    let path = format!("/v1/projects/{project}/locations/-/clusters?fields={CLUSTER_FIELDS}");
    let found: Reading<Clusters> = apis.get(Service::Container, &path).await;
    let missing = found.known().map(|it| it.missing_zones.clone());
    (found.map(|it| it.clusters), missing.unwrap_or_default())
}

/// Finds the controller's own cluster: the one that was named, or the only one.
fn own_of(all: &Reading<Vec<Cluster>>, own: Option<&ClusterAddress>) -> Reading<Cluster> {
    let request = all.source.request.clone();
    let Seen::Known(clusters) = &all.seen else {
        return all.as_ref().map(|_| Cluster::default());
    };
    let found = match (own, clusters.as_slice()) {
        (Some(own), all) => all
            .iter()
            .find(|it| it.location == own.location && it.name == own.name),
        (None, [only]) => Some(only),
        (None, []) => None,
        (None, several) => {
            let why = format!(
                "there are {} clusters: add --cluster LOCATION/NAME",
                several.len()
            );
            return Reading::unreachable(&request, &why);
        }
    };
    match found {
        Some(cluster) => Reading::known_from(&request, cluster.clone()),
        None => Reading::absent(&request),
    }
}

#[derive(Deserialize)]
struct Services {
    #[serde(default)]
    services: Vec<State>,
}

#[derive(Deserialize)]
struct State {
    /// `projects/123/services/iam.googleapis.com`.
    name: String,
    #[serde(default)]
    state: String,
}

async fn services(
    apis: &Apis,
    needed: BTreeSet<ServiceName>,
) -> BTreeMap<ServiceName, Reading<bool>> {
    let mut by_project: BTreeMap<ProjectId, Vec<ServiceName>> = BTreeMap::new();
    for service in needed {
        by_project
            .entry(service.project.clone())
            .or_default()
            .push(service);
    }
    let mut all = BTreeMap::new();
    for (project, wanted) in by_project {
        for part in wanted.chunks(MOST_SERVICES) {
            let names = part
                .iter()
                .map(|it| format!("names=projects/{project}/services/{}", it.service));
            let query = names.collect::<Vec<_>>().join("&");
            let path = format!("/v1/projects/{project}/services:batchGet?{query}");
            let found: Reading<Services> = apis.get(Service::ServiceUsage, &path).await;
            all.extend(part.iter().map(|it| (it.clone(), found_state(&found, it))));
        }
    }
    all
}

fn found_state(found: &Reading<Services>, wanted: &ServiceName) -> Reading<bool> {
    found.as_ref().map(|all| {
        all.services
            .iter()
            .any(|it| it.state == "ENABLED" && it.name.rsplit('/').next() == Some(&wanted.service))
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ancestry {
    #[serde(default)]
    ancestor: Vec<Ancestor>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ancestor {
    resource_id: ResourceId,
}

#[derive(Deserialize)]
struct ResourceId {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

/// Names what is above a project where that could not be listed.
pub(super) fn above(project: &ProjectId) -> String {
    format!("what is above projects/{project}")
}

/// Lists the folders and the organisation above a project, the nearest first.
pub(super) async fn ancestry(apis: &Apis, project: &ProjectId) -> Reading<Vec<String>> {
    let path = format!("/v1/projects/{project}:getAncestry");
    let found: Reading<Ancestry> = apis.post(Service::ResourceManager, &path, &json!({})).await;
    found.map(|it| {
        let ids = it.ancestor.into_iter().map(|it| it.resource_id);
        ids.filter(|it| it.kind != "project")
            .map(|it| format!("{}s/{}", it.kind, it.id))
            .collect()
    })
}

/// Reads the policies of what is above a project; where that is not to be seen, that is the reading.
async fn ancestors(apis: &Apis, project: &ProjectId) -> BTreeMap<String, Reading<Policy>> {
    let found = ancestry(apis, project).await;
    let Seen::Known(names) = &found.seen else {
        let unread = found.map(|_| Policy::default());
        return BTreeMap::from([(above(project), unread)]);
    };
    let mut policies = BTreeMap::new();
    for name in names {
        let policy = wide_policy(apis, name).await;
        policies.insert(name.clone(), policy);
    }
    policies
}

/// Reads the policies of what is above projects of repositories, where that is not above the controller's project too.
async fn others_above(apis: &Apis, facts: &Facts) -> BTreeMap<String, Reading<Policy>> {
    let names: BTreeSet<_> = facts.above.values().flatten().collect();
    let mut policies = BTreeMap::new();
    for name in names {
        if !facts.ancestor_policies.contains_key(name) {
            policies.insert(name.clone(), wide_policy(apis, name).await);
        }
    }
    policies
}

/// Reads which services may be on in the projects of repositories that are not the controller's.
async fn service_limits(
    apis: &Apis,
    home: &ProjectId,
    facts: &Facts,
) -> BTreeMap<ProjectId, Reading<OrganisationPolicy>> {
    let projects = facts.uses().map(|it| it.address.repository.project);
    let projects: BTreeSet<_> = projects.filter(|it| it != home).collect();
    let questions = projects.into_iter().map(|project| async move {
        let policy = effective_policy(apis, &project, doctor::USABLE_SERVICES).await;
        (project, policy)
    });
    stream::iter(questions).buffered(AT_ONCE).collect().await
}

async fn effective_policy(
    apis: &Apis,
    project: &ProjectId,
    constraint: &str,
) -> Reading<OrganisationPolicy> {
    let path = format!("/v2/projects/{project}/policies/{constraint}:getEffectivePolicy");
    apis.get(Service::OrgPolicy, &path).await
}

async fn organisation(
    apis: &Apis,
    project: &ProjectId,
) -> BTreeMap<String, Reading<OrganisationPolicy>> {
    let questions = doctor::constraints().map(|constraint| async move {
        let policy = effective_policy(apis, project, constraint).await;
        (constraint.to_owned(), policy)
    });
    stream::iter(questions).buffered(AT_ONCE).collect().await
}

#[derive(Deserialize)]
struct OwnPolicy {
    /// `projects/123/policies/iam.disableServiceAccountKeyCreation`.
    name: String,
}

/// Lists the constraints for which a project has a policy of its own.
async fn own_constraints(apis: &Apis, project: &ProjectId) -> Reading<BTreeSet<String>> {
    let path = format!("/v2/projects/{project}/policies?pageSize=1000");
    let found: Reading<Vec<OwnPolicy>> = apis.list(Service::OrgPolicy, &path, "policies").await;
    found.map(|all| {
        let names = all.iter().filter_map(|it| it.name.rsplit('/').next());
        names.map(str::to_owned).collect()
    })
}
