//! What the loops remember of a kind: every object once, found by name or by what an index says of it.
//!
//! One event stream feeds one store. The store is changed first and the loops are woken afterwards, so a loop never
//! looks at a store that is older than what woke it. What a loop wrote itself is put in with [`IndexedStore::observe`],
//! so it reads its own writes. A lookup costs what it finds, never what the kind holds.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{StreamExt, pin_mut};
use kube::{
    Api, Client,
    runtime::{WatchStreamExt, watcher},
};
use parking_lot::RwLock;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{indexes::By, queue::Key};

/// Gives the values under which an index lists an object.
pub(crate) type Values<K> = fn(&K) -> Vec<String>;

/// A kind that can be held in an [`IndexedStore`].
pub(crate) trait Indexed:
    kube::Resource<DynamicType = ()> + Clone + DeserializeOwned + fmt::Debug + Send + Sync + 'static
{
    /// The indexes of this kind.
    const INDEXES: &'static [(By, Values<Self>)];

    /// Drops what no loop reads, before the object is remembered.
    fn shrink(&mut self) {}

    /// Gives the place of the object among those with the same index value; names decide between equals.
    fn rank(&self) -> i64 {
        0
    }
}

/// Says that an object came (no `before`), changed, or went (no `after`).
pub(crate) struct Change<'a, K> {
    pub(crate) before: Option<&'a K>,
    pub(crate) after: Option<&'a K>,
}

