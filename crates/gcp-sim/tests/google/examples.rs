//! The examples of worlds: each can be read, and one of them shows every field that there is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use gcp_sim::World;
use serde_json::Value;

/// Names of fields, by the kind of object.
type Names = BTreeMap<String, BTreeSet<String>>;

/// A field that nothing has.
const STRANGER: &str = "no-such-field";

fn example(name: &str) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    examples.join(name)
}

#[test]
fn every_example_of_a_world_can_be_read() -> Result<()> {
    for name in [
        "gcp/world.yaml",
        "gcp/every-field.yaml",
        "artifact-registry/world.yaml",
    ] {
        World::read(&example(name)).with_context(|| name.to_owned())?;
    }
    Ok(())
}

/// Whoever is told that a name is unknown is told the known ones: so the schema itself says what the example lacks.
#[test]
fn one_example_shows_every_field_of_a_world() -> Result<()> {
    let text = std::fs::read_to_string(example("gcp/every-field.yaml"))?;
    let example: Value = serde_saphyr::from_str(&text)?;
    let mut objects = Vec::new();
    collect("", &example, &mut objects);
    let (mut known, mut shown) = (Names::new(), Names::new());
    for pointer in objects {
        let fields = fields_at(&pointer, &example)?;
        known.entry(kind(&pointer)).or_default().extend(fields);
        let names = example.pointer(&pointer).and_then(Value::as_object);
        let names = names.into_iter().flatten().map(|it| it.0.clone());
        shown.entry(kind(&pointer)).or_default().extend(names);
    }
    known.retain(|_, fields| !fields.is_empty());
    assert!(known.len() > 20, "{known:?}");
    for (kind, fields) in known {
        let missing: Vec<_> = fields.difference(&shown[&kind]).collect();
        assert!(missing.is_empty(), "{kind:?} lacks {missing:?}");
    }
    Ok(())
}

/// Lists the fields that an object may have; none where names are chosen freely.
fn fields_at(pointer: &str, world: &Value) -> Result<Vec<String>> {
    let mut strange = world.clone();
    strange.pointer_mut(pointer).context("no such object")?[STRANGER] = Value::Null;
    let error = serde_json::from_value::<World>(strange).err();
    let words = error.map(|it| it.to_string()).unwrap_or_default();
    let complaint = format!("unknown field `{STRANGER}`, expected ");
    let expected = words.split_once(&complaint).map_or("", |it| it.1);
    let names = expected.split('`').skip(1).step_by(2);
    Ok(names.map(str::to_owned).collect())
}

/// Where the objects of a value are.
fn collect(pointer: &str, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.push(pointer.to_owned());
            for (name, value) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                collect(&format!("{pointer}/{name}"), value, found);
            }
        }
        Value::Array(entries) => {
            for (index, entry) in entries.iter().enumerate() {
                collect(&format!("{pointer}/{index}"), entry, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What an object is: the field that it stands in, and all constraints alike. Fields of one name hold one kind here.
fn kind(pointer: &str) -> String {
    let mut parts = pointer.split('/').filter(|it| it.parse::<u32>().is_err());
    match (parts.next_back(), parts.next_back()) {
        (_, Some("orgPolicies")) => "orgPolicies/*".to_owned(),
        (field, _) => field.unwrap_or_default().to_owned(),
    }
}
