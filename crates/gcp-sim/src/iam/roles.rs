//! Roles: the predefined ones, and those that projects and organizations have made.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/rest/v1/roles>

use http::Method;
use serde_json::{Value, json};

use super::SCOPES;
use crate::apis::Answer;
use crate::call::{self, Call};
use crate::google::Google;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::roles::{self, CustomRole};

pub(super) fn answer(google: &Google, call: &Call, parts: &[&str]) -> Answer {
    let caller = call.caller(google, SCOPES)?;
    if call.method != Method::GET {
        return Err(Refusal::no_such_route(&call.path));
    }
    match parts {
        ["roles"] => {
            call.require_api_of(google, &caller, None)?;
            list(call, roles::names().map(predefined).collect())
        }
        ["roles", id] => {
            call.require_api_of(google, &caller, None)?;
            let name = format!("roles/{id}");
            let found = roles::names().find(|known| *known == name);
            found
                .map(predefined)
                .ok_or_else(|| Refusal::not_simulated(&format!("knows no role {name}")))
        }
        [kind, owner, "roles", rest @ ..] => {
            let (resource, customs) = customs(google, kind, owner)
                .ok_or_else(Refusal::caller_does_not_have_permission)?;
            call.require_api_of(google, &caller, resource.project_id())?;
            let Some(id) = rest.first() else {
                google.require(&caller, "iam.roles.list", &resource)?;
                let own = customs.iter().filter(|role| !role.deleted);
                return list(call, own.map(|role| custom(&resource, role)).collect());
            };
            google.require(&caller, "iam.roles.get", &resource)?;
            let found = customs.iter().find(|role| role.id == *id);
            found
                .map(|role| custom(&resource, role))
                .ok_or_else(|| unknown(&format!("{resource}/roles/{id}")))
        }
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

fn customs(google: &Google, kind: &str, owner: &str) -> Option<(ResourceName, Vec<CustomRole>)> {
    google.read(|world| match kind {
        "projects" => {
            let project = world.project(owner)?;
            Some((ResourceName::project(&project.id), project.roles.clone()))
        }
        "organizations" => {
            let organization = world.organization(owner)?;
            let number = organization.number.clone();
            Some((
                ResourceName::Organization { number },
                organization.roles.clone(),
            ))
        }
        _ => None,
    })
}

fn list(call: &Call, roles: Vec<Value>) -> Answer {
    let (mut roles, next) = call::page(roles, call.page(300, 1000)?);
    if !matches!(call.query("view"), Some("FULL" | "1")) {
        for role in &mut roles {
            if let Some(fields) = role.as_object_mut() {
                fields.remove("includedPermissions");
            }
        }
    }
    let mut answer = json!({});
    if !roles.is_empty() {
        answer["roles"] = json!(roles);
    }
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(answer)
}

fn predefined(name: &'static str) -> Value {
    json!({
        "name": name, "title": name.trim_start_matches("roles/"), "stage": "GA", "etag": "AA==",
        "includedPermissions": roles::predefined(name),
    })
}

fn custom(owner: &ResourceName, role: &CustomRole) -> Value {
    let mut answer = json!({
        "name": format!("{owner}/roles/{}", role.id), "title": role.title, "stage": "GA", "etag": "BwYAAAAAAAA=",
        "includedPermissions": role.included_permissions,
    });
    if role.deleted {
        answer["deleted"] = json!(true);
    }
    answer
}

fn unknown(name: &str) -> Refusal {
    Refusal::not_found(format!("The role named {name} was not found."))
}
