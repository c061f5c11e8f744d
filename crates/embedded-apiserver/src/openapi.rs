//! `OpenAPI` documents: one per group and version (v3), an index of them, and one of everything (v2).
//!
//! They say what clients look for: schemas under their kinds, how lists merge, which operations there are and that the
//! server itself checks fields. They are made once for a set of kinds.

mod metadata;
mod operations;
mod schemas;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::kinds::KindTable;

/// Every document, by what stands behind `/openapi/v3/`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Documents {
    versions: BTreeMap<String, Document>,
    index: Bytes,
    everything: Bytes,
}

#[derive(Debug, Clone)]
pub(crate) struct Document {
    pub(crate) body: Bytes,
    pub(crate) hash: String,
}

impl Documents {
    pub(crate) fn of(kinds: &KindTable) -> Self {
        let mut versions = BTreeMap::new();
        for (group, group_versions) in kinds.groups() {
            for version in group_versions {
                let body = Bytes::from(document(kinds, group, version).to_string());
                let hash = hash(&body);
                versions.insert(path(group, version), Document { body, hash });
            }
        }
        let entry = |(path, document): (&String, &Document)| {
            let url = format!("/openapi/v3/{path}?hash={}", document.hash);
            (path.clone(), json!({"serverRelativeURL": url}))
        };
        let paths: Map<String, Value> = versions.iter().map(entry).collect();
        Self {
            index: json!({"paths": paths}).to_string().into(),
            everything: everything(kinds).to_string().into(),
            versions,
        }
    }

    /// `/openapi/v3`
    pub(crate) fn index(&self) -> Bytes {
        self.index.clone()
    }

    /// `/openapi/v3/{path}`
    pub(crate) fn find(&self, path: &str) -> Option<&Document> {
        self.versions.get(path)
    }

    /// `/openapi/v2`
    pub(crate) fn everything(&self) -> Bytes {
        self.everything.clone()
    }
}

/// `api/v1`, `apis/kargo.akuity.io/v1alpha1`
fn path(group: &str, version: &str) -> String {
    if group.is_empty() {
        format!("api/{version}")
    } else {
        format!("apis/{group}/{version}")
    }
}

fn hash(body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let letters = digest.iter().flat_map(|it| [it >> 4, it & 15]);
    letters
        .filter_map(|it| char::from_digit(u32::from(it), 16))
        .collect()
}

/// The document of one version of a group.
fn document(kinds: &KindTable, group: &str, version: &str) -> Value {
    let mut schemas = metadata::schemas("#/components/schemas/");
    let mut paths = Map::new();
    for kind in kinds.of(group, version) {
        schemas.extend(schemas::of(kind, "#/components/schemas/"));
        operations::add(kind, &mut paths, &operations::V3);
    }
    json!({
        "openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.34.0"},
        "paths": paths, "components": {"schemas": schemas},
    })
}

/// The document of everything, in the older form.
fn everything(kinds: &KindTable) -> Value {
    let mut definitions = metadata::schemas("#/definitions/");
    let mut paths = Map::new();
    for kind in kinds.iter() {
        definitions.extend(schemas::of(kind, "#/definitions/"));
        operations::add(kind, &mut paths, &operations::V2);
    }
    json!({
        "swagger": "2.0", "info": {"title": "Kubernetes", "version": "v1.34.0"},
        "paths": paths, "definitions": definitions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every `$ref` in a document leads somewhere in it.
    fn check_references(value: &Value, root: &Value) {
        match value {
            Value::Object(members) => {
                if let Some(Value::String(reference)) = members.get("$ref") {
                    let pointer = reference.trim_start_matches('#');
                    assert!(root.pointer(pointer).is_some(), "{reference}");
                }
                members.values().for_each(|it| check_references(it, root));
            }
            Value::Array(items) => items.iter().for_each(|it| check_references(it, root)),
            _ => {}
        }
    }

    #[test]
    fn documents_are_whole() {
        let documents = Documents::of(&KindTable::builtin());
        let index: Value = serde_json::from_slice(&documents.index()).unwrap();
        for path in [
            "api/v1",
            "apis/apiextensions.k8s.io/v1",
            "apis/rbac.authorization.k8s.io/v1",
        ] {
            assert!(
                index["paths"][path]["serverRelativeURL"].is_string(),
                "{index}"
            );
            let document: Value =
                serde_json::from_slice(&documents.find(path).unwrap().body).unwrap();
            check_references(&document, &document);
        }
        let everything: Value = serde_json::from_slice(&documents.everything()).unwrap();
        check_references(&everything, &everything);
        assert!(everything["definitions"]["io.k8s.api.core.v1.ConfigMap"].is_object());
    }

    #[test]
    fn operations_say_that_the_server_checks_fields() {
        let document = document(&KindTable::builtin(), "", "v1");
        let patch = &document["paths"]["/api/v1/namespaces/{namespace}/configmaps/{name}"]["patch"];
        assert_eq!(
            patch["x-kubernetes-group-version-kind"]["kind"],
            "ConfigMap"
        );
        assert_eq!(patch["x-kubernetes-action"], "patch");
        let parameters = patch["parameters"].as_array().unwrap();
        assert!(
            parameters.iter().any(|it| it["name"] == "fieldValidation"),
            "{patch}"
        );
        let content = &patch["requestBody"]["content"];
        assert!(
            content["application/strategic-merge-patch+json"].is_object(),
            "{patch}"
        );
    }
}
