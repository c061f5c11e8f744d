//! The two searches: over the bindings of policies, and over resources.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Value, json};

use super::assets::{self, Asset};
use super::query::{Query, Term};
use crate::apis::Answer;
use crate::call::{self, Call};
use crate::evaluate;
use crate::policy::Binding;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::World;

/// How many results come on a page unless told otherwise, which is assumed, and at most.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 500;

const POLICY_FIELDS: &[&str] = &[
    "policy",
    "policy.role.permissions",
    "roles",
    "memberTypes",
    "resource",
    "project",
    "folders",
    "organization",
];

const RESOURCE_FIELDS: &[&str] = &[
    "name",
    "displayName",
    "description",
    "location",
    "state",
    "labels",
    "project",
    "folders",
    "organization",
    "parentFullResourceName",
    "parentAssetType",
];

pub(super) fn policies(world: &World, scope: &ResourceName, call: &Call) -> Answer {
    let query = Query::parse(call.query("query").unwrap_or_default(), POLICY_FIELDS)?;
    let kinds = Kinds::parse(call)?;
    let order = Order::parse(call, &["resource", "assetType", "project"])?;
    let mut results: Vec<Value> = assets::below(world, scope)
        .iter()
        .filter(|asset| kinds.include(asset.kind))
        .filter_map(|asset| policy_result(world, asset, &query))
        .collect();
    order.sort(&mut results);
    page(call, results)
}

/// What a search says of a resource's policy: only the bindings that match.
fn policy_result(world: &World, asset: &Asset, query: &Query) -> Option<Value> {
    let policy = world.policy(asset.resource.as_ref()?)?;
    let mut explained = serde_json::Map::new();
    let mut matching = Vec::new();
    for binding in &policy.bindings {
        let searched = SearchedBinding {
            world,
            asset,
            binding,
        };
        if !query.terms.iter().all(|term| searched.matches(term)) {
            continue;
        }
        matching.push(json!(binding));
        let found = searched.matched_permissions(query);
        if !found.is_empty() {
            explained.insert(binding.role.clone(), json!({ "permissions": found }));
        }
    }
    if matching.is_empty() {
        return None;
    }
    let mut result = asset.place();
    result.insert("resource".to_owned(), json!(asset.name));
    result.insert("policy".to_owned(), json!({ "bindings": matching }));
    if !explained.is_empty() {
        let explanation = json!({ "matchedPermissions": explained });
        result.insert("explanation".to_owned(), explanation);
    }
    Some(Value::Object(result))
}

/// A binding with what it hangs on.
struct SearchedBinding<'a> {
    world: &'a World,
    asset: &'a Asset,
    binding: &'a Binding,
}

impl SearchedBinding<'_> {
    fn matches(&self, term: &Term) -> bool {
        let any = |texts: &[String]| texts.iter().any(|text| term.matches(text));
        match term.field.as_deref() {
            Some("policy") => any(&self.policy()),
            Some("policy.role.permissions") => self
                .permissions()
                .is_some_and(|all| all.iter().any(|permission| term.matches(permission))),
            Some("roles") => term.matches(&self.binding.role),
            Some("memberTypes") => self
                .binding
                .members
                .iter()
                .any(|member| term.matches(member.split(':').next().unwrap_or_default())),
            Some(field) => any(&place(self.asset, field)),
            None => {
                let fields = ["resource", "project", "folders", "organization"];
                any(&self.policy()) || fields.iter().any(|field| any(&place(self.asset, field)))
            }
        }
    }

    /// Everything that a binding says.
    fn policy(&self) -> Vec<String> {
        let Binding {
            role,
            members,
            condition,
        } = self.binding;
        let mut texts = vec![role.clone()];
        texts.extend(members.iter().cloned());
        if let Some(condition) = condition {
            let json = json!(condition);
            let said = ["title", "description", "expression"];
            texts.extend(
                said.iter()
                    .filter_map(|field| Some(json[field].as_str()?.to_owned())),
            );
        }
        texts
    }

    fn permissions(&self) -> Option<&BTreeSet<String>> {
        evaluate::permissions_of(self.world, &self.binding.role)
    }

    /// The permissions that a query by permissions was about.
    fn matched_permissions(&self, query: &Query) -> Vec<&String> {
        let asked: Vec<&Term> = query
            .terms
            .iter()
            .filter(|term| term.field.as_deref() == Some("policy.role.permissions"))
            .collect();
        let all = self.permissions().into_iter().flatten();
        all.filter(|permission| asked.iter().any(|term| term.matches(permission)))
            .collect()
    }
}

