//! The policies that hold for resources: their own, and those above them as far as the scope.

use serde_json::{Value, json};

use super::assets;
use crate::apis::Answer;
use crate::call::Call;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::World;

/// Source: <https://cloud.google.com/asset-inventory/docs/reference/rest/v1/effectiveIamPolicies/batchGet>
const MOST_NAMES: usize = 20;

pub(super) fn batch_get(world: &World, scope: &ResourceName, call: &Call) -> Answer {
    let names = call.query_all("names");
    if names.is_empty() || names.len() > MOST_NAMES {
        let text = "Between 1 and 20 full resource names are expected.";
        return Err(Refusal::invalid_field("names", text));
    }
    let results: Vec<Value> = names
        .into_iter()
        .map(|name| {
            let lineage = assets::find(world, name)
                .map(|resource| within(world, &resource, scope))
                .unwrap_or_default();
            let policies: Vec<Value> = lineage
                .iter()
                .filter_map(|resource| {
                    let policy = world.policy(resource)?;
                    (!policy.bindings.is_empty()).then(|| {
                        json!({
                            "attachedResource": assets::full_name(world, resource),
                            "policy": { "bindings": policy.bindings },
                        })
                    })
                })
                .collect();
            let mut result = json!({ "fullResourceName": name });
            if !policies.is_empty() {
                result["policies"] = json!(policies);
            }
            result
        })
        .collect();
    Ok(json!({ "policyResults": results }))
}

/// A resource and what stands above it, nearest first, as far as the scope; nothing for a resource elsewhere.
pub(super) fn within(
    world: &World,
    resource: &ResourceName,
    scope: &ResourceName,
) -> Vec<ResourceName> {
    let mut lineage = world.lineage(resource);
    match lineage.iter().position(|name| name == scope) {
        Some(last) => lineage.truncate(last + 1),
        None => lineage.clear(),
    }
    lineage
}
