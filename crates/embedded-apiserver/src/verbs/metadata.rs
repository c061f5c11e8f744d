//! The rules of `metadata`: what callers may set, what the server sets, and what never changes.

use rand::Rng;
use serde_json::{Map, Value};

use crate::failure::{Failure, FieldCause};
use crate::label;
use crate::verbs::Call;

/// The most that all annotations of an object may hold together.
const ANNOTATIONS_LIMIT: usize = 256 << 10;

/// Letters of generated names: none that make words, none that are mistaken for others.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";

/// The `metadata` of an object; one is made where there is none.
pub(crate) fn of(object: &mut Value) -> &mut Map<String, Value> {
    if !object.get("metadata").is_some_and(Value::is_object) {
        object["metadata"] = Value::Object(Map::new());
    }
    object["metadata"]
        .as_object_mut()
        .expect("it was just made an object")
}

/// A text of an object's `metadata`, empty if it is not there.
pub(crate) fn text<'a>(object: &'a Value, member: &str) -> &'a str {
    object
        .get("metadata")
        .and_then(|it| it.get(member))
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// The finalizers of an object.
pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    let list = object
        .pointer("/metadata/finalizers")
        .and_then(Value::as_array);
    list.map(|it| it.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default()
}

/// A name made from `generateName`.
pub(crate) fn generate(prefix: &str) -> String {
    let mut random = rand::rng();
    let kept: String = prefix.chars().take(58).collect();
    let letters = (0..5).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())]));
    kept.chars().chain(letters).collect()
}

