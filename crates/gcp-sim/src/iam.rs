//! IAM: service accounts, their keys and policies, roles, and what is asked of workload identity pools.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/rest>

mod accounts;
mod denials;
mod keys;
mod roles;

use http::Method;
use serde_json::json;

use crate::apis::Answer;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::refusal::Refusal;
use crate::resource::ResourceName;

/// What a token must be good for to be allowed here at all.
const SCOPES: &[&str] = &[CLOUD_PLATFORM, "https://www.googleapis.com/auth/iam"];

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    match parts.as_slice() {
        ["v1", "projects", project, "serviceAccounts", rest @ ..] => {
            accounts::answer(google, call, project, rest)
        }
        ["v1", "roles", ..] | ["v1", _, _, "roles", ..] => roles::answer(google, call, &parts[1..]),
        [
            "v1",
            "projects",
            project,
            "locations",
            "global",
            "workloadIdentityPools",
            pool,
        ] => workload_pool(google, call, project, pool),
        ["v2", "policies", attachment, "denypolicies", rest @ ..] => {
            denials::answer(google, call, attachment, rest)
        }
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

/// Shows a pool. Whether Google shows the pools that it keeps for clusters is assumed.
fn workload_pool(google: &Google, call: &Call, project: &str, pool: &str) -> Answer {
    if call.method != Method::GET {
        return Err(Refusal::no_such_route(&call.path));
    }
    let caller = call.caller(google, SCOPES)?;
    let id = project_id(google, project)?;
    call.require_api(google, &caller, &id)?;
    let resource = ResourceName::project(&id);
    google.require(
        &caller,
        "iam.googleapis.com/workloadIdentityPools.get",
        &resource,
    )?;
    let enums = call.enums();
    google.read(|world| {
        let project = world.project(&id).ok_or_else(|| unknown_pool(pool))?;
        let own = project.workload_pools.iter().find(|it| it.id == pool);
        let of_clusters = project.cluster_pool() == pool && !project.clusters.is_empty();
        if own.is_none() && !of_clusters {
            return Err(unknown_pool(pool));
        }
        let mode = if own.is_some() {
            enums.write("FEDERATION_ONLY", 1)
        } else {
            enums.write("SYSTEM_TRUST_DOMAIN", 3)
        };
        let mut answer = json!({
            "name": format!("projects/{}/locations/global/workloadIdentityPools/{pool}", project.number),
            "state": enums.write("ACTIVE", 1), "mode": mode,
        });
        if own.is_some_and(|it| it.disabled) {
            answer["disabled"] = json!(true);
        }
        Ok(answer)
    })
}

fn unknown_pool(pool: &str) -> Refusal {
    Refusal::not_found(format!(
        "Requested entity was not found: workload identity pool {pool}."
    ))
}

/// Finds a project by id or number. One that does not exist is not told from one that may not be seen.
fn project_id(google: &Google, project: &str) -> Result<String, Refusal> {
    google
        .read(|world| world.project(project).map(|it| it.id.clone()))
        .ok_or_else(Refusal::caller_does_not_have_permission)
}