type Listener<K> = Box<dyn Fn(&Key, Change<'_, K>) + Send + Sync>;
type Bucket<K> = BTreeMap<(i64, Key), Arc<K>>;

struct Objects<K> {
    by_key: BTreeMap<Key, Arc<K>>,
    /// Namespace and value to the objects an index lists there.
    buckets: HashMap<(By, Arc<str>, String), Bucket<K>>,
    /// The newest revision the event stream has shown.
    revision: u64,
}

/// Holds all objects of kind `K`.
pub(crate) struct IndexedStore<K: Indexed> {
    objects: RwLock<Objects<K>>,
    listeners: RwLock<Vec<Listener<K>>>,
    complete: watch::Sender<bool>,
    entries_read: AtomicU64,
}

impl<K: Indexed> IndexedStore<K> {
    pub(crate) fn new() -> Self {
        let objects = Objects {
            by_key: BTreeMap::new(),
            buckets: HashMap::new(),
            revision: 0,
        };
        Self {
            objects: RwLock::new(objects),
            listeners: RwLock::new(Vec::new()),
            complete: watch::Sender::new(false),
            entries_read: AtomicU64::new(0),
        }
    }

    /// Has `listener` called after every change, with the store already up to date.
    pub(crate) fn listen(&self, listener: impl Fn(&Key, Change<'_, K>) + Send + Sync + 'static) {
        self.listeners.write().push(Box::new(listener));
    }

    /// Waits until the store has been filled for the first time.
    pub(crate) async fn filled(&self) {
        let mut complete = self.complete.subscribe();
        // The sender lives as long as `self`, so waiting ends only by being filled.
        drop(complete.wait_for(|it| *it).await);
    }

    /// Says whether the store has been filled once.
    pub(crate) fn is_filled(&self) -> bool {
        *self.complete.borrow()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Arc<K>> {
        self.entries_read.fetch_add(1, Ordering::Relaxed);
        self.objects.read().by_key.get(key).cloned()
    }

    /// Lists what the index `by` has under `value` in a namespace, in the order of the kind, first to last.
    pub(crate) fn find(&self, by: By, namespace: &str, value: &str) -> Vec<Arc<K>> {
        let objects = self.objects.read();
        let found: Vec<_> = objects
            .bucket(by, namespace, value)
            .map(|it| it.values().cloned().collect())
            .unwrap_or_default();
        self.entries_read
            .fetch_add(found.len() as u64, Ordering::Relaxed);
        found
    }

    /// Walks what the index `by` has under `value`, last to first, until `visit` breaks.
    pub(crate) fn walk_back<B>(
        &self,
        by: By,
        namespace: &str,
        value: &str,
        mut visit: impl FnMut(&Arc<K>) -> ControlFlow<B>,
    ) -> Option<B> {
        let objects = self.objects.read();
        for object in objects.bucket(by, namespace, value)?.values().rev() {
            self.entries_read.fetch_add(1, Ordering::Relaxed);
            if let ControlFlow::Break(found) = visit(object) {
                return Some(found);
            }
        }
        None
    }

    /// Lists the objects of a namespace, in the order of their names.
    pub(crate) fn in_namespace(&self, namespace: &str) -> Vec<Arc<K>> {
        let objects = self.objects.read();
        let from = Key::new(namespace, "");
        let found: Vec<_> = objects
            .by_key
            .range(from..)
            .take_while(|(key, _)| &*key.namespace == namespace)
            .map(|(_, it)| Arc::clone(it))
            .collect();
        self.entries_read
            .fetch_add(found.len() as u64, Ordering::Relaxed);
        found
    }

    /// Lists everything; only for what happens once per start.
    pub(crate) fn all(&self) -> Vec<Arc<K>> {
        let objects = self.objects.read();
        self.entries_read
            .fetch_add(objects.by_key.len() as u64, Ordering::Relaxed);
        objects.by_key.values().cloned().collect()
    }

    /// Says how many entries lookups have touched so far.
    pub(crate) fn entries_read(&self) -> u64 {
        self.entries_read.load(Ordering::Relaxed)
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.read().by_key.len()
    }

    /// Takes in what the API answered to a write of ours, unless the event stream was faster.
    pub(crate) fn observe(&self, object: K) {
        let Some(revision) = revision(&object) else {
            return;
        };
        if self.objects.read().revision < revision {
            self.put(object, revision);
        }
    }

    /// Feeds the store from the API until `cancel` fires; interruptions are bridged by listing anew.
    pub(crate) async fn follow(&self, client: Client, cancel: CancellationToken) {
        let events = watcher(Api::<K>::all(client), watcher::Config::default())
            .default_backoff()
            .take_until(cancel.cancelled_owned());
        pin_mut!(events);
        let mut listed = HashSet::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(watcher::Event::Init) => listed.clear(),
                Ok(watcher::Event::InitApply(object)) => {
                    listed.insert(Key::of(&object));
                    self.take_in(object);
                }
                Ok(watcher::Event::InitDone) => {
                    self.keep_only(&std::mem::take(&mut listed));
                    self.complete.send_replace(true);
                }
                Ok(watcher::Event::Apply(object)) => self.take_in(object),
                Ok(watcher::Event::Delete(object)) => self.remove(&object),
                Err(error) => {
                    tracing::warn!(kind = %K::kind(&()), %error, "lost the event stream, trying again");
                }
            }
        }
    }

    fn take_in(&self, object: K) {
        let revision = revision(&object).unwrap_or_default();
        self.put(object, revision);
        let mut objects = self.objects.write();
        objects.revision = objects.revision.max(revision);
    }

    fn put(&self, mut object: K, revision_of_object: u64) {
        object.meta_mut().managed_fields = None;
        object.shrink();
        let (key, object) = (Key::of(&object), Arc::new(object));
        let before = {
            let mut objects = self.objects.write();
            let known = objects.by_key.get(&key).and_then(|it| revision(&**it));
            if known.is_some_and(|known| known >= revision_of_object) {
                return;
            }
            objects.put(key.clone(), Arc::clone(&object))
        };
        self.tell(&key, before.as_deref(), Some(&object));
    }

    fn remove(&self, object: &K) {
        let key = Key::of(object);
        let before = {
            let mut objects = self.objects.write();
            objects.revision = objects.revision.max(revision(object).unwrap_or_default());
            // An object made anew under the same name stays.
            if objects
                .by_key
                .get(&key)
                .is_some_and(|known| known.meta().uid != object.meta().uid)
            {
                return;
            }
            objects.remove(&key)
        };
        if before.is_some() {
            self.tell(&key, before.as_deref(), None);
        }
    }

    fn keep_only(&self, listed: &HashSet<Key>) {
        let gone: Vec<Key> = self
            .objects
            .read()
            .by_key
            .keys()
            .filter(|key| !listed.contains(key))
            .cloned()
            .collect();
        for key in gone {
            let before = self.objects.write().remove(&key);
            self.tell(&key, before.as_deref(), None);
        }
    }

    fn tell(&self, key: &Key, before: Option<&K>, after: Option<&K>) {
        for listener in self.listeners.read().iter() {
            listener(key, Change { before, after });
        }
    }
}

impl<K: Indexed> Objects<K> {
    fn bucket(&self, by: By, namespace: &str, value: &str) -> Option<&Bucket<K>> {
        self.buckets
            .get(&(by, Arc::from(namespace), value.to_owned()))
    }

    fn put(&mut self, key: Key, object: Arc<K>) -> Option<Arc<K>> {
        let before = self.remove(&key);
        for (by, values) in K::INDEXES {
            for value in values(&object) {
                let bucket = self
                    .buckets
                    .entry((*by, Arc::clone(&key.namespace), value))
                    .or_default();
                bucket.insert((object.rank(), key.clone()), Arc::clone(&object));
            }
        }
        self.by_key.insert(key, object);
        before
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<K>> {
        let object = self.by_key.remove(key)?;
        for (by, values) in K::INDEXES {
            for value in values(&object) {
                let place = (*by, Arc::clone(&key.namespace), value);
                if let Some(bucket) = self.buckets.get_mut(&place) {
                    bucket.remove(&(object.rank(), key.clone()));
                    if bucket.is_empty() {
                        self.buckets.remove(&place);
                    }
                }
            }
        }
        Some(object)
    }
}

/// Reads a resource version as the number that Kubernetes, since 1.35 officially, lets clients compare.
fn revision<K: kube::Resource>(object: &K) -> Option<u64> {
    object.meta().resource_version.as_deref()?.parse().ok()
}

#[cfg(test)]
mod tests;
