//! Cloud Asset: policies and resources found by search, the policies that hold for a resource, and who holds what.
//!
//! Everything is made of the world when it is asked for, or of an earlier one while a fault makes the inventory lag behind.
//!
//! Source: <https://cloud.google.com/asset-inventory/docs/reference/rest>

mod analysis;
mod assets;
mod effective;
mod history;
mod query;
mod search;

use http::Method;

use crate::apis::Answer;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, Google};
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::World;

pub(crate) use history::History;

/// What each kind of question takes; the analysis of policies takes both searches too.
///
/// Source: <https://cloud.google.com/asset-inventory/docs/access-control#required_permissions>
const SEARCH_POLICIES: &str = "cloudasset.assets.searchAllIamPolicies";
const SEARCH_RESOURCES: &str = "cloudasset.assets.searchAllResources";
const ANALYZE: &str = "cloudasset.assets.analyzeIamPolicy";

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let ["v1", kind, id, rest @ ..] = parts.as_slice() else {
        return Err(Refusal::no_such_route(&call.path));
    };
    if call.method != Method::GET {
        return Err(Refusal::no_such_route(&call.path));
    }
    let permissions: &[&str] = match (rest, call.verb.as_deref()) {
        ([], Some("searchAllIamPolicies")) => &[SEARCH_POLICIES],
        ([], Some("searchAllResources")) => &[SEARCH_RESOURCES],
        ([], Some("analyzeIamPolicy")) | (["effectiveIamPolicies"], Some("batchGet")) => {
            &[ANALYZE, SEARCH_POLICIES, SEARCH_RESOURCES]
        }
        _ => return Err(Refusal::no_such_route(&call.path)),
    };
    let caller = call.caller(google, &[CLOUD_PLATFORM])?;
    let scope = google.read(|world| scope(world, kind, id));
    let project = scope.as_ref().and_then(ResourceName::project_id);
    call.require_api_of(google, &caller, project)?;
    let scope = scope.ok_or_else(Refusal::denied_by_cloud_iam)?;
    let may = |permission: &&str| google.lets(&caller, permission, &scope);
    if !permissions.iter().all(may) {
        return Err(Refusal::denied_by_cloud_iam());
    }
    let principal = caller.principal().to_string();
    let now = google.now();
    google.read_assets(&call.occasion(Some(&principal)), |world| {
        match call.verb.as_deref() {
            Some("searchAllIamPolicies") => search::policies(world, &scope, call),
            Some("searchAllResources") => search::resources(world, &scope, call),
            Some("batchGet") => effective::batch_get(world, &scope, call),
            _ => analysis::analyze(world, &scope, call, now),
        }
    })
}

/// Finds what the search is in. What does not exist is not told from what may not be seen.
fn scope(world: &World, kind: &str, id: &str) -> Option<ResourceName> {
    match kind {
        "projects" => world.project(id).map(|it| ResourceName::project(&it.id)),
        "folders" => world.folder(id).map(|it| ResourceName::Folder {
            number: it.number.clone(),
        }),
        "organizations" => world.organization(id).map(|it| ResourceName::Organization {
            number: it.number.clone(),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
