//! The columns of the builtin kinds, named as kubectl's users know them.

use jiff::Timestamp;
use serde_json::Value;

use super::{Cell, Column, date};

/// The columns of a builtin kind.
pub(crate) fn columns(kind: &str) -> Vec<Column> {
    match kind {
        "Namespace" => vec![
            text("Status", 0, |it, _| at(it, "/status/phase")),
            Column::age(),
        ],
        "Secret" => vec![
            text("Type", 0, |it, _| at(it, "/type")),
            number("Data", |it, _| count(it, &["/data"])),
            Column::age(),
        ],
        "ConfigMap" => vec![
            number("Data", |it, _| count(it, &["/data", "/binaryData"])),
            Column::age(),
        ],
        "ServiceAccount" => vec![
            number("Secrets", |it, _| count(it, &["/secrets"])),
            Column::age(),
        ],
        "Event" => event(),
        "Lease" => vec![
            text("Holder", 0, |it, _| at(it, "/spec/holderIdentity")),
            Column::age(),
        ],
        "RoleBinding" | "ClusterRoleBinding" => binding(),
        _ => vec![date_column("Created At", |it, _| {
            at(it, "/metadata/creationTimestamp")
        })],
    }
}

fn event() -> Vec<Column> {
    vec![
        text("Last Seen", 0, |it, now| {
            first_age(
                it,
                &["/series/lastObservedTime", "/lastTimestamp", "/eventTime"],
                now,
            )
        }),
        text("Type", 0, |it, _| at(it, "/type")),
        text("Reason", 0, |it, _| at(it, "/reason")),
        text("Object", 0, |it, _| {
            let part = |name| it["involvedObject"][name].as_str().unwrap_or_default();
            format!("{}/{}", part("kind").to_lowercase(), part("name")).into()
        }),
        text("Subobject", 1, |it, _| at(it, "/involvedObject/fieldPath")),
        text("Source", 1, |it, _| {
            let part = |pointer| {
                it.pointer(pointer)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let component = Some(part("/source/component")).filter(|it| !it.is_empty());
            let component = component.unwrap_or_else(|| part("/reportingComponent"));
            match part("/source/host") {
                "" => component.into(),
                host => format!("{component}, {host}").into(),
            }
        }),
        text("Message", 0, |it, _| {
            at(it, "/message")
                .as_str()
                .unwrap_or_default()
                .trim()
                .into()
        }),
        text("First Seen", 1, |it, now| {
            first_age(it, &["/firstTimestamp", "/eventTime"], now)
        }),
        number_wide("Count", |it, _| {
            let counted = it.pointer("/series/count").or_else(|| it.get("count"));
            counted
                .cloned()
                .filter(|it| *it != 0)
                .unwrap_or_else(|| 1.into())
        }),
        text("Name", 1, |it, _| at(it, "/metadata/name")),
    ]
}

fn binding() -> Vec<Column> {
    vec![
        text("Role", 0, |it, _| {
            let part = |name| it["roleRef"][name].as_str().unwrap_or_default();
            format!("{}/{}", part("kind"), part("name")).into()
        }),
        Column::age(),
        text("Users", 1, |it, _| subjects(it, "User")),
        text("Groups", 1, |it, _| subjects(it, "Group")),
        text("ServiceAccounts", 1, |it, _| subjects(it, "ServiceAccount")),
    ]
}

fn column(name: &str, kind: &str, priority: i64, make: fn(&Value, Timestamp) -> Value) -> Column {
    Column {
        name: name.to_owned(),
        kind: kind.to_owned(),
        format: String::new(),
        description: String::new(),
        priority,
        cell: Cell::Made(make),
    }
}

fn text(name: &str, priority: i64, make: fn(&Value, Timestamp) -> Value) -> Column {
    column(name, "string", priority, make)
}

fn number(name: &str, make: fn(&Value, Timestamp) -> Value) -> Column {
    column(name, "integer", 0, make)
}

fn number_wide(name: &str, make: fn(&Value, Timestamp) -> Value) -> Column {
    column(name, "integer", 1, make)
}

fn date_column(name: &str, make: fn(&Value, Timestamp) -> Value) -> Column {
    column(name, "date", 0, make)
}

fn at(object: &Value, pointer: &str) -> Value {
    object
        .pointer(pointer)
        .cloned()
        .unwrap_or_else(|| "".into())
}

/// How many entries there are at these places together.
fn count(object: &Value, pointers: &[&str]) -> Value {
    let size = |pointer: &&str| match object.pointer(pointer) {
        Some(Value::Object(members)) => members.len(),
        Some(Value::Array(items)) => items.len(),
        _ => 0,
    };
    pointers.iter().map(size).sum::<usize>().into()
}

/// The age of the first of these times that is there.
fn first_age(object: &Value, pointers: &[&str], now: Timestamp) -> Value {
    let mut times = pointers.iter().filter_map(|it| object.pointer(it));
    date::age_of(times.find(|it| !it.is_null()), now)
}

fn subjects(object: &Value, kind: &str) -> Value {
    let list = object["subjects"].as_array().into_iter().flatten();
    let names: Vec<String> = list
        .filter(|it| it["kind"] == kind)
        .map(|it| {
            let name = it["name"].as_str().unwrap_or_default();
            match it["namespace"].as_str() {
                Some(namespace) if kind == "ServiceAccount" => format!("{namespace}/{name}"),
                _ => name.to_owned(),
            }
        })
        .collect();
    names.join(", ").into()
}
