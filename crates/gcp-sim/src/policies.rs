//! The three policy methods that every resource with a policy has: get, set, test.
//!
//! Sources: <https://cloud.google.com/iam/docs/policies>,
//! <https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains>

use serde::Deserialize;
use serde_json::{Value, json};

use crate::apis::Answer;
use crate::evaluate;
use crate::faults::Effect;
use crate::google::{Caller, Google};
use crate::org_policy;
use crate::policy::{Binding, Policy};
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::World;

/// What `setIamPolicy` is sent. Not every API knows the mask.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct SetRequest {
    pub(crate) policy: Written,
    pub(crate) update_mask: Option<String>,
}

/// A policy as a client writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Written {
    version: u8,
    etag: Option<String>,
    bindings: Vec<Binding>,
    audit_configs: Vec<Value>,
}

/// What `getIamPolicy` is sent where it is a POST.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct GetRequest {
    options: GetOptions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct GetOptions {
    requested_policy_version: u8,
}

/// What `testIamPermissions` is sent.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct TestRequest {
    pub(crate) permissions: Vec<String>,
}

impl GetRequest {
    /// The version from the body, else from the query `options.requestedPolicyVersion`.
    pub(crate) fn version(&self, query: Option<&str>) -> u8 {
        let asked = query.and_then(|text| text.parse().ok());
        asked.unwrap_or(self.options.requested_policy_version)
    }
}

/// Reads the policy of a resource that exists.
pub(crate) fn get(google: &Google, resource: &ResourceName, version: u8) -> Value {
    google.read(|world| {
        let empty = Policy::default();
        world.policy(resource).unwrap_or(&empty).to_json(version)
    })
}

/// Replaces the policy of a resource that exists.
pub(crate) fn set(google: &Google, resource: &ResourceName, request: SetRequest) -> Answer {
    let SetRequest {
        policy,
        update_mask,
    } = request;
    let name = resource.to_string();
    let raced = |effect: &Effect| matches!(effect, Effect::EtagConflict);
    if google.fault_about(&name, raced).is_some() {
        return Err(Refusal::etag_conflict());
    }
    let restricted = |effect: &Effect| matches!(effect, Effect::DrsReject);
    if google.fault_about(&name, restricted).is_some() {
        return Err(Refusal::member_not_permitted());
    }
    let conditional = policy
        .bindings
        .iter()
        .any(|binding| binding.condition.is_some());
    if conditional && policy.version < 3 {
        let text = "Specified policy version must be at least 3 when the policy has conditional role bindings.";
        return Err(Refusal::invalid_field("policy.version", text));
    }
    google.read(|world| {
        policy
            .bindings
            .iter()
            .try_for_each(|binding| check_binding(world, resource, binding))
    })?;
    let now = google.now();
    google.change(|world| {
        let own = world
            .policy_mut(resource)
            .ok_or_else(|| Refusal::not_found(format!("{resource} was not found.")))?;
        if policy
            .etag
            .is_some_and(|etag| !etag.is_empty() && etag != own.etag())
        {
            return Err(Refusal::etag_conflict());
        }
        let mask = update_mask.unwrap_or_else(|| "bindings,etag".to_owned());
        let mask = mask.replace('_', "").to_ascii_lowercase();
        if mask.contains("bindings") {
            own.write(policy.bindings, now);
        }
        if mask.contains("auditconfigs") {
            own.write_audit_configs(policy.audit_configs);
        }
        Ok(own.to_json(3))
    })
}

/// Gives the permissions that the caller has, of those asked for.
pub(crate) fn test(
    google: &Google,
    caller: &Caller,
    resource: &ResourceName,
    request: &TestRequest,
) -> Value {
    let held: Vec<&String> = request
        .permissions
        .iter()
        .filter(|permission| google.allows(caller, permission, resource))
        .collect();
    if held.is_empty() {
        json!({})
    } else {
        json!({ "permissions": held })
    }
}

fn check_binding(world: &World, resource: &ResourceName, binding: &Binding) -> Result<(), Refusal> {
    let Binding {
        role,
        members,
        condition: _,
    } = binding;
    if evaluate::permissions_of(world, role).is_none() {
        // Google has many more of its own than this table has.
        if role.starts_with("roles/") {
            return Err(Refusal::not_simulated(&format!("knows no role {role}")));
        }
        return Err(Refusal::invalid_argument(format!(
            "Role {role} is not supported for this resource."
        )));
    }
    members
        .iter()
        .try_for_each(|member| check_member(world, resource, member))
}

fn check_member(world: &World, resource: &ResourceName, member: &str) -> Result<(), Refusal> {
    if !crate::world::is_member(member) {
        let text = format!("Invalid argument: '{member}' is not a valid member.");
        return Err(Refusal::invalid_field("policy.bindings.members", text));
    }
    if let Some(Principal::ServiceAccount { email }) = Principal::parse_member(member) {
        let simulated = world
            .projects
            .iter()
            .any(|project| email.ends_with(&project.email_of("")));
        if simulated && world.service_account(&email).is_none() {
            let text = format!("Service account {email} does not exist.");
            return Err(Refusal::invalid_argument(text));
        }
    }
    if !org_policy::permits_member(world, resource, member) {
        return Err(Refusal::member_not_permitted());
    }
    Ok(())
}