pub(super) fn resources(world: &World, scope: &ResourceName, call: &Call) -> Answer {
    if call.query("readMask").is_some_and(|mask| !mask.is_empty()) {
        return Err(Refusal::not_simulated(
            "resources are shown without readMask",
        ));
    }
    let query = Query::parse(call.query("query").unwrap_or_default(), RESOURCE_FIELDS)?;
    let kinds = Kinds::parse(call)?;
    let order = Order::parse(
        call,
        &[
            "name",
            "assetType",
            "project",
            "displayName",
            "location",
            "state",
        ],
    )?;
    let matches = |asset: &Asset| {
        query.terms.iter().all(|term| match term.field.as_deref() {
            Some(field) => place(asset, field).iter().any(|text| term.matches(text)),
            None => RESOURCE_FIELDS
                .iter()
                .flat_map(|field| place(asset, field))
                .chain([asset.kind.to_owned()])
                .any(|text| term.matches(&text)),
        })
    };
    let mut results: Vec<Value> = assets::below(world, scope)
        .into_iter()
        .filter(|asset| kinds.include(asset.kind) && matches(asset))
        .map(resource_result)
        .collect();
    order.sort(&mut results);
    page(call, results)
}

fn resource_result(asset: Asset) -> Value {
    let mut result = asset.place();
    result.insert("name".to_owned(), json!(asset.name));
    if let Some(parent) = &asset.parent {
        result.insert("parentFullResourceName".to_owned(), json!(parent.name));
        result.insert("parentAssetType".to_owned(), json!(parent.kind));
    }
    result.extend(asset.fields);
    Value::Object(result)
}

/// What a field of an asset says. Projects are found by their id too.
fn place(asset: &Asset, field: &str) -> Vec<String> {
    match field {
        "resource" | "name" => {
            let mut names = vec![asset.name.clone()];
            if let Some(resource @ ResourceName::Project { .. }) = &asset.resource {
                names.push(format!("//{}/{resource}", resource.service()));
            }
            names
        }
        "project" => asset.project.iter().cloned().collect(),
        "folders" => asset.folders.clone(),
        "organization" => asset.organization.iter().cloned().collect(),
        "parentFullResourceName" => asset.parent.iter().map(|it| it.name.clone()).collect(),
        "parentAssetType" => asset.parent.iter().map(|it| it.kind.to_owned()).collect(),
        other => match asset.fields.get(other) {
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Object(labels)) => labels
                .iter()
                .flat_map(|(key, value)| {
                    [key.clone(), value.as_str().unwrap_or_default().to_owned()]
                })
                .collect(),
            _ => Vec::new(),
        },
    }
}

/// The types of assets that are wanted; all where none is named.
struct Kinds(Vec<Regex>);

impl Kinds {
    fn parse(call: &Call) -> Result<Self, Refusal> {
        let wanted = call.query_all("assetTypes").into_iter().map(|kind| {
            Regex::new(&format!("^(?:{kind})$")).map_err(|_| {
                let text = format!("Invalid asset type: {kind}.");
                Refusal::invalid_field("asset_types", text)
            })
        });
        wanted.collect::<Result<_, _>>().map(Self)
    }

    fn include(&self, kind: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|wanted| wanted.is_match(kind))
    }
}

/// By which members results are put in order: `assetType DESC, resource`.
struct Order(Vec<(String, bool)>);

impl Order {
    fn parse(call: &Call, known: &[&str]) -> Result<Self, Refusal> {
        let asked = call.query("orderBy").unwrap_or_default();
        let fields = asked.split(',').map(str::trim).filter(|it| !it.is_empty());
        let order = fields.map(|field| {
            let (name, way) = field.split_once(' ').unwrap_or((field, ""));
            let descending = match way.trim() {
                "" | "ASC" | "asc" => Some(false),
                "DESC" | "desc" => Some(true),
                _ => None,
            };
            match descending {
                Some(descending) if known.contains(&name) => Ok((name.to_owned(), descending)),
                _ => {
                    let text = format!("Invalid order_by: {field}.");
                    Err(Refusal::invalid_field("order_by", text))
                }
            }
        });
        order.collect::<Result<_, _>>().map(Self)
    }

    fn sort(&self, results: &mut [Value]) {
        for (field, descending) in self.0.iter().rev() {
            let key = |result: &Value| result[field].as_str().unwrap_or_default().to_owned();
            if *descending {
                results.sort_by_key(|result| std::cmp::Reverse(key(result)));
            } else {
                results.sort_by_key(key);
            }
        }
    }
}

fn page(call: &Call, results: Vec<Value>) -> Answer {
    let (results, next) = call::page(results, call.page(PAGE, LARGEST_PAGE)?);
    let mut answer = json!({});
    if !results.is_empty() {
        answer["results"] = json!(results);
    }
    if let Some(next) = next {
        answer["nextPageToken"] = json!(next);
    }
    Ok(answer)
}
