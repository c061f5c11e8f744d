//! What a kind asks of its objects beyond their schema: what is filled in, what may not change, what is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use crate::api::Api;
use crate::apply::{self, Author};
use crate::collector;
use crate::crds;
use crate::failure::{Failure, FieldCause};
use crate::verbs::{Call, metadata};

/// The most that the data of a Secret or a `ConfigMap` may hold.
const DATA_LIMIT: usize = 1 << 20;

impl Api {
    /// Completes an object: what its kind's schema and rules say where it says nothing.
    pub(crate) fn complete(
        &self,
        call: &Call,
        object: &mut Value,
        old: Option<&Value>,
    ) -> Result<(), Failure> {
        if let Some(schema) = &call.kind.schema {
            let unknown = schema.prune(object);
            call.note_unknown(&unknown);
            schema.fill_in(object);
        }
        match (call.kind.group.as_str(), call.kind.kind.as_str()) {
            ("", "Namespace") => complete_namespace(call, object, old),
            ("", "Secret") => complete_secret(object, old)?,
            (crds::GROUP, crds::KIND) => {
                collector::hold_definition(object, old);
                crds::complete(object, old, &self.kinds.read(), &self.now());
            }
            _ => {}
        }
        Ok(())
    }

    /// Refuses an object that breaks its kind's rules.
    pub(crate) fn check(call: &Call, object: &Value, old: Option<&Value>) -> Result<(), Failure> {
        let mut causes = metadata::errors(call, object);
        if let Some(old) = old {
            causes.extend(metadata::change_errors(object, old));
        }
        if let Some(schema) = &call.kind.schema {
            causes.extend(schema.validate(object, old));
        }
        match (call.kind.group.as_str(), call.kind.kind.as_str()) {
            ("", "Secret") => {
                causes.extend(secret_errors(object));
                causes.extend(
                    old.into_iter()
                        .flat_map(|old| frozen_errors(object, old, &["data"])),
                );
                causes.extend(old.and_then(|old| changed(object, old, "type", "type")));
            }
            ("", "ConfigMap") => {
                causes.extend(config_map_errors(object));
                causes.extend(
                    old.into_iter()
                        .flat_map(|old| frozen_errors(object, old, &["data", "binaryData"])),
                );
            }
            (crds::GROUP, crds::KIND) => causes.extend(crds::errors(object, old)),
            ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
                causes.extend(old.and_then(|old| changed(object, old, "roleRef", "roleRef")));
            }
            _ => {}
        }
        if causes.is_empty() {
            return Ok(());
        }
        Err(Failure::invalid(
            &call.kind_subject(metadata::text(object, "name")),
            &causes,
        ))
    }

    /// Notes in `managedFields` what this update set.
    pub(crate) fn track(&self, call: &Call, object: &mut Value, old: Option<&Value>) {
        let api_version = call.kind.api_version();
        apply::track_update(
            &call.kind.shape,
            old,
            object,
            &self.author(call, &api_version),
        );
    }

    /// Who the fields of this request belong to.
    pub(crate) fn author<'a>(&self, call: &'a Call, api_version: &'a str) -> Author<'a> {
        let subresource = call.subresource().unwrap_or_default();
        Author {
            manager: &call.manager,
            api_version,
            subresource,
            reset: apply::reset_fields(call.kind.status_subresource, subresource),
            now: (self.clock)(),
        }
    }
}

fn complete_namespace(call: &Call, namespace: &mut Value, old: Option<&Value>) {
    let name = metadata::text(namespace, "name").to_owned();
    let labels = metadata::of(namespace)
        .entry("labels")
        .or_insert_with(|| Value::Object(Map::new()));
    if let Some(labels) = labels.as_object_mut() {
        labels.insert("kubernetes.io/metadata.name".to_owned(), name.into());
    }
    match old {
        None => {
            namespace["spec"] = json!({"finalizers": ["kubernetes"]});
            namespace["status"] = json!({"phase": "Active"});
        }
        Some(old) if call.subresource() != Some("finalize") => {
            namespace["spec"] = old.get("spec").cloned().unwrap_or_else(|| json!({}));
        }
        Some(_) => {}
    }
}

