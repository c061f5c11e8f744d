//! The schemas of a kind: its objects and its lists.

use serde_json::{Map, Value, json};

use super::metadata::{LIST_META, OBJECT_META};
use crate::kinds::Kind;

/// The schemas of a kind by name; `root` is where references point.
pub(super) fn of(kind: &Kind, root: &str) -> Map<String, Value> {
    let mut schemas = Map::new();
    schemas.insert(name(kind), object(kind, root));
    schemas.insert(format!("{}List", name(kind)), list(kind, root));
    schemas
}

/// `io.k8s.api.core.v1.Secret`, `io.akuity.kargo.v1alpha1.Stage`
pub(super) fn name(kind: &Kind) -> String {
    let prefix = match kind.group.as_str() {
        "" => "io.k8s.api.core".to_owned(),
        "apiextensions.k8s.io" => {
            "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions".to_owned()
        }
        group if !kind.custom => {
            let short = group.split('.').next().unwrap_or(group);
            format!("io.k8s.api.{short}")
        }
        group => group.rsplit('.').collect::<Vec<_>>().join("."),
    };
    format!("{prefix}.{}.{}", kind.version, kind.kind)
}

fn object(kind: &Kind, root: &str) -> Value {
    let mut schema = kind.written.as_ref().clone();
    if root == "#/definitions/" {
        simplify(&mut schema);
    }
    let properties = &mut schema["properties"];
    if !properties.is_object() {
        *properties = json!({});
    }
    properties["apiVersion"] =
        json!({"description": "The group and version of the kind, such as v1.", "type": "string"});
    properties["kind"] = json!({"description": "The kind, such as Secret.", "type": "string"});
    properties["metadata"] = json!({
        "description": "What every object has: its name, its labels, and what the server notes about it.",
        "allOf": [{"$ref": format!("{root}{OBJECT_META}")}],
    });
    if root == "#/definitions/" {
        properties["metadata"] = json!({
            "description": "What every object has: its name, its labels, and what the server notes about it.",
            "$ref": format!("{root}{OBJECT_META}"),
        });
    }
    schema["x-kubernetes-group-version-kind"] = json!([gvk(kind, &kind.kind)]);
    schema
}

fn list(kind: &Kind, root: &str) -> Value {
    let (item, metadata) = (
        format!("{root}{}", name(kind)),
        format!("{root}{LIST_META}"),
    );
    json!({
        "description": format!("A list of {}.", kind.kind),
        "type": "object",
        "required": ["items"],
        "properties": {
            "apiVersion": {"type": "string"},
            "items": {"type": "array", "items": {"allOf": [{"$ref": item}]}},
            "kind": {"type": "string"},
            "metadata": {"allOf": [{"$ref": metadata}]}
        },
        "x-kubernetes-group-version-kind": [gvk(kind, &kind.list_kind)],
    })
}

pub(super) fn gvk(kind: &Kind, name: &str) -> Value {
    json!({"group": kind.group, "kind": name, "version": kind.version})
}

/// The older form knows neither alternatives nor null: what it cannot say is left open.
fn simplify(schema: &mut Value) {
    let Some(members) = schema.as_object_mut() else {
        return;
    };
    let open = [
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-int-or-string",
        "nullable",
    ]
    .iter()
    .any(|it| members.get(*it) == Some(&Value::Bool(true)));
    for name in ["oneOf", "anyOf", "allOf", "not", "nullable"] {
        members.remove(name);
    }
    if open {
        for name in ["type", "properties", "items", "additionalProperties"] {
            members.remove(name);
        }
    }
    for below in ["properties", "items", "additionalProperties"] {
        match members.get_mut(below) {
            Some(Value::Object(named)) if below == "properties" => {
                named.values_mut().for_each(simplify);
            }
            Some(schema) => simplify(schema),
            None => {}
        }
    }
}
