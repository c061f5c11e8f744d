//! The store's readable side: every object in order, and the latest changes of each resource.

mod log;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use super::object::{Change, ChangeKind, Key, Object, Resource};

/// Everything that readers see; the writer adds to it after each commit.
#[derive(Debug)]
pub(crate) struct Memory {
    state: RwLock<State>,
}

#[derive(Debug, Default)]
struct State {
    revision: u64,
    /// Changes up to and including this revision may be gone.
    compacted: u64,
    tables: HashMap<Resource, Table>,
    owned: HashMap<Box<str>, BTreeSet<Key>>,
    /// Revision, resource and size of every change held, oldest first.
    order: VecDeque<(u64, Resource, usize)>,
    history_bytes: usize,
    changed: Option<watch::Sender<u64>>,
    ended: bool,
    failed: bool,
}

/// One resource's objects by place, and its changes by revision.
#[derive(Debug)]
struct Table {
    objects: BTreeMap<Arc<str>, Arc<Object>>,
    changes: VecDeque<Arc<Change>>,
    /// The latest change of this resource that is no longer held.
    dropped: u64,
    changed: Option<watch::Sender<u64>>,
}

impl Table {
    fn new(dropped: u64) -> Self {
        Self {
            objects: BTreeMap::new(),
            changes: VecDeque::new(),
            dropped,
            changed: Some(watch::Sender::new(0)),
        }
    }

    fn changes_after(&self, revision: u64) -> impl DoubleEndedIterator<Item = &Arc<Change>> {
        let start = self.changes.partition_point(|it| it.revision() <= revision);
        self.changes.range(start..)
    }
}

/// The revision asked for is no longer held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expired {
    pub(crate) asked: u64,
    pub(crate) oldest: u64,
}

/// Which objects to list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageRequest<'a> {
    pub(crate) resource: &'a Resource,
    /// All namespaces if there is none.
    pub(crate) namespace: Option<&'a str>,
    /// As of which revision; the current one if there is none.
    pub(crate) at: Option<u64>,
    /// Starts behind this place.
    pub(crate) after: Option<&'a str>,
}

/// Objects in order of their places, as of one revision.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) revision: u64,
    pub(crate) objects: Vec<Arc<Object>>,
}

impl Memory {
    /// Builds the readable side from what the file held.
    pub(crate) fn restore(
        revision: u64,
        compacted: u64,
        objects: Vec<Arc<Object>>,
        changes: Vec<Arc<Change>>,
    ) -> Self {
        let mut state = State {
            revision,
            compacted,
            changed: Some(watch::Sender::new(revision)),
            ..State::default()
        };
        for object in objects {
            index_owners(&mut state.owned, &object);
            table(&mut state.tables, &object.key.resource, compacted)
                .objects
                .insert(Arc::clone(&object.key.place), object);
        }
        for change in changes {
            state.remember(change);
        }
        Self {
            state: RwLock::new(state),
        }
    }

    pub(crate) fn revision(&self) -> u64 {
        self.state.read().revision
    }

