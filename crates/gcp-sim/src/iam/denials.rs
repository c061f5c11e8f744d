//! Deny policies: what is denied on a project, a folder or an organization, as the one policy that the world keeps of each.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/rest/v2/policies>

use http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{SCOPES, project_id};
use crate::apis::Answer;
use crate::call::Call;
use crate::google::Google;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::DenyRule;

/// What the policy of each attachment point is called.
const NAME: &str = "simulated";

/// Lists the policies of `cloudresourcemanager.googleapis.com/projects/acme`, a folder or an organization, or shows one.
///
/// A list has no rules in it: reading those takes a permission of its own.
pub(super) fn answer(google: &Google, call: &Call, attachment: &str, rest: &[&str]) -> Answer {
    if call.method != Method::GET {
        return Err(Refusal::no_such_route(&call.path));
    }
    let caller = call.caller(google, SCOPES)?;
    let resource = point(google, attachment)?;
    call.require_api_of(google, &caller, resource.project_id())?;
    let rules = rules(google, &resource);
    match rest {
        [] => {
            google.require(&caller, "iam.denypolicies.list", &resource)?;
            Ok(if rules.is_empty() {
                json!({})
            } else {
                json!({ "policies": [head(google, &resource, &rules)] })
            })
        }
        [name] => {
            google.require(&caller, "iam.denypolicies.get", &resource)?;
            if *name != NAME || rules.is_empty() {
                return Err(Refusal::not_found("Requested entity was not found."));
            }
            let mut policy = head(google, &resource, &rules);
            let rules: Vec<Value> = rules.iter().map(|it| json!({ "denyRule": it })).collect();
            policy["rules"] = json!(rules);
            Ok(policy)
        }
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

/// Finds what policies are attached to. What does not exist is not told from what may not be seen.
fn point(google: &Google, attachment: &str) -> Result<ResourceName, Refusal> {
    let point = attachment
        .strip_prefix("cloudresourcemanager.googleapis.com/")
        .and_then(ResourceName::parse);
    match point {
        Some(ResourceName::Project { project }) => {
            Ok(ResourceName::project(&project_id(google, &project)?))
        }
        Some(node @ (ResourceName::Folder { .. } | ResourceName::Organization { .. }))
            if google.read(|world| world.policy(&node).is_some()) =>
        {
            Ok(node)
        }
        Some(_) => Err(Refusal::caller_does_not_have_permission()),
        None => Err(Refusal::invalid_argument("Invalid attachment point.")),
    }
}

fn rules(google: &Google, resource: &ResourceName) -> Vec<DenyRule> {
    google.read(|world| {
        let rules = match resource {
            ResourceName::Folder { number } => world.folder(number).map(|it| &it.deny),
            ResourceName::Organization { number } => world.organization(number).map(|it| &it.deny),
            other => other
                .project_id()
                .and_then(|project| world.project(project))
                .map(|it| &it.deny),
        };
        rules.cloned().unwrap_or_default()
    })
}

/// What a policy says about itself. Answers name a project by its number, however it was asked for.
fn head(google: &Google, resource: &ResourceName, rules: &[DenyRule]) -> Value {
    let number = resource
        .project_id()
        .and_then(|id| google.read(|world| world.project(id).map(|it| it.number)));
    let point = number.map_or_else(
        || resource.to_string(),
        |number| format!("projects/{number}"),
    );
    let point = format!("cloudresourcemanager.googleapis.com/{point}").replace('/', "%2F");
    let etag = hex::encode(&Sha256::digest(json!(rules).to_string())[..8]);
    json!({
        "name": format!("policies/{point}/denypolicies/{NAME}"), "kind": "DenyPolicy", "etag": etag,
    })
}
