//! Who holds what on which resource, by bindings alone: groups are looked into, impersonation is not.
//!
//! Source: <https://cloud.google.com/asset-inventory/docs/reference/rest/v1/TopLevel/analyzeIamPolicy>

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{assets, effective};
use crate::apis::Answer;
use crate::call::Call;
use crate::evaluate;
use crate::policy::Binding;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::World;

pub(super) fn analyze(world: &World, scope: &ResourceName, call: &Call, now: Timestamp) -> Answer {
    let question = Question::parse(world, call, now)?;
    let attached: Vec<ResourceName> = match &question.resource {
        Some((_, resource)) => effective::within(world, resource, scope),
        None => assets::below(world, scope)
            .into_iter()
            .filter_map(|asset| asset.resource)
            .collect(),
    };
    let mut results = Vec::new();
    for resource in &attached {
        let bindings = world.policy(resource).map_or(&[][..], |it| &it.bindings);
        results.extend(
            bindings
                .iter()
                .filter_map(|binding| question.judge(resource, binding)),
        );
    }
    let mut analysis = json!({ "analysisQuery": question.to_json(scope), "fullyExplored": true });
    if !results.is_empty() {
        analysis["analysisResults"] = json!(results);
    }
    Ok(json!({ "mainAnalysis": analysis, "fullyExplored": true }))
}

/// What is asked for; what is left out is any.
struct Question<'a> {
    world: &'a World,
    identity: Option<&'a str>,
    /// As it was written, and what it means.
    resource: Option<(&'a str, ResourceName)>,
    roles: Vec<&'a str>,
    permissions: Vec<&'a str>,
    /// When conditions are to hold.
    access_time: Option<Timestamp>,
    expand_roles: bool,
}

/// Options that would make the simulator follow more than bindings.
const NOT_SIMULATED: [&str; 6] = [
    "analysisQuery.options.analyzeServiceAccountImpersonation",
    "analysisQuery.options.expandGroups",
    "analysisQuery.options.expandResources",
    "analysisQuery.options.outputGroupEdges",
    "analysisQuery.options.outputResourceEdges",
    "savedAnalysisQuery",
];

impl<'a> Question<'a> {
    fn parse(world: &'a World, call: &'a Call, now: Timestamp) -> Result<Self, Refusal> {
        let given = |name: &str| call.query(name).filter(|value| !value.is_empty());
        if let Some(option) = NOT_SIMULATED
            .iter()
            .find(|option| given(option).is_some_and(|value| value != "false"))
        {
            return Err(Refusal::not_simulated(&format!("cannot follow {option}")));
        }
        let identity = given("analysisQuery.identitySelector.identity");
        if identity.is_some_and(|it| it.contains(['*', '?'])) {
            let field = "analysis_query.identity_selector.identity";
            let text = "Wildcard characters are not supported in the identity.";
            return Err(Refusal::invalid_field(field, text));
        }
        let resource = match given("analysisQuery.resourceSelector.fullResourceName") {
            None => None,
            Some(name) => {
                let field = "analysis_query.resource_selector.full_resource_name";
                let found = assets::find(world, name).ok_or_else(|| {
                    Refusal::invalid_field(field, format!("Invalid full resource name: {name}."))
                })?;
                Some((name, found))
            }
        };
        let access_time = match given("analysisQuery.conditionContext.accessTime") {
            None => None,
            Some(text) => {
                let time: Option<Timestamp> = text.parse().ok();
                Some(time.filter(|time| *time >= now).ok_or_else(|| {
                    let field = "analysis_query.condition_context.access_time";
                    Refusal::invalid_field(field, "The access time must not be in the past.")
                })?)
            }
        };
        let question = Self {
            world,
            identity,
            resource,
            roles: call.query_all("analysisQuery.accessSelector.roles"),
            permissions: call.query_all("analysisQuery.accessSelector.permissions"),
            access_time,
            expand_roles: given("analysisQuery.options.expandRoles") == Some("true"),
        };
        let names_nothing = question.identity.is_none()
            && question.resource.is_none()
            && question.roles.is_empty()
            && question.permissions.is_empty();
        if names_nothing {
            let text = "At least one of identity, access and resource selector is required.";
            return Err(Refusal::invalid_field("analysis_query", text));
        }
        Ok(question)
    }

    /// The result for one binding, if it is about what was asked.
    fn judge(&self, attached: &ResourceName, binding: &Binding) -> Option<Value> {
        let identities: Vec<&str> = match self.identity {
            Some(identity) => self
                .means(&binding.members, identity)
                .then_some(identity)
                .into_iter()
                .collect(),
            None => binding.members.iter().map(String::as_str).collect(),
        };
        let accesses = self.accesses(binding);
        if identities.is_empty() || accesses.is_empty() {
            return None;
        }
        let name = assets::full_name(self.world, attached);
        let shown = self
            .resource
            .as_ref()
            .map_or(name.as_str(), |(name, _)| name);
        let mut list = json!({
            "resources": [{ "fullResourceName": shown }], "accesses": accesses,
        });
        if let Some(condition) = &binding.condition {
            let resource = self.resource.as_ref().map_or(attached, |(_, it)| it);
            let value = match self.access_time.map(|time| condition.holds(resource, time)) {
                Some(true) => "TRUE",
                Some(false) => "FALSE",
                None => "CONDITIONAL",
            };
            list["conditionEvaluation"] = json!({ "evaluationValue": value });
        }
        let identities: Vec<Value> = identities
            .iter()
            .map(|name| json!({ "name": name }))
            .collect();
        Some(json!({
            "attachedResourceFullName": name, "iamBinding": binding, "accessControlLists": [list],
            "identityList": { "identities": identities }, "fullyExplored": true,
        }))
    }

    /// Says whether members mean an identity: by its name, or by a group that it is in.
    fn means(&self, members: &[String], identity: &str) -> bool {
        members.iter().any(|member| {
            let group = member
                .strip_prefix("group:")
                .and_then(|group| self.world.groups.get(group));
            member == identity || group.is_some_and(|it| it.iter().any(|own| own == identity))
        })
    }

    /// What the role of a binding gives, of what was asked for.
    fn accesses(&self, binding: &Binding) -> Vec<Value> {
        let contained = evaluate::permissions_of(self.world, &binding.role);
        if self.roles.is_empty() && self.permissions.is_empty() {
            let mut all = vec![json!({ "role": binding.role })];
            if self.expand_roles {
                let permissions = contained.into_iter().flatten();
                all.extend(permissions.map(|it| json!({ "permission": it })));
            }
            return all;
        }
        let role = self
            .roles
            .iter()
            .filter(|role| **role == binding.role)
            .map(|role| json!({ "role": role }));
        let permissions = self
            .permissions
            .iter()
            .filter(|wanted| contained.is_some_and(|all| all.contains(**wanted)))
            .map(|permission| json!({ "permission": permission }));
        role.chain(permissions).collect()
    }

    fn to_json(&self, scope: &ResourceName) -> Value {
        let mut query = json!({ "scope": scope.to_string() });
        if let Some(identity) = self.identity {
            query["identitySelector"] = json!({ "identity": identity });
        }
        if let Some((name, _)) = &self.resource {
            query["resourceSelector"] = json!({ "fullResourceName": name });
        }
        if !self.roles.is_empty() {
            query["accessSelector"]["roles"] = json!(self.roles);
        }
        if !self.permissions.is_empty() {
            query["accessSelector"]["permissions"] = json!(self.permissions);
        }
        if self.expand_roles {
            query["options"] = json!({ "expandRoles": true });
        }
        query
    }
}
