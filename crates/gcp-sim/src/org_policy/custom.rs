//! Constraints that an organization wrote itself: kept and shown, not enforced.
//!
//! Source: <https://cloud.google.com/resource-manager/docs/reference/orgpolicy/rest/v2/organizations.customConstraints>

use http::Method;
use serde_json::{Value, json};

use super::At;
use crate::apis::Answer;
use crate::call::{self, Call};
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::{CustomConstraint, Organization, World};

/// Constraints that an organization may have of its own for one type of resource.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/creating-managing-custom-constraints>
const MOST: usize = 20;

pub(super) fn answer(at: &At<'_>, call: &Call, rest: &[&str]) -> Answer {
    let ResourceName::Organization { number } = at.node else {
        return Err(Refusal::no_such_route(&call.path));
    };
    match (&call.method, rest) {
        (&Method::GET, []) => {
            at.may("orgpolicy.customConstraints.list")?;
            list(at, call, number)
        }
        (&Method::GET, [name]) => {
            at.may("orgpolicy.customConstraints.get")?;
            at.google.read(|world| {
                own(world, number)
                    .iter()
                    .find(|it| last(&it.name) == *name)
                    .map(|it| to_json(number, it))
                    .ok_or_else(|| missing(name))
            })
        }
        (&Method::POST, []) => create(at, call, number),
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

fn list(at: &At<'_>, call: &Call, number: &str) -> Answer {
    let all: Vec<Value> = at.google.read(|world| {
        let own = own(world, number).iter();
        own.map(|it| to_json(number, it)).collect()
    });
    let (items, next) = call::page(all, call.page(100, 1000)?);
    let mut answer = json!({});
    if !items.is_empty() {
        answer["customConstraints"] = json!(items);
    }
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(answer)
}

fn create(at: &At<'_>, call: &Call, number: &str) -> Answer {
    at.may("orgpolicy.customConstraints.create")?;
    let mut constraint: CustomConstraint = call.json()?;
    let name = last(&constraint.name).to_owned();
    let is_named = name
        .strip_prefix("custom.")
        .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|it| it.is_ascii_alphanumeric()));
    if !is_named {
        let text = "The name must be custom. and letters and digits.";
        return Err(Refusal::invalid_field("custom_constraint.name", text));
    }
    let wanted = [
        ("resource_types", constraint.resource_types.is_empty()),
        ("method_types", constraint.method_types.is_empty()),
        ("condition", constraint.condition.is_empty()),
        (
            "action_type",
            !["ALLOW", "DENY"].contains(&constraint.action_type.as_str()),
        ),
    ];
    if let Some((field, _)) = wanted.iter().find(|(_, is_missing)| *is_missing) {
        let text = format!("Custom constraint field {field} is missing or invalid.");
        return Err(Refusal::invalid_field(
            &format!("custom_constraint.{field}"),
            text,
        ));
    }
    constraint.update_time = Some(at.google.now().to_string());
    at.google.change(|world| {
        let organization =
            find_mut(world, number).ok_or_else(Refusal::caller_does_not_have_permission)?;
        let own = &mut organization.custom_constraints;
        if own.iter().any(|it| last(&it.name) == name) {
            return Err(Refusal::already_exists("Requested entity already exists"));
        }
        let same = own
            .iter()
            .filter(|it| it.resource_types == constraint.resource_types);
        if same.count() >= MOST {
            let text = "There are too many custom constraints for this resource type.";
            return Err(Refusal::failed_precondition(text));
        }
        own.push(constraint.clone());
        Ok(to_json(number, &constraint))
    })
}

fn own<'a>(world: &'a World, number: &str) -> &'a [CustomConstraint] {
    let organization = world.organization(number);
    organization.map_or(&[][..], |it| &it.custom_constraints)
}

fn find_mut<'a>(world: &'a mut World, number: &str) -> Option<&'a mut Organization> {
    let mut all = world.organizations.iter_mut();
    all.find(|organization| organization.number == number)
}

fn to_json(number: &str, constraint: &CustomConstraint) -> Value {
    let mut answer = json!(constraint);
    let name = last(&constraint.name);
    answer["name"] = json!(format!("organizations/{number}/customConstraints/{name}"));
    answer
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

fn missing(name: &str) -> Refusal {
    Refusal::not_found(format!("Custom constraint {name} was not found."))
}