/// Checks what every body must satisfy before anything else is done with it: that it is what the path says.
pub(crate) fn check_identity(call: &Call, object: &mut Value) -> Result<(), Failure> {
    if !object.is_object() {
        return Err(Failure::bad_request("the body is not an object"));
    }
    let expected = [
        ("apiVersion", call.kind.api_version()),
        ("kind", call.kind.kind.clone()),
    ];
    for (member, expected) in expected {
        match object.get(member) {
            Some(Value::String(text)) if *text == expected => {}
            Some(Value::String(text)) if !text.is_empty() => {
                let what = if member == "kind" {
                    "kind"
                } else {
                    "API version"
                };
                return Err(Failure::bad_request(format!(
                    "the {what} in the data ({text}) does not match the expected {what} ({expected})"
                )));
            }
            None | Some(Value::Null | Value::String(_)) if !call.kind.custom => {
                object[member] = expected.into();
            }
            None | Some(Value::Null | Value::String(_)) => {
                let name = if member == "kind" { "Kind" } else { member };
                return Err(Failure::bad_request(format!(
                    "Object '{name}' is missing in the body"
                )));
            }
            Some(_) => return Err(Failure::bad_request(format!("{member} is not a string"))),
        }
    }
    if object
        .get("metadata")
        .is_some_and(|it| !it.is_object() && !it.is_null())
    {
        return Err(Failure::bad_request("metadata is not an object"));
    }
    check_types(object)?;
    let namespace = text(object, "namespace");
    if call.kind.namespaced {
        if !namespace.is_empty() && namespace != call.namespace() {
            return Err(Failure::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        of(object).insert("namespace".to_owned(), call.namespace().into());
    } else {
        of(object).remove("namespace");
    }
    if let Some(expected) = &call.target.name {
        let name = text(object, "name");
        if name.is_empty() {
            of(object).insert("name".to_owned(), expected.as_str().into());
        } else if name != expected {
            return Err(Failure::bad_request(format!(
                "the name of the object ({name}) does not match the name on the URL ({expected})"
            )));
        }
    }
    Ok(())
}

/// Checks the types of the members of `metadata` that the server reads, and drops empty ones.
fn check_types(object: &mut Value) -> Result<(), Failure> {
    let metadata = of(object);
    metadata.retain(|_, value| !value.is_null());
    for (member, value) in metadata.iter() {
        let fits = match member.as_str() {
            "name" | "generateName" | "namespace" | "uid" | "resourceVersion" | "selfLink"
            | "creationTimestamp" | "deletionTimestamp" => value.is_string(),
            "generation" | "deletionGracePeriodSeconds" => value.is_i64() || value.is_u64(),
            "labels" | "annotations" => value
                .as_object()
                .is_some_and(|it| it.values().all(Value::is_string)),
            "finalizers" => value
                .as_array()
                .is_some_and(|it| it.iter().all(Value::is_string)),
            "ownerReferences" => value.as_array().is_some_and(|it| it.iter().all(is_owner)),
            "managedFields" => value
                .as_array()
                .is_some_and(|it| it.iter().all(Value::is_object)),
            _ => true,
        };
        if !fits {
            return Err(Failure::bad_request(format!(
                "metadata.{member} has the wrong type"
            )));
        }
    }
    Ok(())
}

fn is_owner(owner: &Value) -> bool {
    let texts = ["apiVersion", "kind", "name", "uid"];
    let flags = ["controller", "blockOwnerDeletion"];
    owner.is_object()
        && texts
            .iter()
            .all(|it| owner.get(it).is_none_or(Value::is_string))
        && flags.iter().all(|it| {
            owner
                .get(it)
                .is_none_or(|flag| flag.is_boolean() || flag.is_null())
        })
}

/// Lists what is wrong with an object's `metadata`.
pub(crate) fn errors(call: &Call, object: &Value) -> Vec<FieldCause> {
    let mut causes = Vec::new();
    let name = text(object, "name");
    if name.is_empty() {
        causes.push(FieldCause::required(
            "metadata.name",
            "name or generateName is required",
        ));
    } else if let Some(why) = name_error(call, name) {
        causes.push(FieldCause::invalid("metadata.name", name, &why));
    }
    for member in ["labels", "annotations"] {
        let field = format!("metadata.{member}");
        for (key, value) in object
            .pointer(&format!("/metadata/{member}"))
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let value = value.as_str().unwrap_or_default();
            // Annotation keys are compared in lower case, as upstream does.
            let checked = if member == "labels" {
                key.clone()
            } else {
                key.to_lowercase()
            };
            causes.extend(
                label::key_errors(&checked)
                    .iter()
                    .map(|why| FieldCause::invalid(&field, key, why)),
            );
            if member == "labels" {
                causes.extend(
                    label::value_errors(value)
                        .iter()
                        .map(|why| FieldCause::invalid(&field, value, why)),
                );
            }
        }
    }
    let annotations = object
        .pointer("/metadata/annotations")
        .and_then(Value::as_object);
    let size: usize = annotations
        .into_iter()
        .flatten()
        .map(|(key, value)| key.len() + value.as_str().map_or(0, str::len))
        .sum();
    if size > ANNOTATIONS_LIMIT {
        causes.push(FieldCause::new(
            "FieldValueTooLong",
            "metadata.annotations",
            format!("Too long: may not be more than {ANNOTATIONS_LIMIT} bytes"),
        ));
    }
    causes.extend(
        finalizers(object)
            .iter()
            .flat_map(|it| finalizer_errors(it)),
    );
    causes.extend(owner_errors(object));
    causes
}

/// Lists what an update may not do to `metadata`.
pub(crate) fn change_errors(object: &Value, old: &Value) -> Vec<FieldCause> {
    if text(old, "deletionTimestamp").is_empty() {
        return Vec::new();
    }
    let before = finalizers(old);
    let added: Vec<&str> = finalizers(object)
        .into_iter()
        .filter(|it| !before.contains(it))
        .collect();
    if added.is_empty() {
        return Vec::new();
    }
    let why = format!(
        "no new finalizers can be added if the object is being deleted, found new finalizers {added:?}"
    );
    vec![FieldCause::forbidden("metadata.finalizers", &why)]
}

fn finalizer_errors(finalizer: &str) -> Vec<FieldCause> {
    if matches!(finalizer, "orphan" | "foregroundDeletion" | "kubernetes") {
        return Vec::new();
    }
    label::key_errors(finalizer)
        .iter()
        .map(|why| FieldCause::invalid("metadata.finalizers", finalizer, why))
        .collect()
}

fn owner_errors(object: &Value) -> Vec<FieldCause> {
    let mut causes = Vec::new();
    let owners = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    let mut controllers = 0;
    for (index, owner) in owners.into_iter().flatten().enumerate() {
        for member in ["apiVersion", "kind", "name", "uid"] {
            if owner
                .get(member)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .is_empty()
            {
                let field = format!("metadata.ownerReferences[{index}].{member}");
                causes.push(FieldCause::invalid(
                    &field,
                    "",
                    &format!("{member} must not be empty"),
                ));
            }
        }
        controllers += usize::from(owner.get("controller").and_then(Value::as_bool) == Some(true));
    }
    if controllers > 1 {
        let why = "Only one reference can have Controller set to true";
        causes.push(FieldCause::invalid("metadata.ownerReferences", "", why));
    }
    causes
}

/// What is wrong with an object's name, by the rules of its kind.
fn name_error(call: &Call, name: &str) -> Option<String> {
    if call.kind.group == "rbac.authorization.k8s.io" {
        let bad = matches!(name, "." | "..") || name.contains(['/', '%']);
        return bad.then(|| "may not be '.' or '..', nor contain '/' or '%'".to_owned());
    }
    if call.kind.kind == "Namespace" {
        let fits =
            name.len() <= 63 && !name.contains('.') && label::subdomain_errors(name).is_empty();
        return (!fits).then(|| {
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an \
             alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'), at most 63 of them"
                .to_owned()
        });
    }
    label::subdomain_errors(name).into_iter().next()
}

/// Sets what the server alone decides about a new object.
pub(crate) fn begin(call: &Call, object: &mut Value, now: &str) {
    let metadata = of(object);
    for member in [
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "selfLink",
        "resourceVersion",
        "generation",
    ] {
        metadata.remove(member);
    }
    metadata.insert("uid".to_owned(), uuid::Uuid::new_v4().to_string().into());
    metadata.insert("creationTimestamp".to_owned(), now.into());
    if call.kind.custom || call.kind.kind == "CustomResourceDefinition" {
        metadata.insert("generation".to_owned(), 1.into());
    }
}

/// Carries over what no update may change.
pub(crate) fn keep(object: &mut Value, old: &Value) {
    let kept = [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
    ];
    let old = old.get("metadata").and_then(Value::as_object);
    let metadata = of(object);
    metadata.remove("selfLink");
    for member in kept {
        match old.and_then(|it| it.get(member)) {
            Some(value) => drop(metadata.insert(member.to_owned(), value.clone())),
            None => drop(metadata.remove(member)),
        }
    }
}

/// Counts one more generation.
pub(crate) fn bump_generation(object: &mut Value) {
    let metadata = of(object);
    if let Some(generation) = metadata.get("generation").and_then(Value::as_i64) {
        metadata.insert("generation".to_owned(), (generation + 1).into());
    }
}
