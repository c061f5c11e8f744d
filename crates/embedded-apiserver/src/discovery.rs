//! What there is to ask for: groups, versions and resources, in the plain and in the aggregated form.
//!
//! kubectl asks for the aggregated documents since 1.26 and for the plain ones when it gets those.
//!
//! Source: <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::kinds::{Kind, KindTable};

/// What every resource can do.
const VERBS: &[&str] = &[
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// What a subresource can do.
const SUBRESOURCE_VERBS: &[&str] = &["get", "patch", "update"];

/// Whether an `Accept` header asks for the aggregated form, and in which version: `v2` or `v2beta1`.
pub(crate) fn aggregated_version(accept: &str) -> Option<&'static str> {
    // The client's order is its preference.
    accept.split(',').find_map(|option| {
        let mut parameters = option.split(';').map(str::trim).skip(1);
        let of_discovery =
            option.contains("g=apidiscovery.k8s.io") && option.contains("as=APIGroupDiscoveryList");
        let version = parameters.find_map(|parameter| parameter.strip_prefix("v="));
        match version {
            Some("v2") if of_discovery => Some("v2"),
            Some("v2beta1") if of_discovery => Some("v2beta1"),
            _ => None,
        }
    })
}

/// The media type of an aggregated answer.
pub(crate) fn aggregated_media_type(version: &str) -> String {
    format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList")
}

/// Everything at once: the core group for `/api`, all others for `/apis`.
pub(crate) fn aggregated(kinds: &KindTable, version: &str, core: bool) -> Value {
    let items: Vec<Value> = groups(kinds)
        .iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|(version, kinds)| {
                    let resources: Vec<Value> =
                        kinds.iter().map(|kind| aggregated_resource(kind)).collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if group.is_empty() {
                json!({})
            } else {
                json!({"name": group})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": items,
    })
}

fn aggregated_resource(kind: &Kind) -> Value {
    let response_kind = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let mut resource = json!({
        "resource": kind.plural,
        "responseKind": response_kind,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular,
        "verbs": VERBS,
    });
    if !kind.short_names.is_empty() {
        resource["shortNames"] = json!(kind.short_names);
    }
    if kind.status_subresource {
        resource["subresources"] = json!([{"subresource": "status", "responseKind": response_kind, "verbs": SUBRESOURCE_VERBS}]);
    }
    resource
}

/// `/api`
pub(crate) fn core_versions() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}],
    })
}

/// `/apis`
pub(crate) fn group_list(kinds: &KindTable) -> Value {
    let groups: Vec<Value> = groups(kinds)
        .iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| group_value(group, versions.keys()))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/{group}`; `None` when there is no such group.
pub(crate) fn group(kinds: &KindTable, name: &str) -> Option<Value> {
    let groups = groups(kinds);
    let versions = groups.get(name).filter(|_| !name.is_empty())?;
    let mut value = group_value(name, versions.keys());
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    Some(value)
}

fn group_value<'a>(group: &str, versions: impl Iterator<Item = &'a String>) -> Value {
    let versions: Vec<Value> = versions
        .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
        .collect();
    let preferred = versions.first().cloned().unwrap_or_default();
    json!({"name": group, "versions": versions, "preferredVersion": preferred})
}

/// `/api/v1` and `/apis/{group}/{version}`; `None` when there is no such version.
pub(crate) fn resource_list(kinds: &KindTable, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    let mut group_version = None;
    for kind in kinds
        .iter()
        .filter(|kind| kind.group == group && kind.version == version)
    {
        group_version = Some(kind.api_version());
        let mut resource = json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "kind": kind.kind,
            "verbs": VERBS,
        });
        if !kind.short_names.is_empty() {
            resource["shortNames"] = json!(kind.short_names);
        }
        resources.push(resource);
        if kind.status_subresource {
            resources.push(json!({
                "name": format!("{}/status", kind.plural),
                "singularName": "",
                "namespaced": kind.namespaced,
                "kind": kind.kind,
                "verbs": SUBRESOURCE_VERBS,
            }));
        }
    }
    let group_version = group_version?;
    Some(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    }))
}

type Groups<'a> = BTreeMap<&'a str, BTreeMap<String, Vec<&'a Kind>>>;

fn groups(kinds: &KindTable) -> Groups<'_> {
    let mut groups = Groups::new();
    for kind in kinds.iter() {
        let versions = groups.entry(&kind.group).or_default();
        versions.entry(kind.version.clone()).or_default().push(kind);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_a_client_prefers_is_chosen() {
        let kubectl = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                       application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(aggregated_version(kubectl), Some("v2"));
        assert_eq!(
            aggregated_version(
                "application/json;as=APIGroupDiscoveryList;v=v2beta1;g=apidiscovery.k8s.io"
            ),
            Some("v2beta1")
        );
        assert_eq!(aggregated_version("application/json"), None);
        assert_eq!(
            aggregated_version("application/json;as=Table;v=v1;g=meta.k8s.io"),
            None
        );
    }

    #[test]
    fn builtin_kinds_are_found_in_both_forms() {
        let kinds = KindTable::builtin();
        let core = resource_list(&kinds, "", "v1").unwrap();
        assert_eq!(core["groupVersion"], "v1");
        let names: Vec<&str> = core["resources"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["name"].as_str())
            .collect();
        assert!(
            names.contains(&"namespaces") && names.contains(&"namespaces/status"),
            "{names:?}"
        );
        assert!(group(&kinds, "rbac.authorization.k8s.io").is_some());
        assert!(group(&kinds, "").is_none() && resource_list(&kinds, "apps", "v1").is_none());
        assert_eq!(
            aggregated(&kinds, "v2", true)["items"]
                .as_array()
                .unwrap()
                .len(),
            1
        );
        let groups = group_list(&kinds)["groups"].as_array().unwrap().len();
        assert_eq!(
            aggregated(&kinds, "v2", false)["items"]
                .as_array()
                .unwrap()
                .len(),
            groups
        );
    }
}
