//! Kubernetes Engine: clusters and node pools, as far as they decide about identities, and the issuers of clusters.
//!
//! Source: <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters>

use http::Method;
use serde_json::{Map, Value, json};

use crate::apis::Answer;
use crate::call::{Call, Enums};
use crate::google::{CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY, Google};
use crate::keys::jwk_set;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::{Cluster, NodePool, Project};

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let (id, location, rest) = match parts.as_slice() {
        [
            "v1",
            "projects",
            id,
            "locations" | "zones",
            location,
            rest @ ..,
        ] => (*id, *location, rest),
        _ => return Err(Refusal::no_such_route(&call.path)),
    };
    if call.method != Method::GET {
        return Err(Refusal::no_such_route(&call.path));
    }
    // Anyone may read what verifies a cluster's tokens.
    match rest {
        ["clusters", name, ".well-known", "openid-configuration"] => {
            return discovery(google, id, location, name);
        }
        ["clusters", name, "jwks"] => return keys(google, id, location, name),
        _ => {}
    }
    let caller = call.caller(google, &[CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY])?;
    let project = google
        .read(|world| world.project(id).cloned())
        .ok_or_else(|| Refusal::permission_denied("container.clusters.get"))?;
    call.require_api(google, &caller, &project.id)?;
    let resource = ResourceName::project(&project.id);
    let may = |verb: &str| {
        let permission = format!("container.clusters.{verb}");
        let allowed = google.allows(&caller, &permission, &resource);
        allowed.then_some(()).ok_or_else(|| {
            let clusters = format!("projects/{}/locations/{location}/clusters", project.id);
            required(&permission, &clusters)
        })
    };
    let enums = call.enums();
    match rest {
        ["clusters"] => {
            may("list")?;
            let here = |it: &&Cluster| location == "-" || it.location == location;
            let clusters = project.clusters.iter().filter(here);
            let clusters: Vec<Value> = clusters.map(|it| to_json(&project, it, enums)).collect();
            Ok(if clusters.is_empty() {
                json!({})
            } else {
                json!({ "clusters": clusters })
            })
        }
        ["clusters", name, below @ ..] => {
            may("get")?;
            let cluster = project
                .clusters
                .iter()
                .find(|it| it.name == *name && it.location == location)
                .ok_or_else(|| {
                    missing(&format!(
                        "projects/{}/locations/{location}/clusters/{name}",
                        project.id
                    ))
                })?;
            match below {
                [] => Ok(to_json(&project, cluster, enums)),
                ["nodePools"] => {
                    let pools: Vec<Value> = cluster
                        .node_pools
                        .iter()
                        .map(|it| node_pool(it, enums))
                        .collect();
                    Ok(json!({ "nodePools": pools }))
                }
                ["nodePools", pool] => {
                    let found = cluster.node_pools.iter().find(|it| it.name == *pool);
                    found.map(|it| node_pool(it, enums)).ok_or_else(|| {
                        missing(&format!("{}/nodePools/{pool}", cluster.url(&project.id)))
                    })
                }
                _ => Err(Refusal::no_such_route(&call.path)),
            }
        }
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

fn discovery(google: &Google, project: &str, location: &str, name: &str) -> Answer {
    google.read(|world| {
        let (project, cluster) = world
            .cluster(project, location, name)
            .ok_or_else(|| missing(name))?;
        Ok(json!({
            "issuer": cluster.issuer, "jwks_uri": format!("{}/jwks", cluster.url(&project.id)),
            "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"], "claims_supported": ["iss", "sub", "kubernetes.io"],
            "grant_types": ["urn:kubernetes:grant_type:programmatic_authorization"],
        }))
    })
}

fn keys(google: &Google, project: &str, location: &str, name: &str) -> Answer {
    let own = google.read(|world| {
        let (_, cluster) = world
            .cluster(project, location, name)
            .ok_or_else(|| missing(name))?;
        Ok(cluster.jwks.clone())
    })?;
    Ok(own.unwrap_or_else(|| jwk_set(&[google.keys().clusters().jwk()])))
}

fn to_json(project: &Project, cluster: &Cluster, enums: Enums) -> Value {
    let mut answer = Map::new();
    let mut set = |name: &str, value: Value| {
        answer.insert(name.to_owned(), value);
    };
    set("name", json!(cluster.name));
    set("id", json!(cluster.uid));
    set("location", json!(cluster.location));
    set("status", enums.write("RUNNING", 2));
    set("currentMasterVersion", json!("1.34.1-gke.1829001"));
    set("endpoint", json!("192.0.2.10"));
    set("selfLink", json!(cluster.url(&project.id)));
    let pools: Vec<Value> = cluster
        .node_pools
        .iter()
        .map(|it| node_pool(it, enums))
        .collect();
    set("nodePools", json!(pools));
    if cluster.workload_identity || cluster.autopilot {
        set(
            "workloadIdentityConfig",
            json!({ "workloadPool": project.cluster_pool() }),
        );
    }
    if cluster.autopilot {
        set("autopilot", json!({ "enabled": true }));
    }
    answer.extend(cluster.settings.clone());
    Value::Object(answer)
}

fn node_pool(pool: &NodePool, enums: Enums) -> Value {
    let mode = match pool.workload_metadata.as_str() {
        "GCE_METADATA" => enums.write("GCE_METADATA", 1),
        "GKE_METADATA" => enums.write("GKE_METADATA", 2),
        other => json!(other),
    };
    json!({
        "name": pool.name, "status": enums.write("RUNNING", 2), "version": "1.34.1-gke.1829001",
        "config": {
            "serviceAccount": pool.service_account, "oauthScopes": pool.oauth_scopes, "imageType": "COS_CONTAINERD",
            "workloadMetadataConfig": { "mode": mode },
        },
    })
}

/// Source: <https://cloud.google.com/kubernetes-engine/docs/troubleshooting>
fn required(permission: &str, resource: &str) -> Refusal {
    Refusal::permission_denied_as(
        permission,
        resource,
        format!("Required \"{permission}\" permission(s) for \"{resource}\"."),
    )
}

fn missing(name: &str) -> Refusal {
    Refusal::not_found(format!("Not found: {name}."))
}
