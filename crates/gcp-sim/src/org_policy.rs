//! Organization policies: what holds for a project, what is written where, and writing it.
//!
//! Source: <https://cloud.google.com/resource-manager/docs/reference/orgpolicy/rest>

mod constraints;
mod custom;
mod effective;
mod locations;

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::apis::Answer;
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, Caller, Google};
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::{OrgPolicy, OrgPolicyRule, World};

pub(crate) use constraints::is_list;
pub(crate) use effective::{effective, enforced, lists, permits_member};
pub(crate) use locations::check_location;

pub(crate) fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let ["v2", kind, id, rest @ ..] = parts.as_slice() else {
        return Err(Refusal::no_such_route(&call.path));
    };
    let caller = call.caller(google, &[CLOUD_PLATFORM])?;
    let node = node(google, kind, id).ok_or_else(Refusal::caller_does_not_have_permission)?;
    call.require_api_of(google, &caller, node.project_id())?;
    let at = At {
        google,
        caller: &caller,
        node: &node,
    };
    match (&call.method, rest, call.verb.as_deref()) {
        (&Method::GET, ["policies", constraint], Some("getEffectivePolicy")) => {
            at.may("orgpolicy.policy.get")?;
            Ok(at.effective(constraint))
        }
        (&Method::GET, ["policies", constraint], None) => {
            at.may("orgpolicy.policy.get")?;
            at.own(constraint)
        }
        (&Method::GET, ["policies"], None) => {
            at.may("orgpolicy.policies.list")?;
            Ok(at.list())
        }
        (&Method::POST, ["policies"], None) => at.create(call),
        (&Method::PATCH, ["policies", constraint], None) => at.update(call, constraint),
        (&Method::DELETE, ["policies", constraint], None) => at.delete(call, constraint),
        (&Method::GET, ["constraints"], None) => {
            at.may("orgpolicy.constraints.list")?;
            Ok(constraints::list(&node))
        }
        (_, ["customConstraints", rest @ ..], None) => custom::answer(&at, call, rest),
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

/// Finds the node of the hierarchy that a request names. What does not exist is not told from what may not be seen.
fn node(google: &Google, kind: &str, id: &str) -> Option<ResourceName> {
    google.read(|world| match kind {
        "projects" => world
            .project(id)
            .map(|project| ResourceName::project(&project.id)),
        "folders" => world.folder(id).map(|it| ResourceName::Folder {
            number: it.number.clone(),
        }),
        "organizations" => world.organization(id).map(|it| ResourceName::Organization {
            number: it.number.clone(),
        }),
        _ => None,
    })
}

/// A node of the hierarchy, and who asks there.
struct At<'a> {
    google: &'a Google,
    caller: &'a Caller,
    node: &'a ResourceName,
}

/// A policy as clients write it.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Body {
    name: String,
    spec: Spec,
    dry_run_spec: Option<Value>,
    etag: Option<String>,
}

