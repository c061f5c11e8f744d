//! What is wrong with a CustomResourceDefinition.

use std::collections::HashSet;

use serde_json::Value;

use super::served::{columns, text, texts};
use crate::failure::FieldCause;
use crate::json_path::JsonPath;
use crate::label;
use crate::schema::Structural;

/// Lists what is wrong with a definition; `old` is the one it replaces.
pub(crate) fn errors(crd: &Value, old: Option<&Value>) -> Vec<FieldCause> {
    let spec = &crd["spec"];
    if !spec["names"].is_object() || !spec["versions"].is_array() {
        // The schema of definitions has said so.
        return Vec::new();
    }
    let mut found = Vec::new();
    check_names(crd, &mut found);
    check_versions(spec, &mut found);
    let strategy = text(&spec["conversion"]["strategy"]);
    if !matches!(strategy.as_str(), "" | "None") {
        let message = format!("Unsupported value: {strategy:?}: supported values: \"None\"");
        found.push(FieldCause::new(
            "FieldValueNotSupported",
            "spec.conversion.strategy",
            message,
        ));
    }
    if spec["preserveUnknownFields"] == true {
        let why = "must be false in order to use defaults in the schema";
        found.push(FieldCause::invalid(
            "spec.preserveUnknownFields",
            "true",
            why,
        ));
    }
    if let Some(old) = old {
        check_unchanged(spec, &old["spec"], &mut found);
    }
    found
}

fn check_names(crd: &Value, found: &mut Vec<FieldCause>) {
    let spec = &crd["spec"];
    let (group, plural) = (text(&spec["group"]), text(&spec["names"]["plural"]));
    for why in label::subdomain_errors(&group) {
        found.push(FieldCause::invalid("spec.group", &group, &why));
    }
    if !group.contains('.') {
        found.push(FieldCause::invalid(
            "spec.group",
            &group,
            "should be a domain with at least one dot",
        ));
    }
    let name = text(&crd["metadata"]["name"]);
    let expected = format!("{plural}.{group}");
    if name != expected {
        let why = "must be spec.names.plural+\".\"+spec.group";
        found.push(FieldCause::invalid("metadata.name", &name, why));
    }
    let kind = text(&spec["names"]["kind"]);
    for (member, name) in [
        ("plural", plural),
        ("singular", text(&spec["names"]["singular"])),
        ("kind", kind.to_lowercase()),
        ("listKind", text(&spec["names"]["listKind"]).to_lowercase()),
    ] {
        check_label(&format!("spec.names.{member}"), &name, found);
    }
    for member in ["shortNames", "categories"] {
        for (index, name) in texts(&spec["names"][member]).iter().enumerate() {
            check_label(&format!("spec.names.{member}[{index}]"), name, found);
        }
    }
    if kind == text(&spec["names"]["listKind"]) {
        let why = "kind and listKind may not be the same";
        found.push(FieldCause::invalid("spec.names.listKind", &kind, why));
    }
    let scope = text(&spec["scope"]);
    if !matches!(scope.as_str(), "Cluster" | "Namespaced") {
        let message =
            format!("Unsupported value: {scope:?}: supported values: \"Cluster\", \"Namespaced\"");
        found.push(FieldCause::new(
            "FieldValueNotSupported",
            "spec.scope",
            message,
        ));
    }
}

/// Names are labels that begin with a letter.
fn check_label(field: &str, name: &str, found: &mut Vec<FieldCause>) {
    let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    let fits = name.len() <= 63
        && name.starts_with(|it: char| it.is_ascii_lowercase())
        && name.bytes().all(plain)
        && !name.ends_with('-');
    if !fits {
        let why = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end \
                   with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
        found.push(FieldCause::invalid(field, name, why));
    }
}

fn check_versions(spec: &Value, found: &mut Vec<FieldCause>) {
    let versions = spec["versions"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let mut names = HashSet::new();
    for (index, version) in versions.iter().enumerate() {
        let field = format!("spec.versions[{index}]");
        let name = text(&version["name"]);
        check_label(&format!("{field}.name"), &name, found);
        if !names.insert(name.clone()) {
            found.push(FieldCause::new(
                "FieldValueDuplicate",
                &format!("{field}.name"),
                format!("Duplicate value: {name:?}"),
            ));
        }
        check_version(version, index, &field, found);
    }
    let stored = versions.iter().filter(|it| it["storage"] == true).count();
    if stored != 1 {
        let why = "must have exactly one version marked as storage version";
        found.push(FieldCause::new(
            "FieldValueInvalid",
            "spec.versions",
            format!("Invalid value: {why}"),
        ));
    }
}

fn check_version(version: &Value, index: usize, field: &str, found: &mut Vec<FieldCause>) {
    match version.pointer("/schema/openAPIV3Schema") {
        Some(schema) if schema.is_object() => {
            let path = format!("{field}.schema.openAPIV3Schema");
            found.extend(
                Structural::compile_at(&path, schema)
                    .err()
                    .into_iter()
                    .flatten(),
            );
        }
        _ => found.push(FieldCause::required(
            &format!("{field}.schema.openAPIV3Schema"),
            "schemas are required",
        )),
    }
    found.extend(columns(index, version).err().into_iter().flatten());
    let list = version["additionalPrinterColumns"]
        .as_array()
        .into_iter()
        .flatten();
    for (at, column) in list.enumerate() {
        let kind = text(&column["type"]);
        if !matches!(
            kind.as_str(),
            "boolean" | "date" | "integer" | "number" | "string"
        ) {
            let message = format!(
                "Unsupported value: {kind:?}: supported values: \"boolean\", \"date\", \"integer\", \"number\", \"string\""
            );
            let field = format!("{field}.additionalPrinterColumns[{at}].type");
            found.push(FieldCause::new("FieldValueNotSupported", &field, message));
        }
    }
    if let Some(scale) = version
        .pointer("/subresources/scale")
        .filter(|it| it.is_object())
    {
        for (member, root) in [
            ("specReplicasPath", ".spec."),
            ("statusReplicasPath", ".status."),
        ] {
            let path = text(&scale[member]);
            if !path.starts_with(root) || JsonPath::parse(&path).is_err() {
                let why = format!("should be a json path under {root}");
                found.push(FieldCause::invalid(
                    &format!("{field}.subresources.scale.{member}"),
                    &path,
                    why.trim_end_matches('.'),
                ));
            }
        }
    }
}

/// What objects are stored under may not change under them.
fn check_unchanged(spec: &Value, old: &Value, found: &mut Vec<FieldCause>) {
    for (field, new, old) in [
        ("spec.group", &spec["group"], &old["group"]),
        ("spec.scope", &spec["scope"], &old["scope"]),
        (
            "spec.names.plural",
            &spec["names"]["plural"],
            &old["names"]["plural"],
        ),
        (
            "spec.names.kind",
            &spec["names"]["kind"],
            &old["names"]["kind"],
        ),
    ] {
        if new != old {
            found.push(FieldCause::invalid(field, &text(new), "field is immutable"));
        }
    }
}
