//! The kinds a definition makes, one for each version it serves.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::failure::FieldCause;
use crate::json_path::JsonPath;
use crate::kinds::Kind;
use crate::schema::Structural;
use crate::shape::Shape;
use crate::table::{Cell, Column};

/// Makes the kinds of a definition, one for each version it serves.
pub(crate) fn kinds(crd: &Value) -> Result<Vec<Kind>, Vec<FieldCause>> {
    let versions = crd["spec"]["versions"].as_array().into_iter().flatten();
    let served = versions.enumerate().filter(|(_, it)| it["served"] == true);
    served
        .map(|(index, version)| kind(crd, index, version))
        .collect()
}

fn kind(crd: &Value, index: usize, version: &Value) -> Result<Kind, Vec<FieldCause>> {
    let spec = &crd["spec"];
    let names = &spec["names"];
    let nothing = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let written = version
        .pointer("/schema/openAPIV3Schema")
        .unwrap_or(&nothing);
    let path = format!("spec.versions[{index}].schema.openAPIV3Schema");
    let schema = Structural::compile_at(&path, written)?;
    Ok(Kind {
        group: text(&spec["group"]),
        version: text(&version["name"]),
        kind: text(&names["kind"]),
        list_kind: or(&names["listKind"], || {
            format!("{}List", text(&names["kind"]))
        }),
        plural: text(&names["plural"]),
        singular: or(&names["singular"], || text(&names["kind"]).to_lowercase()),
        short_names: texts(&names["shortNames"]),
        categories: texts(&names["categories"]),
        namespaced: spec["scope"] == "Namespaced",
        status_subresource: version
            .pointer("/subresources/status")
            .is_some_and(|it| !it.is_null()),
        custom: true,
        deprecation: deprecation(spec, version),
        schema: Some(Arc::new(schema)),
        shape: Arc::new(Shape::of_kind(written)),
        written: Arc::new(written.clone()),
        columns: columns(index, version)?.into(),
    })
}

fn deprecation(spec: &Value, version: &Value) -> Option<String> {
    if version["deprecated"] != true {
        return None;
    }
    Some(or(&version["deprecationWarning"], || {
        let (group, name, kind) = (
            text(&spec["group"]),
            text(&version["name"]),
            text(&spec["names"]["kind"]),
        );
        format!("{group}/{name} {kind} is deprecated")
    }))
}

/// The columns of a version; without any, the age.
pub(super) fn columns(index: usize, version: &Value) -> Result<Vec<Column>, Vec<FieldCause>> {
    let list = version["additionalPrinterColumns"].as_array();
    let Some(list) = list.filter(|it| !it.is_empty()) else {
        return Ok(vec![Column::age()]);
    };
    let column = |(at, column): (usize, &Value)| {
        let path = JsonPath::parse(column["jsonPath"].as_str().unwrap_or_default());
        let path = path.map_err(|why| {
            let field = format!("spec.versions[{index}].additionalPrinterColumns[{at}].jsonPath");
            vec![FieldCause::invalid(
                &field,
                &text(&column["jsonPath"]),
                &why,
            )]
        })?;
        Ok(Column {
            name: text(&column["name"]),
            kind: text(&column["type"]),
            format: text(&column["format"]),
            description: text(&column["description"]),
            priority: column["priority"].as_i64().unwrap_or_default(),
            cell: Cell::Path(path),
        })
    };
    list.iter().enumerate().map(column).collect()
}

/// How preferred a version is: `v2` before `v1` before `v1beta2` before `v1alpha1` before anything else.
pub(crate) fn priority(version: &str) -> (u8, u32, u32, std::cmp::Reverse<String>) {
    let other = || (0, 0, 0, std::cmp::Reverse(version.to_owned()));
    let Some(rest) = version.strip_prefix('v') else {
        return other();
    };
    let digits = rest
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(rest.len());
    let Ok(major) = rest[..digits].parse::<u32>() else {
        return other();
    };
    let (stability, minor) = match &rest[digits..] {
        "" => (3, "0"),
        rest if rest.starts_with("beta") => (2, &rest[4..]),
        rest if rest.starts_with("alpha") => (1, &rest[5..]),
        _ => return other(),
    };
    match minor.parse::<u32>() {
        Ok(minor) => (stability, major, minor, std::cmp::Reverse(String::new())),
        Err(_) => other(),
    }
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn or(value: &Value, otherwise: impl FnOnce() -> String) -> String {
    match value.as_str() {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => otherwise(),
    }
}

pub(super) fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(|it| it.as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_preferred_by_their_stability() {
        let mut versions = vec!["v1alpha1", "foo", "v1", "v2beta1", "v10", "v1beta2", "v2"];
        versions.sort_by_key(|it| std::cmp::Reverse(priority(it)));
        assert_eq!(
            versions,
            ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo"]
        );
    }
}
