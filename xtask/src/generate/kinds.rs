//! `docs/book/kinds.md`: every field of every kind, with what many kinds share told once.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

/// The kinds in the order in which one meets them.
const ORDER: &[&str] = &[
    "Project",
    "ProjectConfig",
    "Warehouse",
    "Freight",
    "Stage",
    "Promotion",
    "PromotionTask",
    "ClusterPromotionTask",
    "ClusterConfig",
    "PromotionRequest",
    "Target",
];

/// What occurs in several places: its name, and one place where its fields are.
const PARTS: &[(&str, &str, &str)] = &[
    ("step", "Stage", "spec.promotionTemplate.spec.steps"),
    ("variable", "Stage", "spec.vars"),
    ("origin", "Freight", "origin"),
    ("freight reference", "Stage", "status.freightHistory.items"),
    ("freight collection", "Stage", "status.freightHistory"),
    (
        "verification",
        "Stage",
        "status.freightHistory.verificationHistory",
    ),
    ("commit", "Freight", "commits"),
    ("image", "Freight", "images"),
    ("chart", "Freight", "charts"),
    ("artifact", "Freight", "artifacts"),
    ("promotion status", "Promotion", "status"),
    ("hold", "Stage", "status.autoPromotionHolds"),
    ("webhook receiver", "ProjectConfig", "spec.webhookReceivers"),
    (
        "secret reference",
        "ProjectConfig",
        "spec.webhookReceivers.github.secretRef",
    ),
    ("promotion window", "ProjectConfig", "spec.promotionWindows"),
    ("link", "ProjectConfig", "spec.stageLinks"),
    ("label selector", "Stage", "spec.targets.selectors"),
    ("condition", "Stage", "status.conditions"),
];

type Fields = Map<String, Value>;

/// Something that occurs in several places.
struct Part<'a> {
    name: &'static str,
    schema: &'a Value,
    /// Where the page describes it: the heading of a kind whose status it is, or one of its own.
    heading: String,
}

/// Writes the page from all the CRDs.
pub(super) fn page(crds: &[Value]) -> Result<String> {
    let kinds: BTreeMap<&str, &Value> = crds
        .iter()
        .map(|crd| (text(crd, "/spec/names/kind"), crd))
        .collect();
    let find = |kind: &str| {
        let crd = kinds.get(kind).copied();
        crd.with_context(|| format!("there is no CRD of {kind}"))
    };
    let mut parts = Vec::new();
    for (name, kind, path) in PARTS {
        let found = at(schema(find(kind)?)?, path);
        parts.push(Part {
            name,
            schema: found.with_context(|| format!("{kind} has no {path}"))?,
            heading: if *path == "status" { kind } else { name }.to_lowercase(),
        });
    }

    let mut page = String::from(
        "# Kinds\n\nEvery field of `kargo.akuity.io/v1alpha1`, written by `cargo xtask generate` from the CRDs; \
         `kubectl explain stages.spec --recursive` shows the same. In the name of a field, `[]` stands for \
         every element of a list and `*` for every key of a map.\n\n| Kind | Short names | |\n| --- | --- | --- |\n",
    );
    anyhow::ensure!(kinds.len() == ORDER.len(), "a kind is missing from ORDER");
    for kind in ORDER {
        let crd = find(kind)?;
        let short: Vec<String> = strings(crd.pointer("/spec/names/shortNames"))
            .map(|it| format!("`{it}`"))
            .collect();
        let (link, about) = (anchor(kind), explained(schema(crd)?));
        writeln!(
            page,
            "| [{kind}](#{link}) | {} | {about} |",
            short.join(", ")
        )?;
    }
    for kind in ORDER {
        write_kind(&mut page, kind, find(kind)?, &parts)?;
    }
    page.push_str("\n## Parts that several kinds have\n");
    for part in parts.iter().filter(|part| part.heading == part.name) {
        write!(page, "\n### {}\n", capitalised(part.name))?;
        let schema = within(part.schema);
        write_table(&mut page, &fields(schema), schema, &parts)?;
    }
    Ok(page)
}