impl Body {
    fn read(call: &Call) -> Result<Self, Refusal> {
        let body: Self = call.json()?;
        if body.dry_run_spec.is_some() {
            return Err(Refusal::not_simulated("keeps no policies in dry run"));
        }
        Ok(body)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Spec {
    rules: Vec<OrgPolicyRule>,
    inherit_from_parent: bool,
    reset: bool,
    etag: Option<String>,
    /// Google's to say; clients send back what they read.
    #[serde(rename = "updateTime")]
    _update_time: Option<Value>,
}

impl At<'_> {
    fn may(&self, permission: &str) -> Result<(), Refusal> {
        self.google.require(self.caller, permission, self.node)
    }

    fn effective(&self, constraint: &str) -> Value {
        self.google.read(|world| {
            let policy = effective::effective(world, self.node, constraint);
            json!({ "name": self.name(world, constraint), "spec": spec(&policy, false) })
        })
    }

    fn own(&self, constraint: &str) -> Answer {
        self.google.read(|world| {
            let policy = effective::policies(world, self.node)
                .and_then(|policies| policies.get(constraint))
                .ok_or_else(|| missing(constraint))?;
            Ok(self.policy(world, constraint, policy))
        })
    }

    fn list(&self) -> Value {
        self.google.read(|world| {
            let policies: Vec<Value> = effective::policies(world, self.node)
                .into_iter()
                .flatten()
                .map(|(constraint, policy)| self.policy(world, constraint, policy))
                .collect();
            if policies.is_empty() {
                json!({})
            } else {
                json!({ "policies": policies })
            }
        })
    }

    fn create(&self, call: &Call) -> Answer {
        self.may("orgpolicy.policies.create")?;
        let body = Body::read(call)?;
        let constraint = body.name.rsplit('/').next().unwrap_or_default().to_owned();
        if constraint.is_empty() {
            return Err(Refusal::invalid_field(
                "policy.name",
                "Policy name is required.",
            ));
        }
        self.google.change(|world| {
            let policies = effective::policies_mut(world, self.node)
                .ok_or_else(Refusal::caller_does_not_have_permission)?;
            if policies.contains_key(&constraint) {
                return Err(Refusal::already_exists("Requested entity already exists"));
            }
            policies.insert(constraint.clone(), body.spec.into_policy(1));
            Ok(())
        })?;
        self.own(&constraint)
    }

    fn update(&self, call: &Call, constraint: &str) -> Answer {
        self.may("orgpolicy.policies.update")?;
        let body = Body::read(call)?;
        let mask = call.query("updateMask").unwrap_or("*");
        self.google.change(|world| {
            let own = effective::policies_mut(world, self.node)
                .and_then(|policies| policies.get_mut(constraint))
                .ok_or_else(|| missing(constraint))?;
            let shown = body.etag.as_ref().or(body.spec.etag.as_ref());
            if shown.is_some_and(|etag| !etag.is_empty() && *etag != own.etag()) {
                return Err(Refusal::etag_conflict());
            }
            if mask == "*" || mask.split(',').any(|path| path.starts_with("spec")) {
                *own = body.spec.into_policy(own.revision + 1);
            }
            Ok(())
        })?;
        self.own(constraint)
    }

    fn delete(&self, call: &Call, constraint: &str) -> Answer {
        self.may("orgpolicy.policies.delete")?;
        self.google.change(|world| {
            let policies = effective::policies_mut(world, self.node)
                .ok_or_else(Refusal::caller_does_not_have_permission)?;
            let own = policies
                .get(constraint)
                .ok_or_else(|| missing(constraint))?;
            if call.query("etag").is_some_and(|etag| etag != own.etag()) {
                return Err(Refusal::etag_conflict());
            }
            policies.remove(constraint);
            Ok(json!({}))
        })
    }

    /// Policies are named by the number of their project.
    fn name(&self, world: &World, constraint: &str) -> String {
        match self.node {
            ResourceName::Project { project } => {
                let number = world.project(project).map_or(0, |it| it.number);
                format!("projects/{number}/policies/{constraint}")
            }
            other => format!("{other}/policies/{constraint}"),
        }
    }

    fn policy(&self, world: &World, constraint: &str, policy: &OrgPolicy) -> Value {
        json!({
            "name": self.name(world, constraint), "spec": spec(policy, true), "etag": policy.etag(),
        })
    }
}

impl Spec {
    fn into_policy(self, revision: u64) -> OrgPolicy {
        OrgPolicy {
            rules: self.rules,
            inherit_from_parent: self.inherit_from_parent,
            reset: self.reset,
            revision,
        }
    }
}

fn spec(policy: &OrgPolicy, with_etag: bool) -> Value {
    let mut spec = json!(policy);
    if with_etag {
        spec["etag"] = json!(policy.etag());
    }
    spec
}

fn missing(constraint: &str) -> Refusal {
    Refusal::not_found(format!("Policy for constraint {constraint} was not found."))
}