    /// The sum of the sizes of everything held, objects and changes.
    pub(crate) fn live_bytes(&self) -> usize {
        let state = self.state.read();
        let objects: usize = state
            .tables
            .values()
            .flat_map(|table| table.objects.values())
            .map(|it| it.bytes().len())
            .sum();
        objects + state.history_bytes
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<Object>> {
        self.state
            .read()
            .tables
            .get(&key.resource)?
            .objects
            .get(&key.place)
            .cloned()
    }

    /// The keys of all objects that name `uid` as an owner.
    pub(crate) fn owned_by(&self, uid: &str) -> Vec<Key> {
        self.state
            .read()
            .owned
            .get(uid)
            .map(|keys| keys.iter().cloned().collect())
            .unwrap_or_default()
    }

    /// The resources that have at least one object in `namespace`.
    pub(crate) fn resources_in(&self, namespace: &str) -> Vec<Resource> {
        let state = self.state.read();
        let occupied = |table: &Table| {
            in_namespace(&table.objects, namespace, None)
                .next()
                .is_some()
        };
        state
            .tables
            .iter()
            .filter(|(_, table)| occupied(table))
            .map(|(resource, _)| resource.clone())
            .collect()
    }

    /// Lists one resource as of one revision, by undoing the changes made since.
    pub(crate) fn list(&self, request: PageRequest<'_>) -> Result<Page, Expired> {
        let PageRequest {
            resource,
            namespace,
            at,
            after,
        } = request;
        let state = self.state.read();
        let revision = at.unwrap_or(state.revision);
        let Some(table) = state.tables.get(resource) else {
            return Ok(Page {
                revision,
                objects: Vec::new(),
            });
        };
        if revision < table.dropped {
            return Err(Expired {
                asked: revision,
                oldest: table.dropped,
            });
        }
        let current = range(&table.objects, namespace, after);
        if table
            .changes
            .back()
            .is_none_or(|it| it.revision() <= revision)
        {
            return Ok(Page {
                revision,
                objects: current.cloned().collect(),
            });
        }
        let mut objects: BTreeMap<&str, Arc<Object>> =
            current.map(|it| (&*it.key.place, Arc::clone(it))).collect();
        for change in table.changes_after(revision).rev() {
            let place = &*change.object.key.place;
            let wanted = namespace.is_none_or(|it| change.object.key.namespace() == it)
                && after.is_none_or(|it| place > it);
            match &change.before {
                Some(before) if wanted => drop(objects.insert(place, Arc::clone(before))),
                None if wanted => drop(objects.remove(place)),
                Some(_) | None => {}
            }
        }
        Ok(Page {
            revision,
            objects: objects.into_values().collect(),
        })
    }

    /// Adds committed changes, in order of revision, and wakes who waits for them.
    pub(super) fn apply(&self, changes: Vec<Arc<Change>>) {
        let mut state = self.state.write();
        let mut touched: HashMap<Resource, u64> = HashMap::new();
        for change in changes {
            let object = &change.object;
            if let Some(before) = &change.before {
                unindex_owners(&mut state.owned, before);
            }
            let compacted = state.compacted;
            let table = table(&mut state.tables, &object.key.resource, compacted);
            if change.kind == ChangeKind::Deleted {
                table.objects.remove(&object.key.place);
            } else {
                table
                    .objects
                    .insert(Arc::clone(&object.key.place), Arc::clone(object));
                index_owners(&mut state.owned, object);
            }
            state.revision = object.revision;
            touched.insert(object.key.resource.clone(), object.revision);
            state.remember(change);
        }
        if let Some(changed) = &state.changed {
            changed.send_replace(state.revision);
        }
        for (resource, revision) in touched {
            if let Some(changed) = state
                .tables
                .get(&resource)
                .and_then(|it| it.changed.as_ref())
            {
                changed.send_replace(revision);
            }
        }
    }
}

impl State {
    fn remember(&mut self, change: Arc<Change>) {
        let size = change.object.bytes().len();
        self.history_bytes += size;
        self.order
            .push_back((change.revision(), change.object.key.resource.clone(), size));
        let compacted = self.compacted;
        table(&mut self.tables, &change.object.key.resource, compacted)
            .changes
            .push_back(change);
    }
}

fn table<'a>(
    tables: &'a mut HashMap<Resource, Table>,
    resource: &Resource,
    compacted: u64,
) -> &'a mut Table {
    if !tables.contains_key(resource) {
        tables.insert(resource.clone(), Table::new(compacted));
    }
    tables.get_mut(resource).expect("it was just inserted")
}

fn range<'a>(
    objects: &'a BTreeMap<Arc<str>, Arc<Object>>,
    namespace: Option<&str>,
    after: Option<&str>,
) -> Box<dyn Iterator<Item = &'a Arc<Object>> + 'a> {
    match namespace {
        Some(namespace) => Box::new(in_namespace(objects, namespace, after)),
        None => Box::new(
            objects
                .range::<str, _>((
                    after.map_or(Bound::Unbounded, Bound::Excluded),
                    Bound::Unbounded,
                ))
                .map(|(_, it)| it),
        ),
    }
}

fn in_namespace<'a>(
    objects: &'a BTreeMap<Arc<str>, Arc<Object>>,
    namespace: &str,
    after: Option<&str>,
) -> impl Iterator<Item = &'a Arc<Object>> + use<'a> {
    let first = format!("{namespace}/");
    let start = after
        .filter(|it| *it > first.as_str())
        .map_or(Bound::Included(first.as_str()), Bound::Excluded);
    let range = objects.range::<str, _>((start, Bound::Unbounded));
    range
        .take_while(move |(place, _)| place.starts_with(&first))
        .map(|(_, object)| object)
}

fn index_owners(owned: &mut HashMap<Box<str>, BTreeSet<Key>>, object: &Object) {
    for owner in &object.owners {
        owned
            .entry(owner.clone())
            .or_default()
            .insert(object.key.clone());
    }
}

fn unindex_owners(owned: &mut HashMap<Box<str>, BTreeSet<Key>>, object: &Object) {
    for owner in &object.owners {
        if let Some(keys) = owned.get_mut(owner) {
            keys.remove(&object.key);
            if keys.is_empty() {
                owned.remove(owner);
            }
        }
    }
}