fn write_kind(page: &mut String, kind: &str, crd: &Value, parts: &[Part<'_>]) -> Result<()> {
    let schema = schema(crd)?;
    let place = match text(crd, "/spec/scope") {
        "Cluster" => "Belongs to the whole cluster.",
        _ => "Lives in the namespace of a project.",
    };
    write!(page, "\n## {kind}\n\n{} {place}\n", explained(schema))?;
    let common = ["apiVersion", "kind", "metadata", "spec", "status"];
    let mut at_root = fields(schema);
    at_root.retain(|name, _| !common.contains(&name.as_str()));
    if !at_root.is_empty() {
        write_table(page, &at_root, schema, parts)?;
    }
    for block in ["spec", "status"] {
        if let Some(inner) = schema.pointer(&format!("/properties/{block}")) {
            write!(page, "\n**`{block}`** – {}\n", explained(inner))?;
            if inner.get("properties").is_some() {
                write_table(page, &fields(inner), inner, parts)?;
            }
        }
    }
    Ok(())
}

/// Writes one row for each of the `fields` of `schema`, and for each field below that is not in one of the `parts`.
fn write_table(
    page: &mut String,
    fields: &Fields,
    schema: &Value,
    parts: &[Part<'_>],
) -> Result<()> {
    page.push_str("\n| Field | Type | |\n| --- | --- | --- |\n");
    write_rows(page, fields, schema, "", parts)
}

fn write_rows(
    page: &mut String,
    fields: &Fields,
    schema: &Value,
    prefix: &str,
    parts: &[Part<'_>],
) -> Result<()> {
    for (name, field) in fields {
        let path = format!("{prefix}{name}");
        let (inner, part) = (within(field), find_part(field, parts));
        let mut kind = type_of(field, part);
        if strings(schema.get("required")).any(|it| it == name) {
            kind.push_str(", required");
        }
        writeln!(page, "| `{path}` | {kind} | {} |", described(field))?;
        if let (None, Some(below)) = (part, properties(inner)) {
            let mark = match (field.get("items"), field.get("additionalProperties")) {
                (Some(_), _) => "[].",
                (None, Some(_)) => ".*.",
                (None, None) => ".",
            };
            write_rows(page, below, inner, &format!("{path}{mark}"), parts)?;
        }
    }
    Ok(())
}

/// The type as people call it: `duration`, `list: string`, `map: [hold](#hold)`.
fn type_of(field: &Value, part: Option<&Part<'_>>) -> String {
    let inner = within(field);
    let mut one = match (part, text(inner, "/type"), text(inner, "/format")) {
        (Some(part), ..) => format!("[{}](#{})", part.name, anchor(&part.heading)),
        (None, "string", "date-time") => "time".to_owned(),
        (None, "", _) => "anything".to_owned(),
        (None, word, _) => word.to_owned(),
    };
    if text(inner, "/pattern").contains("(s|m|h)") {
        "duration".clone_into(&mut one);
    }
    match (field.get("items"), field.get("additionalProperties")) {
        (Some(_), _) => format!("list: {one}"),
        (None, Some(_)) => format!("map: {one}"),
        (None, None) => one,
    }
}

/// What is told of a field: its description, then the default and the words it takes where that leaves them out.
fn described(field: &Value) -> String {
    let mut told = explained(field);
    if let Some(default) = field.get("default").filter(|it| **it != "")
        && !told.contains("default")
    {
        write!(told, " Default: `{}`.", plain(default)).expect("a String takes any text");
    }
    let words: Vec<String> = field
        .get("enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|it| **it != "")
        .map(|it| format!("`{}`", plain(it)))
        .collect();
    if !words.iter().all(|it| told.contains(it)) {
        write!(told, " One of {}.", words.join(", ")).expect("a String takes any text");
    }
    told
}

fn explained(schema: &Value) -> String {
    let words: Vec<&str> = text(schema, "/description").split_whitespace().collect();
    words.join(" ").replace('|', "\\|")
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn find_part<'a>(field: &Value, parts: &'a [Part<'a>]) -> Option<&'a Part<'a>> {
    let below = properties(within(field))?;
    parts
        .iter()
        .find(|part| properties(within(part.schema)) == Some(below))
}

/// The schema of an element of a list or a value of a map; else the schema itself.
fn within(schema: &Value) -> &Value {
    ["items", "additionalProperties"]
        .iter()
        .find_map(|key| schema.get(key).filter(|it| it.is_object()))
        .unwrap_or(schema)
}

fn properties(schema: &Value) -> Option<&Fields> {
    schema.get("properties").and_then(Value::as_object)
}

fn fields(schema: &Value) -> Fields {
    properties(within(schema)).cloned().unwrap_or_default()
}

/// Finds a field by the names that lead to it, through lists and maps.
fn at<'a>(schema: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(schema, |schema, name| {
        properties(within(schema)).and_then(|it| it.get(name))
    })
}

fn schema(crd: &Value) -> Result<&Value> {
    crd.pointer("/spec/versions/0/schema/openAPIV3Schema")
        .context("a CRD has a schema")
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn strings(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

fn anchor(heading: &str) -> String {
    heading.to_lowercase().replace(' ', "-")
}

fn capitalised(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|it| it.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
