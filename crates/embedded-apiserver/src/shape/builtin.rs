//! How the values of the builtin kinds merge.
//!
//! Only what merging needs is declared; other fields are let through.

use serde_json::{Value, json};

use super::Shape;

/// The shape of a builtin kind.
pub(super) fn of(group: &str, kind: &str) -> Shape {
    let fields = match (group, kind) {
        ("", "ConfigMap") => {
            json!({ "data": texts(), "binaryData": texts(), "immutable": truth() })
        }
        ("", "Secret") => {
            json!({ "data": texts(), "stringData": texts(), "type": text(), "immutable": truth() })
        }
        ("", "Namespace") => json!({
            "spec": map(&json!({ "finalizers": list(&text()) })),
            "status": map(&json!({ "phase": text(), "conditions": conditions() })),
        }),
        ("", "ServiceAccount") => json!({
            "automountServiceAccountToken": truth(),
            "imagePullSecrets": list(&atomic(&json!({ "name": text() }))),
            "secrets": list_by("name", &atomic(&object_reference())),
        }),
        ("", "Event") => json!({
            "involvedObject": atomic(&object_reference()), "related": atomic(&object_reference()),
            "source": map(&json!({ "component": text(), "host": text() })),
            "series": map(&json!({ "count": number(), "lastObservedTime": time() })),
            "reason": text(), "message": text(), "type": text(), "action": text(), "count": number(),
            "firstTimestamp": time(), "lastTimestamp": time(), "eventTime": time(),
            "reportingComponent": text(), "reportingInstance": text(),
        }),
        ("coordination.k8s.io", "Lease") => json!({
            "spec": map(&json!({
                "holderIdentity": text(), "leaseDurationSeconds": number(), "leaseTransitions": number(),
                "acquireTime": time(), "renewTime": time(), "preferredHolder": text(), "strategy": text(),
            })),
        }),
        ("rbac.authorization.k8s.io", "Role" | "ClusterRole") => json!({
            "rules": list(&map(&json!({
                "apiGroups": list(&text()), "resources": list(&text()), "resourceNames": list(&text()),
                "verbs": list(&text()), "nonResourceURLs": list(&text()),
            }))),
        }),
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => json!({
            "roleRef": atomic(&json!({ "apiGroup": text(), "kind": text(), "name": text() })),
            "subjects": list(&atomic(&json!({ "apiGroup": text(), "kind": text(), "name": text(), "namespace": text() }))),
        }),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => json!({
            "status": map(&json!({ "conditions": list_by("type", &json!({})), "storedVersions": list(&text()) })),
        }),
        _ => json!({}),
    };
    Shape::of_kind(
        &json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true, "properties": fields }),
    )
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn number() -> Value {
    json!({ "type": "integer" })
}

fn truth() -> Value {
    json!({ "type": "boolean" })
}

fn time() -> Value {
    json!({ "type": "string", "format": "date-time" })
}

fn texts() -> Value {
    json!({ "type": "object", "additionalProperties": text() })
}

fn map(fields: &Value) -> Value {
    json!({ "type": "object", "properties": fields })
}

/// A map that is one value.
fn atomic(fields: &Value) -> Value {
    json!({ "type": "object", "properties": fields, "x-kubernetes-map-type": "atomic" })
}

/// A list that is one value.
fn list(items: &Value) -> Value {
    json!({ "type": "array", "items": items, "x-kubernetes-list-type": "atomic" })
}

/// A list of maps told apart by one of their fields.
fn list_by(key: &str, items: &Value) -> Value {
    json!({
        "type": "array", "items": items,
        "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key],
        "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": key,
    })
}

fn conditions() -> Value {
    let fields = json!({ "type": text(), "status": text(), "reason": text(), "message": text(), "lastTransitionTime": time() });
    list_by("type", &map(&fields))
}

fn object_reference() -> Value {
    json!({
        "apiVersion": text(), "kind": text(), "namespace": text(), "name": text(), "uid": text(),
        "resourceVersion": text(), "fieldPath": text(),
    })
}
