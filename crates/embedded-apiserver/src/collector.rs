//! What goes by itself: objects whose owners are gone, owners that wait for their dependents, the contents of namespaces.
//!
//! One task follows the change log of the whole store. A change says which objects to look at again, nothing more: what to
//! do with each is decided from what the store holds then, so after a restart a look at everything finds all unfinished
//! work. It writes as any client does, through admission and field tracking.
//!
//! Source: <https://kubernetes.io/docs/concepts/architecture/garbage-collection/>

mod contents;
mod dependents;
mod plan;

pub(crate) use contents::{definition_of, hold_definition};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::authentication::v1::UserInfo;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::api::Api;
use crate::failure::Failure;
use crate::kinds::Kind;
use crate::query::Query;
use crate::routes::Target;
use crate::store::{Change, ChangeKind, Key, Object, PageRequest, Resource};
use crate::verbs::{Call, metadata};

/// How many changes are read, and objects looked at, in one go.
const BATCH: usize = 256;

/// How many objects are worked on at the same time; their writes share commits.
const AT_ONCE: usize = 32;

/// The longest pause before something that failed is tried again.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Starts the collector of a server; it ends with the server.
pub(crate) fn start(api: &Arc<Api>) {
    if let Some(changed) = api.store.memory().follow_all() {
        tokio::spawn(run(Arc::downgrade(api), changed));
    }
}

async fn run(api: Weak<Api>, mut changed: watch::Receiver<u64>) {
    let mut work = Work::default();
    loop {
        {
            let Some(api) = api.upgrade() else { return };
            changed.mark_unchanged();
            work.gather(&api);
            while work.run_batch(&api).await {
                work.gather(&api);
            }
        }
        let pause = work
            .next_try()
            .unwrap_or_else(|| Instant::now() + LONGEST_PAUSE);
        tokio::select! {
            more = changed.changed() => if more.is_err() { return },
            () = tokio::time::sleep_until(pause) => {}
        }
    }
}

/// What to look at.
#[derive(Debug, Default)]
struct Work {
    /// Up to which revision changes were read; at first, everything is to be looked at.
    position: Option<u64>,
    queue: BTreeSet<Key>,
    failed: BTreeMap<Key, Failed>,
}

#[derive(Debug, Clone, Copy)]
struct Failed {
    times: u32,
    again: Instant,
}

impl Work {
    /// Reads what changed.
    fn gather(&mut self, api: &Api) {
        loop {
            let Some(position) = self.position else {
                self.position = Some(api.store.memory().revision());
                self.look_at_everything(api);
                continue;
            };
            match api.store.memory().all_changes_after(position, BATCH) {
                Ok((changes, complete)) => {
                    for change in &changes {
                        self.note(api, change);
                    }
                    self.position = Some(complete);
                    if changes.len() < BATCH {
                        return;
                    }
                }
                // More has changed than is held: as after a restart.
                Err(_) => self.position = None,
            }
        }
    }

    fn look_at_everything(&mut self, api: &Api) {
        for resource in api.store.memory().resources() {
            let found = api
                .objects_of(&resource, None)
                .into_iter()
                .filter(|it| may_need_work(it));
            self.queue.extend(found.map(|object| object.key.clone()));
        }
    }

    fn note(&mut self, api: &Api, change: &Change) {
        let object = &change.object;
        let deleted = change.kind == ChangeKind::Deleted;
        if deleted {
            self.queue.extend(api.store.memory().owned_by(&object.uid));
        } else if may_need_work(object) {
            self.queue.insert(object.key.clone());
        }
        let owners_before = change
            .before
            .iter()
            .filter(|before| deleted || object.deleting || before.owners != object.owners);
        for before in owners_before.filter(|before| !before.owners.is_empty()) {
            let value = before.to_value();
            self.note_if_deleting(
                api,
                api.owners(&object.key, &value)
                    .into_iter()
                    .filter_map(|owner| owner.key),
            );
        }
        self.note_if_deleting(api, contents::containers(&object.key));
    }

    fn note_if_deleting(&mut self, api: &Api, keys: impl IntoIterator<Item = Key>) {
        let deleting = |key: &Key| {
            api.store
                .memory()
                .get(key)
                .is_some_and(|object| object.deleting)
        };
        self.queue.extend(keys.into_iter().filter(deleting));
    }

