//! Kubernetes Engine: clusters and node pools, as far as they decide about identities, and the issuers of clusters.
//!
//! Source: <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters>

mod update;

use http::Method;
use serde_json::{Map, Value, json};

use crate::apis::Answer;
use crate::call::{Call, Enums};
use crate::google::{CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY, Caller, Google};
use crate::keys::jwk_set;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::sts;
use crate::world::{Cluster, NodePool, Project};

pub(crate) async fn answer(google: &Google, call: &Call) -> Answer {
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
    // Anyone may read what verifies a cluster's tokens.
    match (&call.method, rest) {
        (&Method::GET, ["clusters", name, ".well-known", "openid-configuration"]) => {
            return discovery(google, id, location, name);
        }
        (&Method::GET, ["clusters", name, "jwks"]) => {
            return keys(google, id, location, name).await;
        }
        _ => {}
    }
    let scopes = match call.method {
        Method::GET => &[CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY][..],
        _ => &[CLOUD_PLATFORM][..],
    };
    let caller = call.caller(google, scopes)?;
    let project = google
        .read(|world| world.project(id).cloned())
        .ok_or_else(|| Refusal::permission_denied("container.clusters.get"))?;
    call.require_api(google, &caller, &project.id)?;
    let at = At {
        google,
        call,
        caller: &caller,
        project: &project,
        location,
    };
    match (&call.method, rest) {
        (&Method::GET, ["clusters"]) => at.list(),
        (&Method::GET, ["clusters", name, below @ ..]) => at.show(name, below),
        (&Method::PUT, ["clusters", name]) => update::cluster(&at, name),
        (&Method::PUT, ["clusters", name, "nodePools", pool]) => update::node_pool(&at, name, pool),
        (&Method::GET, ["operations", operation]) => update::operation(&at, operation),
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

/// A location of a project that exists, and who asks there.
struct At<'a> {
    google: &'a Google,
    call: &'a Call,
    caller: &'a Caller,
    project: &'a Project,
    location: &'a str,
}

impl At<'_> {
    /// Refuses a caller without a permission, in the words of this API.
    fn may(&self, permission: &str, kind: &str) -> Result<(), Refusal> {
        let resource = ResourceName::project(&self.project.id);
        let allowed = self.google.lets(self.caller, permission, &resource);
        allowed.then_some(()).ok_or_else(|| {
            let name = format!(
                "projects/{}/locations/{}/{kind}",
                self.project.id, self.location
            );
            required(permission, &name)
        })
    }

    fn list(&self) -> Answer {
        self.may("container.clusters.list", "clusters")?;
        let (project, enums) = (self.project, self.call.enums());
        let here = |it: &&Cluster| self.location == "-" || it.location == self.location;
        let clusters = project.clusters.iter().filter(here);
        let clusters: Vec<Value> = clusters.map(|it| to_json(project, it, enums)).collect();
        Ok(if clusters.is_empty() {
            json!({})
        } else {
            json!({ "clusters": clusters })
        })
    }

    fn find(&self, name: &str) -> Result<&Cluster, Refusal> {
        let clusters = &self.project.clusters;
        let found = clusters
            .iter()
            .find(|it| it.name == name && it.location == self.location);
        found.ok_or_else(|| {
            missing(&format!(
                "projects/{}/locations/{}/clusters/{name}",
                self.project.id, self.location
            ))
        })
    }

    fn find_pool<'c>(&self, cluster: &'c Cluster, pool: &str) -> Result<&'c NodePool, Refusal> {
        let found = cluster.node_pools.iter().find(|it| it.name == pool);
        found.ok_or_else(|| {
            let url = cluster.url(&self.project.id);
            missing(&format!("{url}/nodePools/{pool}"))
        })
    }

    fn show(&self, name: &str, below: &[&str]) -> Answer {
        self.may("container.clusters.get", "clusters")?;
        let (cluster, enums) = (self.find(name)?, self.call.enums());
        match below {
            [] => Ok(to_json(self.project, cluster, enums)),
            ["nodePools"] => {
                let pools: Vec<Value> = cluster
                    .node_pools
                    .iter()
                    .map(|it| node_pool(it, enums))
                    .collect();
                Ok(json!({ "nodePools": pools }))
            }
            ["nodePools", pool] => Ok(node_pool(self.find_pool(cluster, pool)?, enums)),
            _ => Err(Refusal::no_such_route(&self.call.path)),
        }
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

/// The keys that verify the cluster's tokens, from wherever an exchange has them.
async fn keys(google: &Google, project: &str, location: &str, name: &str) -> Answer {
    let (given, url) = google.read(|world| {
        let (_, cluster) = world
            .cluster(project, location, name)
            .ok_or_else(|| missing(name))?;
        Ok((cluster.jwks.clone(), cluster.jwks_url.clone()))
    })?;
    match (given, url) {
        (Some(keys), _) => Ok(keys),
        (None, Some(url)) => sts::fetch_keys(&url).await.ok_or_else(Refusal::unavailable),
        (None, None) => Ok(jwk_set(&[google.keys().clusters().jwk()])),
    }
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