/// Folds `stringData` into `data`, and gives a secret its type.
fn complete_secret(secret: &mut Value, old: Option<&Value>) -> Result<(), Failure> {
    let Some(members) = secret.as_object_mut() else {
        return Ok(());
    };
    if let Some(texts) = members.remove("stringData").filter(|it| !it.is_null()) {
        let Value::Object(texts) = texts else {
            return Err(Failure::bad_request("stringData is not a map of strings"));
        };
        let data = members.entry("data").or_insert(Value::Null);
        if data.is_null() {
            *data = Value::Object(Map::new());
        }
        let data = data
            .as_object_mut()
            .ok_or_else(|| Failure::bad_request("data is not a map"))?;
        for (name, text) in texts {
            let text = text
                .as_str()
                .ok_or_else(|| Failure::bad_request("stringData is not a map of strings"))?;
            data.insert(name, STANDARD.encode(text).into());
        }
    }
    let kind = members
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    if kind.is_empty() {
        let kept = old.and_then(|it| it.get("type")).cloned();
        members.insert("type".to_owned(), kept.unwrap_or_else(|| "Opaque".into()));
    }
    Ok(())
}

fn secret_errors(secret: &Value) -> Vec<FieldCause> {
    let mut causes = Vec::new();
    let mut size = 0;
    for (name, value) in secret
        .get("data")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        let field = format!("data[{name}]");
        causes.extend(data_key_error(&field, name));
        match value.as_str().map(|it| STANDARD.decode(it)) {
            Some(Ok(bytes)) => size += bytes.len(),
            Some(Err(_)) | None => {
                causes.push(FieldCause::invalid(&field, "<omitted>", "must be base64"));
            }
        }
    }
    causes.extend(size_error(size));
    causes
}

fn config_map_errors(config_map: &Value) -> Vec<FieldCause> {
    let mut causes = Vec::new();
    let mut size = 0;
    for member in ["data", "binaryData"] {
        for (name, value) in config_map
            .get(member)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let field = format!("{member}[{name}]");
            causes.extend(data_key_error(&field, name));
            match value.as_str() {
                Some(text) => size += text.len(),
                None => causes.push(FieldCause::invalid(
                    &field,
                    &value.to_string(),
                    "must be a string",
                )),
            }
        }
    }
    causes.extend(size_error(size));
    causes
}

fn data_key_error(field: &str, key: &str) -> Option<FieldCause> {
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_' | b'.');
    let fits = !key.is_empty()
        && key.len() <= 253
        && key.bytes().all(plain)
        && !key.starts_with("..")
        && key != ".";
    let why = "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', \
               regex used for validation is '[-._a-zA-Z0-9]+')";
    (!fits).then(|| FieldCause::invalid(field, key, why))
}

fn size_error(size: usize) -> Option<FieldCause> {
    let message = format!("Too long: may not be more than {DATA_LIMIT} bytes");
    (size > DATA_LIMIT).then(|| FieldCause::new("FieldValueTooLong", "data", message))
}

/// What may not change once `immutable` is set.
fn frozen_errors(object: &Value, old: &Value, members: &[&str]) -> Vec<FieldCause> {
    if old.get("immutable") != Some(&Value::Bool(true)) {
        return Vec::new();
    }
    let why = "field is immutable when `immutable` is set";
    let changed = |member: &&&str| object.get(**member) != old.get(**member);
    let with_flag = members
        .iter()
        .copied()
        .chain(["immutable"])
        .collect::<Vec<_>>();
    with_flag
        .iter()
        .filter(changed)
        .map(|member| FieldCause::forbidden(member, why))
        .collect()
}

fn changed(object: &Value, old: &Value, member: &str, field: &str) -> Option<FieldCause> {
    let (new, old) = (object.get(member), old.get(member));
    let shown = new.map(Value::to_string).unwrap_or_default();
    (new != old).then(|| {
        FieldCause::new(
            "FieldValueInvalid",
            field,
            format!("Invalid value: {shown}: field is immutable"),
        )
    })
}
