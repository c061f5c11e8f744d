//! The schemas every document shares: the metadata of objects and lists.

use serde_json::{Map, Value, json};

pub(super) const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
pub(super) const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const OWNER: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.OwnerReference";
const MANAGED: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry";

/// The shared schemas by name; `root` is where references point.
pub(super) fn schemas(root: &str) -> Map<String, Value> {
    [
        (OBJECT_META, object_meta(root)),
        (LIST_META, list_meta()),
        (OWNER, owner()),
        (MANAGED, managed()),
    ]
    .into_iter()
    .map(|(name, schema)| (name.to_owned(), schema))
    .collect()
}

fn text(description: &str) -> Value {
    json!({"description": description, "type": "string"})
}

fn time(description: &str) -> Value {
    json!({"description": description, "type": "string", "format": "date-time"})
}

fn number(description: &str) -> Value {
    json!({"description": description, "type": "integer", "format": "int64"})
}

fn texts(description: &str) -> Value {
    json!({"description": description, "type": "object", "additionalProperties": {"type": "string"}})
}

fn object_meta(root: &str) -> Value {
    json!({
        "description": "What every object has: its name, its labels, and what the server notes about it.",
        "type": "object",
        "properties": {
            "annotations": texts("Notes of any size for people and programs; nothing is selected by them."),
            "creationTimestamp": time("When the object was created; set by the server."),
            "deletionGracePeriodSeconds": number("How long the object may take to go; set by the server."),
            "deletionTimestamp": time("When the object was asked to go; set by the server."),
            "finalizers": {
                "description": "What must have happened before the object is gone.", "type": "array", "items": {"type": "string"},
                "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"
            },
            "generateName": text("What the server makes a name from when there is none."),
            "generation": number("Counts changes of what is wanted; set by the server."),
            "labels": texts("Short values objects are selected by."),
            "managedFields": {
                "description": "Who set which field; kept by the server.", "type": "array",
                "items": {"allOf": [{"$ref": format!("{root}{MANAGED}")}]}, "x-kubernetes-list-type": "atomic"
            },
            "name": text("The name, unique in its namespace for its kind."),
            "namespace": text("The namespace the object lives in."),
            "ownerReferences": {
                "description": "The objects this one goes with.", "type": "array",
                "items": {"allOf": [{"$ref": format!("{root}{OWNER}")}]},
                "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["uid"],
                "x-kubernetes-patch-strategy": "merge", "x-kubernetes-patch-merge-key": "uid"
            },
            "resourceVersion": text("The revision of the object; set by the server."),
            "selfLink": text("Not used any more."),
            "uid": text("Tells the object from others that had its name before; set by the server.")
        }
    })
}

fn list_meta() -> Value {
    json!({
        "description": "What every list has.",
        "type": "object",
        "properties": {
            "continue": text("Where the next page begins; empty on the last."),
            "remainingItemCount": number("How many objects are on later pages."),
            "resourceVersion": text("The revision the list shows."),
            "selfLink": text("Not used any more.")
        }
    })
}

fn owner() -> Value {
    json!({
        "description": "An object this one goes with.",
        "type": "object",
        "required": ["apiVersion", "kind", "name", "uid"],
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "apiVersion": text("The version of the owner's kind."),
            "blockOwnerDeletion": {"description": "Whether the owner waits for this object when it goes in the foreground.", "type": "boolean"},
            "controller": {"description": "Whether the owner manages this object.", "type": "boolean"},
            "kind": text("The owner's kind."),
            "name": text("The owner's name."),
            "uid": text("The owner's unique id.")
        }
    })
}

fn managed() -> Value {
    json!({
        "description": "The fields one manager set by one kind of operation.",
        "type": "object",
        "properties": {
            "apiVersion": text("The version the fields are named in."),
            "fieldsType": text("FieldsV1."),
            "fieldsV1": {"description": "The fields.", "type": "object"},
            "manager": text("Who set them."),
            "operation": text("Apply or Update."),
            "subresource": text("The subresource they were set by."),
            "time": time("When they were last changed.")
        }
    })
}
