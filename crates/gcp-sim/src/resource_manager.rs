//! Resource Manager: projects, folders, organizations and their policies. What may not be seen is not told from what is missing.
//!
//! Sources: <https://cloud.google.com/resource-manager/reference/rest/v3/projects>,
//! <https://cloud.google.com/resource-manager/reference/rest/v1/projects/getAncestry>

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apis::Answer;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY, Caller, Google};
use crate::org_policy;
use crate::policies::{self, GetRequest, SetRequest, TestRequest};
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::{Project, World};

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let [
        version @ ("v1" | "v3"),
        kind @ ("projects" | "folders" | "organizations"),
        id,
    ] = parts.as_slice()
    else {
        return Err(Refusal::no_such_route(&call.path));
    };
    let caller = call.caller(google, &[CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY])?;
    let resource = google
        .read(|world| find(world, kind, id))
        .ok_or_else(Refusal::caller_does_not_have_permission)?;
    call.require_api_of(google, &caller, resource.project_id())?;
    let at = At {
        google,
        call,
        caller: &caller,
        resource,
    };
    match (&call.method, *version, call.verb.as_deref()) {
        (&Method::GET, "v3", None) => at.show("get", |world| at.to_json(world)),
        (&Method::GET, "v1", None) if *kind == "projects" => {
            at.show("get", |world| at.to_json_v1(world))
        }
        (&Method::POST, "v1", Some("getAncestry")) if *kind == "projects" => {
            at.show("get", |world| Some(at.ancestry(world)))
        }
        (&Method::POST, "v1", Some("getEffectiveOrgPolicy")) if *kind == "projects" => {
            at.effective_org_policy()
        }
        (&Method::POST, _, Some("getIamPolicy")) => at.get_policy(),
        (&Method::POST, _, Some("setIamPolicy")) => at.set_policy(),
        (&Method::POST, _, Some("testIamPermissions")) => {
            let body: TestRequest = call.json()?;
            Ok(policies::test(google, &caller, &at.resource, &body))
        }
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

fn find(world: &World, kind: &str, id: &str) -> Option<ResourceName> {
    match kind {
        "projects" => world.project(id).map(|it| ResourceName::project(&it.id)),
        "folders" => world.folder(id).map(|it| ResourceName::Folder {
            number: it.number.clone(),
        }),
        _ => world.organization(id).map(|it| ResourceName::Organization {
            number: it.number.clone(),
        }),
    }
}

/// A node of the hierarchy that exists, and who asks about it.
struct At<'a> {
    google: &'a Google,
    call: &'a Call,
    caller: &'a Caller,
    resource: ResourceName,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct EffectiveOrgPolicy {
    constraint: String,
}

impl At<'_> {
    fn may(&self, verb: &str) -> Result<(), Refusal> {
        let kind = match self.resource {
            ResourceName::Folder { .. } => "folders",
            ResourceName::Organization { .. } => "organizations",
            _ => "projects",
        };
        let permission = format!("resourcemanager.{kind}.{verb}");
        self.google
            .require(self.caller, &permission, &self.resource)
    }

    fn show(&self, verb: &str, look: impl FnOnce(&World) -> Option<Value>) -> Answer {
        self.may(verb)?;
        self.google
            .read(look)
            .ok_or_else(Refusal::caller_does_not_have_permission)
    }

    fn to_json(&self, world: &World) -> Option<Value> {
        let state = self.call.enums().write("ACTIVE", 1);
        Some(match &self.resource {
            ResourceName::Folder { number } => {
                let folder = world.folder(number)?;
                json!({
                    "name": self.resource.to_string(), "parent": folder.parent, "state": state,
                    "displayName": folder.display_name, "etag": "W/\"1\"",
                })
            }
            ResourceName::Organization { number } => {
                let organization = world.organization(number)?;
                json!({
                    "name": self.resource.to_string(), "displayName": organization.display_name, "state": state,
                    "directoryCustomerId": organization.customer, "etag": "W/\"1\"",
                })
            }
            other => {
                let project = world.project(other.project_id()?)?;
                let mut answer = json!({
                    "name": format!("projects/{}", project.number), "projectId": project.id, "state": state,
                    "displayName": display_name(project), "etag": "W/\"1\"",
                });
                if let Some(parent) = &project.parent {
                    answer["parent"] = json!(parent);
                }
                if !project.labels.is_empty() {
                    answer["labels"] = json!(project.labels);
                }
                answer
            }
        })
    }

    fn to_json_v1(&self, world: &World) -> Option<Value> {
        let project = world.project(self.resource.project_id()?)?;
        let mut answer = json!({
            "projectId": project.id, "projectNumber": project.number.to_string(), "name": display_name(project),
            "lifecycleState": "ACTIVE",
        });
        if let Some((kind, id)) = project
            .parent
            .as_deref()
            .and_then(|parent| parent.split_once('/'))
        {
            answer["parent"] = json!({ "type": kind.trim_end_matches('s'), "id": id });
        }
        Some(answer)
    }

    fn ancestry(&self, world: &World) -> Value {
        let ancestors: Vec<Value> = world
            .lineage(&self.resource)
            .iter()
            .filter_map(|name| {
                let (kind, id) = match name {
                    ResourceName::Project { project } => ("project", project),
                    ResourceName::Folder { number } => ("folder", number),
                    ResourceName::Organization { number } => ("organization", number),
                    ResourceName::ServiceAccount { .. }
                    | ResourceName::Repository { .. }
                    | ResourceName::Topic { .. }
                    | ResourceName::Subscription { .. } => return None,
                };
                Some(json!({ "resourceId": { "type": kind, "id": id } }))
            })
            .collect();
        json!({ "ancestor": ancestors })
    }

    fn effective_org_policy(&self) -> Answer {
        self.google
            .require(self.caller, "orgpolicy.policy.get", &self.resource)?;
        let body: EffectiveOrgPolicy = self.call.json()?;
        let constraint = body.constraint.trim_start_matches("constraints/");
        let project = self.resource.project_id().unwrap_or_default();
        self.google.read(|world| {
            let mut answer = json!({ "constraint": body.constraint });
            if org_policy::is_list(constraint) {
                answer["listPolicy"] = list_policy(world, project, constraint);
            } else {
                let enforced = org_policy::enforced(world, project, constraint);
                answer["booleanPolicy"] = json!({ "enforced": enforced });
            }
            Ok(answer)
        })
    }

    fn get_policy(&self) -> Answer {
        self.may("getIamPolicy")?;
        let body: GetRequest = self.call.json()?;
        Ok(policies::get(
            self.google,
            &self.resource,
            body.version(None),
        ))
    }

    fn set_policy(&self) -> Answer {
        self.may("setIamPolicy")?;
        let body: SetRequest = self.call.json()?;
        policies::set(self.google, &self.resource, body)
    }
}

/// A list constraint as version 1 writes it.
///
/// Source: <https://cloud.google.com/resource-manager/reference/rest/v1/ListPolicy>
fn list_policy(world: &World, project: &str, constraint: &str) -> Value {
    let policy = org_policy::effective(world, &ResourceName::project(project), constraint);
    let rules = &policy.rules;
    if rules.iter().any(|rule| rule.deny_all == Some(true)) {
        return json!({ "allValues": "DENY" });
    }
    if rules.iter().any(|rule| rule.allow_all == Some(true)) {
        return json!({ "allValues": "ALLOW" });
    }
    let values = rules.iter().filter_map(|rule| rule.values.as_ref());
    values.fold(json!({}), |mut list, values| {
        if !values.allowed_values.is_empty() {
            list["allowedValues"] = json!(values.allowed_values);
        }
        if !values.denied_values.is_empty() {
            list["deniedValues"] = json!(values.denied_values);
        }
        list
    })
}

fn display_name(project: &Project) -> &str {
    if project.display_name.is_empty() {
        &project.id
    } else {
        &project.display_name
    }
}
