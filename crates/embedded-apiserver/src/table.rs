//! Tables: what `kubectl get` prints, made by the server from a kind's columns.
//!
//! Source: <https://kubernetes.io/docs/reference/using-api/api-concepts/#receiving-resources-as-tables>

mod builtin;
mod date;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub(crate) use self::builtin::columns as builtin_columns;
use crate::json_path::JsonPath;

/// One column behind the name.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `string`, `integer`, `number`, `boolean` or `date`.
    pub(crate) kind: String,
    pub(crate) format: String,
    pub(crate) description: String,
    /// Above 0 only wide tables show it.
    pub(crate) priority: i64,
    pub(crate) cell: Cell,
}

/// How a cell is filled.
#[derive(Debug)]
pub(crate) enum Cell {
    Path(JsonPath),
    Made(fn(&Value, Timestamp) -> Value),
}

/// How much of each object a table carries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Include {
    Nothing,
    #[default]
    Metadata,
    Object,
}

impl Include {
    /// Reads the parameter `includeObject`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "Metadata" => Some(Self::Metadata),
            "None" => Some(Self::Nothing),
            "Object" => Some(Self::Object),
            _ => None,
        }
    }
}

/// A table of objects; `metadata` is that of the list.
pub(crate) fn render<'a>(
    columns: &[Column],
    objects: impl Iterator<Item = &'a Value>,
    metadata: &Value,
    include: Include,
    now: Timestamp,
) -> Value {
    let rows: Vec<Value> = objects.map(|it| row(columns, it, include, now)).collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "columnDefinitions": definitions(columns), "rows": rows,
    })
}

fn definitions(columns: &[Column]) -> Vec<Value> {
    let name = json!({
        "name": "Name", "type": "string", "format": "name", "priority": 0,
        "description": "The name of the object, unique in its namespace for its kind.",
    });
    let others = columns.iter().map(|it| {
        json!({
            "name": it.name, "type": it.kind, "format": it.format, "priority": it.priority, "description": it.description,
        })
    });
    std::iter::once(name).chain(others).collect()
}

fn row(columns: &[Column], object: &Value, include: Include, now: Timestamp) -> Value {
    let name = object
        .pointer("/metadata/name")
        .cloned()
        .unwrap_or_default();
    let cells: Vec<Value> = std::iter::once(name)
        .chain(columns.iter().map(|it| it.cell(object, now)))
        .collect();
    let mut row = json!({"cells": cells});
    match include {
        Include::Nothing => {}
        Include::Metadata => {
            row["object"] = json!({
                "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
                "metadata": object.get("metadata").cloned().unwrap_or_else(|| Value::Object(Map::new())),
            });
        }
        Include::Object => row["object"] = object.clone(),
    }
    row
}

impl Column {
    /// The column that tells how old an object is.
    pub(crate) fn age() -> Self {
        Self {
            name: "Age".to_owned(),
            kind: "date".to_owned(),
            format: String::new(),
            description: "When the object was created.".to_owned(),
            priority: 0,
            cell: Cell::Made(|object, now| {
                date::age_of(object.pointer("/metadata/creationTimestamp"), now)
            }),
        }
    }

    fn cell(&self, object: &Value, now: Timestamp) -> Value {
        match &self.cell {
            Cell::Made(make) => make(object, now),
            Cell::Path(path) => path
                .first(object)
                .map_or(Value::Null, |it| self.typed(it, now)),
        }
    }

    /// A value as its column's type has it; nothing where it has another.
    fn typed(&self, value: &Value, now: Timestamp) -> Value {
        match (self.kind.as_str(), value) {
            (_, Value::Null) => Value::Null,
            ("integer", Value::Number(number)) => match (number.as_i64(), number.as_f64()) {
                (Some(number), _) => number.into(),
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "the column asks for whole numbers"
                )]
                (None, Some(number)) => (number as i64).into(),
                (None, None) => Value::Null,
            },
            ("number", Value::Number(_))
            | ("boolean", Value::Bool(_))
            | ("string", Value::String(_)) => value.clone(),
            ("date", value) => date::age_of(Some(value), now),
            ("string", value) => value.to_string().into(),
            _ => Value::Null,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-01-02T00:00:00Z".parse().unwrap()
    }

    fn column(kind: &str, path: &str) -> Column {
        Column {
            name: "C".to_owned(),
            kind: kind.to_owned(),
            format: String::new(),
            description: String::new(),
            priority: 0,
            cell: Cell::Path(JsonPath::parse(path).unwrap()),
        }
    }

    #[test]
    fn cells_have_the_types_of_their_columns() {
        let object = json!({
            "metadata": {"name": "a", "creationTimestamp": "2026-01-01T23:00:00Z"},
            "spec": {"shard": "s", "count": 2, "flag": true, "list": ["x"], "ratio": 1.5, "nothing": null}
        });
        let columns = [
            column("string", ".spec.shard"),
            column("integer", ".spec.count"),
            column("boolean", ".spec.flag"),
            column("string", ".spec.list"),
            column("number", ".spec.ratio"),
            column("string", ".spec.missing"),
            column("string", ".spec.nothing"),
            column("integer", ".spec.shard"),
            column("date", ".metadata.creationTimestamp"),
            column("date", ".spec.shard"),
        ];
        let made = render(
            &columns,
            std::iter::once(&object),
            &json!({}),
            Include::Metadata,
            now(),
        );
        assert_eq!(
            made["rows"][0]["cells"],
            json!([
                "a",
                "s",
                2,
                true,
                "[\"x\"]",
                1.5,
                null,
                null,
                null,
                "60m",
                "<invalid>"
            ])
        );
        assert_eq!(made["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    }
}
