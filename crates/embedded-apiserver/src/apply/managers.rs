//! `metadata.managedFields`: who owns which fields, since when, and by which kind of request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::element::ElementError;
use super::fields;
use super::set::Set;

/// How fields came to be owned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Operation {
    Apply,
    Update,
}

/// Who owns fields. Two requests that agree in all of this share one entry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Manager {
    pub(super) name: String,
    pub(super) operation: Operation,
    /// Part of who an updater is; an applier stays the same across versions, and has none here.
    pub(super) version: Option<String>,
    pub(super) subresource: String,
}

/// What a manager owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) version: String,
    pub(super) set: Set,
    /// In seconds since 1970; there is none until the manager changed something.
    pub(super) since: Option<i64>,
}

/// All managers of an object.
pub(super) type Managers = BTreeMap<Manager, Owned>;

/// More updaters than this are told apart no longer; appliers always are.
const MOST_UPDATERS: usize = 10;

/// The entry in which the oldest updaters end.
const OLD_UPDATERS: &str = "ancient-changes";

/// Why managed fields cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ManagersError {
    #[error("operation must be `Apply` or `Update`")]
    Operation,
    #[error("apiVersion must not be empty")]
    Version,
    #[error("missing fieldsType in managed fields entry {0}")]
    NoType(usize),
    #[error("invalid fieldsType {1:?} in managed fields entry {0}")]
    Type(usize, String),
    #[error("error decoding set: {0}")]
    Fields(#[from] ElementError),
}

impl Manager {
    pub(super) fn new(name: &str, operation: Operation, version: &str, subresource: &str) -> Self {
        Self {
            name: if name.is_empty() { "unknown" } else { name }.to_owned(),
            operation,
            version: (operation == Operation::Update).then(|| version.to_owned()),
            subresource: subresource.to_owned(),
        }
    }

    /// How an error names it.
    pub(super) fn text(&self) -> String {
        let mut text = format!("{:?}", self.name);
        if !self.subresource.is_empty() {
            text = format!("{text} with subresource {:?}", self.subresource);
        }
        match &self.version {
            Some(version) => format!("{text} using {version}"),
            None => text,
        }
    }
}

/// Finds the managed fields of an object, whatever they look like.
pub(super) fn entries(object: &Value) -> Option<&Vec<Value>> {
    object
        .pointer("/metadata/managedFields")
        .and_then(Value::as_array)
}

/// Reads the managed fields of an object.
pub(super) fn read(object: &Value) -> Result<Managers, ManagersError> {
    let mut managers = Managers::new();
    for (index, entry) in entries(object).into_iter().flatten().enumerate() {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let operation = match text("operation") {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err(ManagersError::Operation),
        };
        let version = text("apiVersion");
        if version.is_empty() {
            return Err(ManagersError::Version);
        }
        match text("fieldsType") {
            "FieldsV1" => {}
            "" => return Err(ManagersError::NoType(index)),
            other => return Err(ManagersError::Type(index, other.to_owned())),
        }
        let manager = Manager {
            name: text("manager").to_owned(),
            operation,
            version: (operation == Operation::Update).then(|| version.to_owned()),
            subresource: text("subresource").to_owned(),
        };
        let owned = Owned {
            version: version.to_owned(),
            set: fields::parse(entry.get("fieldsV1").unwrap_or(&Value::Null))?,
            since: text("time").parse().ok().map(Timestamp::as_second),
        };
        managers.insert(manager, owned);
    }
    Ok(managers)
}

/// Writes managed fields into an object, or takes them out where nobody owns anything.
pub(super) fn write(object: &mut Value, managers: &Managers) {
    let mut entries: Vec<(&Manager, &Owned)> = managers.iter().collect();
    entries.sort_by_key(|(manager, owned)| {
        (
            manager.operation,
            owned.since.unwrap_or_default(),
            &manager.name,
            &owned.version,
            &manager.subresource,
        )
    });
    let entries: Vec<Value> = entries
        .into_iter()
        .map(|(manager, owned)| entry(manager, owned))
        .collect();
    let Some(object) = object.as_object_mut() else {
        return;
    };
    if entries.is_empty() {
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            metadata.remove("managedFields");
        }
        return;
    }
    let metadata = object.entry("metadata").or_insert_with(|| json!({}));
    if let Value::Object(metadata) = metadata {
        metadata.insert("managedFields".to_owned(), Value::Array(entries));
    }
}

fn entry(manager: &Manager, owned: &Owned) -> Value {
    let mut entry = json!({
        "manager": manager.name,
        "operation": match manager.operation { Operation::Apply => "Apply", Operation::Update => "Update" },
        "apiVersion": owned.version,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields::write(&owned.set),
    });
    if let Some(since) = owned
        .since
        .and_then(|since| Timestamp::from_second(since).ok())
    {
        entry["time"] = since.to_string().into();
    }
    if !manager.subresource.is_empty() {
        entry["subresource"] = manager.subresource.as_str().into();
    }
    entry
}

/// Joins the oldest updaters of a version until there are few enough.
pub(super) fn cap(managers: &mut Managers) {
    let updaters = managers
        .iter()
        .filter(|(manager, _)| manager.operation == Operation::Update);
    let mut updaters: Vec<(i64, Manager)> = updaters
        .map(|(manager, owned)| (owned.since.unwrap_or_default(), manager.clone()))
        .collect();
    if updaters.len() <= MOST_UPDATERS {
        return;
    }
    updaters.sort();
    let mut count = updaters.len();
    let mut first_of_version: BTreeMap<String, Manager> = BTreeMap::new();
    for (_, manager) in updaters {
        if count <= MOST_UPDATERS {
            return;
        }
        let Some(version) = managers.get(&manager).map(|owned| owned.version.clone()) else {
            continue;
        };
        let Some(first) = first_of_version.get(&version) else {
            first_of_version.insert(version, manager);
            continue;
        };
        let bucket = Manager::new(OLD_UPDATERS, Operation::Update, &version, "");
        if !managers.contains_key(&bucket)
            && let Some(owned) = managers.remove(first)
        {
            managers.insert(bucket.clone(), owned);
        }
        if let Some(younger) = managers.remove(&manager) {
            let union = managers.get(&bucket).map_or_else(
                || younger.set.clone(),
                |older| older.set.union(&younger.set),
            );
            managers.insert(
                bucket,
                Owned {
                    set: union,
                    ..younger
                },
            );
            count -= 1;
        }
    }
}

/// Keeps the times of the old version where nothing else has changed, so that a request without effect writes nothing.
pub fn keep_times(old: &Value, new: &mut Value) {
    let (Some(before), Some(after)) = (entries(old), entries(new)) else {
        return;
    };
    let same_fields = before.len() == after.len()
        && before
            .iter()
            .zip(after)
            .all(|(before, after)| same_except(before, after, &["time"]));
    if before == after || !same_fields || !same_except(old, new, &["metadata"]) {
        return;
    }
    let nothing = Value::Null;
    let metadata = |object| Value::get(object, "metadata").unwrap_or(&nothing);
    if same_except(
        metadata(old),
        metadata(new),
        &["managedFields", "resourceVersion"],
    ) && let Some(slot) = new.pointer_mut("/metadata/managedFields")
    {
        *slot = Value::Array(before.clone());
    }
}

fn same_except(old: &Value, new: &Value, ignored: &[&str]) -> bool {
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else {
        return old == new;
    };
    let counted = |(name, _): &(&String, &Value)| !ignored.contains(&name.as_str());
    old.iter().filter(counted).eq(new.iter().filter(counted))
}