    /// Looks at some objects; says whether there are more.
    async fn run_batch(&mut self, api: &Api) -> bool {
        let now = Instant::now();
        let due = self
            .failed
            .iter()
            .filter(|(_, failed)| failed.again <= now)
            .map(|(key, _)| key.clone());
        self.queue.extend(due.collect::<Vec<Key>>());
        let mut batch = Vec::new();
        while batch.len() < BATCH
            && let Some(key) = self.queue.pop_first()
        {
            batch.push(key);
        }
        if batch.is_empty() {
            return false;
        }
        let looks = batch.into_iter().map(|key| async move {
            let outcome = api.look_at(&key).await;
            (key, outcome)
        });
        let mut looks = futures::stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some((key, outcome)) = looks.next().await {
            self.finish(key, outcome);
        }
        true
    }

    fn finish(&mut self, key: Key, outcome: Result<(), Failure>) {
        match outcome {
            // Somebody else was faster: that change brings the object here again.
            Err(failure) if !matches!(failure.reason(), "NotFound" | "Conflict") => {
                let times = self.failed.get(&key).map_or(0, |failed| failed.times) + 1;
                let pause = Duration::from_millis(100 << times.min(10)).min(LONGEST_PAUSE);
                tracing::warn!(object = ?key, reason = failure.message(), ?pause, "what must go cannot be removed yet");
                self.failed.insert(
                    key,
                    Failed {
                        times,
                        again: Instant::now() + pause,
                    },
                );
            }
            _ => drop(self.failed.remove(&key)),
        }
    }

    fn next_try(&self) -> Option<Instant> {
        self.failed.values().map(|failed| failed.again).min()
    }
}

fn may_need_work(object: &Object) -> bool {
    object.deleting || !object.owners.is_empty()
}

impl Api {
    /// Does what one object needs, if anything.
    async fn look_at(&self, key: &Key) -> Result<(), Failure> {
        let Some(object) = self.store.memory().get(key) else {
            return Ok(());
        };
        let value = object.to_value();
        if !object.deleting {
            return self.look_at_dependent(&object, &value).await;
        }
        let finalizers = metadata::finalizers(&value);
        if finalizers.contains(&"orphan") {
            self.release_dependents(&object).await
        } else if finalizers.contains(&"foregroundDeletion") {
            self.wait_for_dependents(&object).await
        } else if contents::is_definition(key) {
            self.empty_definition(&object, &value).await
        } else if contents::is_namespace(key) {
            self.empty_namespace(&object, &value).await
        } else {
            Ok(())
        }
    }

    /// A request of the collector's own about an object.
    fn own_call(&self, key: &Key, user: &str, subresource: Option<&str>) -> Result<Call, Failure> {
        let kind = self.kind_of(|kind| {
            kind.group == key.resource.group() && kind.plural == key.resource.plural()
        });
        let kind = kind.ok_or_else(Failure::no_such_resource)?;
        let target = Target {
            group: kind.group.clone(),
            version: kind.version.clone(),
            plural: kind.plural.clone(),
            namespace: kind.namespaced.then(|| key.namespace().to_owned()),
            name: Some(key.name().to_owned()),
            subresource: subresource.map(ToOwned::to_owned),
        };
        let user = UserInfo {
            username: Some(format!("system:serviceaccount:kube-system:{user}")),
            groups: Some(vec![
                "system:serviceaccounts".to_owned(),
                "system:serviceaccounts:kube-system".to_owned(),
                "system:authenticated".to_owned(),
            ]),
            ..UserInfo::default()
        };
        self.call(
            user,
            target,
            Query::default(),
            "garbage-collector".to_owned(),
            String::new(),
        )
    }

    fn kind_of(&self, wanted: impl Fn(&Kind) -> bool) -> Option<Arc<Kind>> {
        self.kinds.read().iter().find(|kind| wanted(kind)).cloned()
    }

    fn objects_of(&self, resource: &Resource, namespace: Option<&str>) -> Vec<Arc<Object>> {
        let request = PageRequest {
            resource,
            namespace,
            at: None,
            after: None,
        };
        self.store
            .memory()
            .list(request)
            .map(|page| page.objects)
            .unwrap_or_default()
    }
}

/// Removes a finalizer.
fn without_finalizer(object: &Value, finalizer: &str) -> Value {
    let mut object = object.clone();
    if let Some(Value::Array(finalizers)) = object.pointer_mut("/metadata/finalizers") {
        finalizers.retain(|it| it.as_str() != Some(finalizer));
    }
    object
}
