//! What the store keeps: an object as the bytes that are served, with the few members that lookups need beside them.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

/// One table of objects: `group/plural`, where the core group is empty.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Resource(Arc<str>);

impl Resource {
    pub(crate) fn new(group: &str, plural: &str) -> Self {
        Self(format!("{group}/{plural}").into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn group(&self) -> &str {
        self.0.split_once('/').map_or("", |(group, _)| group)
    }

    pub(crate) fn plural(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, plural)| plural)
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One object's place: its resource, and `namespace/name` (the namespace is empty for cluster-scoped kinds).
///
/// Neither namespace nor name may hold a slash, so a namespace is a contiguous range of places.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) resource: Resource,
    pub(crate) place: Arc<str>,
}

impl Key {
    pub(crate) fn new(resource: &Resource, namespace: &str, name: &str) -> Self {
        Self {
            resource: resource.clone(),
            place: format!("{namespace}/{name}").into(),
        }
    }

    pub(crate) fn namespace(&self) -> &str {
        self.place
            .split_once('/')
            .map_or("", |(namespace, _)| namespace)
    }

    pub(crate) fn name(&self) -> &str {
        self.place.split_once('/').map_or("", |(_, name)| name)
    }

    /// The key's form in the file: `group/plural/namespace/name`.
    pub(crate) fn to_row(&self) -> String {
        format!("{}/{}", self.resource.as_str(), self.place)
    }

    pub(crate) fn from_row(row: &str) -> Option<Self> {
        let (group, rest) = row.split_once('/')?;
        let (plural, place) = rest.split_once('/')?;
        place.contains('/').then(|| Self {
            resource: Resource::new(group, plural),
            place: place.into(),
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.resource, self.place)
    }
}

/// An object at one revision.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) key: Key,
    pub(crate) revision: u64,
    pub(crate) uid: Box<str>,
    pub(crate) labels: Map<String, Value>,
    pub(crate) owners: Box<[Box<str>]>,
    pub(crate) deleting: bool,
    pub(crate) api_version: Box<str>,
    bytes: Bytes,
}

/// The members of an object that the store itself looks at.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    api_version: Box<str>,
    #[serde(default)]
    metadata: HeadMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HeadMetadata {
    #[serde(default)]
    uid: Box<str>,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    labels: Option<Map<String, Value>>,
    #[serde(default)]
    owner_references: Option<Vec<HeadOwner>>,
    #[serde(default)]
    deletion_timestamp: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct HeadOwner {
    #[serde(default)]
    uid: Box<str>,
}

impl Object {
    /// Reads an object as it is stored; its revision is its `resourceVersion`.
    pub(crate) fn read(key: Key, bytes: Bytes) -> Result<Self, serde_json::Error> {
        let head: Head = serde_json::from_slice(&bytes)?;
        let revision = head.metadata.resource_version.parse().unwrap_or(0);
        Ok(Self::assemble(key, revision, head, bytes))
    }

    /// Gives `value` its revision and its stored form.
    pub(crate) fn stamp(
        key: Key,
        mut value: Value,
        revision: u64,
    ) -> Result<Self, serde_json::Error> {
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.insert("resourceVersion".to_owned(), revision.to_string().into());
        }
        let head = Head::deserialize(&value)?;
        let bytes = serde_json::to_vec(&value)?;
        Ok(Self::assemble(key, revision, head, bytes.into()))
    }

    fn assemble(key: Key, revision: u64, head: Head, bytes: Bytes) -> Self {
        let HeadMetadata {
            uid,
            resource_version: _,
            labels,
            owner_references,
            deletion_timestamp,
        } = head.metadata;
        Self {
            key,
            revision,
            uid,
            labels: labels.unwrap_or_default(),
            owners: owner_references
                .unwrap_or_default()
                .into_iter()
                .map(|it| it.uid)
                .collect(),
            deleting: deletion_timestamp.is_some(),
            api_version: head.api_version,
            bytes,
        }
    }

    /// Stands for an earlier state of which only the labels are known.
    pub(crate) fn shadow(&self, labels: Map<String, Value>) -> Self {
        Self {
            key: self.key.clone(),
            revision: self.revision,
            uid: self.uid.clone(),
            labels,
            owners: self.owners.clone(),
            deleting: self.deleting,
            api_version: self.api_version.clone(),
            bytes: self.bytes.clone(),
        }
    }

    /// The object as JSON text.
    pub(crate) fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    pub(crate) fn to_value(&self) -> Value {
        serde_json::from_slice(&self.bytes).expect("the store holds only JSON it wrote")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Created,
    Updated,
    Deleted,
}

/// One change: what was there, and what is there since (or last was, for a deletion).
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) kind: ChangeKind,
    pub(crate) before: Option<Arc<Object>>,
    pub(crate) object: Arc<Object>,
    frame: OnceLock<Bytes>,
}

impl Change {
    pub(crate) fn new(kind: ChangeKind, before: Option<Arc<Object>>, object: Arc<Object>) -> Self {
        Self {
            kind,
            before,
            object,
            frame: OnceLock::new(),
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.object.revision
    }

    /// The watch event for callers without a selector: made once, whoever watches.
    pub(crate) fn frame(&self) -> Bytes {
        let event = match self.kind {
            ChangeKind::Created => "ADDED",
            ChangeKind::Updated => "MODIFIED",
            ChangeKind::Deleted => "DELETED",
        };
        self.frame
            .get_or_init(|| frame(event, self.object.bytes()))
            .clone()
    }
}

/// One line of a watch: an event's type around an object's JSON.
pub(crate) fn frame(event: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + event.len() + 24);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(event.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}
