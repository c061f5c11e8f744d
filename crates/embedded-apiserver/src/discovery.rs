//! Discovery: which groups, versions and kinds there are, in the old form (a document each) and the new (all at once).
//!
//! Source: <https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api>

use serde_json::{Value, json};

use crate::kinds::{Kind, KindTable};

const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// The versions of the discovery document that tells all at once, the preferred one first.
const AGGREGATED: [&str; 2] = ["v2", "v2beta1"];

/// Says which version of the aggregated document an `Accept` header asks for, if any.
pub(crate) fn aggregated_version(accept: &str) -> Option<&'static str> {
    accept.split(',').find_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let json = parts.next() == Some("application/json");
        let parameters: Vec<&str> = parts.collect();
        let wanted = json
            && parameters.contains(&"as=APIGroupDiscoveryList")
            && parameters.contains(&"g=apidiscovery.k8s.io");
        AGGREGATED
            .into_iter()
            .find(|it| wanted && parameters.contains(&format!("v={it}").as_str()))
    })
}

/// The media type of the aggregated document.
pub(crate) fn media_type(version: &str) -> &'static str {
    match version {
        "v2" => "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList",
        _ => "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList",
    }
}

/// `/api` (the core group) or `/apis` (the others), all at once.
pub(crate) fn aggregated(kinds: &KindTable, core: bool, version: &str) -> Value {
    let groups = kinds.groups();
    let items: Vec<Value> = groups
        .iter()
        .filter(|(group, _)| group.is_empty() == core)
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let resources: Vec<Value> = kinds
                        .of(group, version)
                        .map(|it| aggregated_resource(it))
                        .collect();
                    json!({"version": version, "resources": resources, "freshness": "Current"})
                })
                .collect();
            let metadata = if core {
                json!({"creationTimestamp": null})
            } else {
                json!({"name": group, "creationTimestamp": null})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList", "apiVersion": format!("apidiscovery.k8s.io/{version}"), "metadata": {}, "items": items,
    })
}

fn aggregated_resource(kind: &Kind) -> Value {
    let response = json!({"group": kind.group, "version": kind.version, "kind": kind.kind});
    let mut resource = json!({
        "resource": kind.plural, "responseKind": response, "singularResource": kind.singular, "verbs": VERBS,
        "scope": if kind.namespaced { "Namespaced" } else { "Cluster" },
    });
    add_lists(&mut resource, kind);
    let subresources: Vec<Value> = kind
        .subresources()
        .map(|it| {
            let [group, version, kind] = it.group_version_kind(kind);
            let response = json!({"group": group, "version": version, "kind": kind});
            json!({"subresource": it.name(), "responseKind": response, "verbs": it.verbs()})
        })
        .collect();
    if !subresources.is_empty() {
        resource["subresources"] = subresources.into();
    }
    resource
}

fn add_lists(resource: &mut Value, kind: &Kind) {
    if !kind.short_names.is_empty() {
        resource["shortNames"] = kind.short_names.clone().into();
    }
    if !kind.categories.is_empty() {
        resource["categories"] = kind.categories.clone().into();
    }
}

/// `/api`
pub(crate) fn core_versions() -> Value {
    json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []})
}

/// `/apis`
pub(crate) fn groups(kinds: &KindTable) -> Value {
    let groups = kinds.groups();
    let groups: Vec<Value> = groups
        .iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| group_value(group, versions))
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

/// `/apis/{group}`
pub(crate) fn group(kinds: &KindTable, group: &str) -> Option<Value> {
    let groups = kinds.groups();
    let versions = groups.get(group)?;
    let mut value = group_value(group, versions);
    value["kind"] = "APIGroup".into();
    value["apiVersion"] = "v1".into();
    Some(value)
}

fn group_value(group: &str, versions: &[&str]) -> Value {
    let version = |it: &&str| json!({"groupVersion": format!("{group}/{it}"), "version": it});
    let all: Vec<Value> = versions.iter().map(version).collect();
    json!({"name": group, "versions": all, "preferredVersion": versions.first().map(version)})
}

/// `/api/v1`, `/apis/{group}/{version}`
pub(crate) fn resources(kinds: &KindTable, group: &str, version: &str) -> Option<Value> {
    let mut resources = Vec::new();
    for kind in kinds.of(group, version) {
        let mut resource = json!({
            "name": kind.plural, "singularName": kind.singular, "namespaced": kind.namespaced, "kind": kind.kind, "verbs": VERBS,
        });
        add_lists(&mut resource, kind);
        resources.push(resource);
        for subresource in kind.subresources() {
            let [its_group, its_version, its_kind] = subresource.group_version_kind(kind);
            let mut entry = json!({
                "name": format!("{}/{}", kind.plural, subresource.name()), "singularName": "",
                "namespaced": kind.namespaced, "kind": its_kind, "verbs": subresource.verbs(),
            });
            if (its_group, its_version) != (group, version) {
                entry["group"] = its_group.into();
                entry["version"] = its_version.into();
            }
            resources.push(entry);
        }
    }
    if resources.is_empty() {
        return None;
    }
    let group_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources}),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aggregated_document_is_told_from_what_is_accepted() {
        let kubectl = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,\
                       application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(aggregated_version(kubectl), Some("v2"));
        let older = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";
        assert_eq!(aggregated_version(older), Some("v2beta1"));
        assert_eq!(aggregated_version("application/json"), None);
    }

    #[test]
    fn every_builtin_kind_is_discovered() {
        let kinds = KindTable::builtin();
        let core = resources(&kinds, "", "v1").unwrap();
        let names: Vec<&str> = core["resources"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["name"].as_str())
            .collect();
        assert_eq!(
            names,
            [
                "configmaps",
                "events",
                "namespaces",
                "namespaces/finalize",
                "namespaces/status",
                "secrets",
                "serviceaccounts",
                "serviceaccounts/token"
            ]
        );
        assert!(resources(&kinds, "nothing", "v1").is_none());
        let all = aggregated(&kinds, false, "v2");
        let groups: Vec<&str> = all["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|it| it["metadata"]["name"].as_str())
            .collect();
        assert_eq!(
            groups,
            [
                "apiextensions.k8s.io",
                "coordination.k8s.io",
                "rbac.authorization.k8s.io"
            ]
        );
        assert_eq!(
            group(&kinds, "coordination.k8s.io").unwrap()["preferredVersion"]["version"],
            "v1"
        );
    }
}
