//! Owners and their dependents.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use serde_json::Value;

use super::plan::{Dependents, OwnerState, Plan, decide};
use super::{AT_ONCE, without_finalizer};
use crate::api::Api;
use crate::failure::Failure;
use crate::store::{Key, Object, Resource};
use crate::verbs::{Tracking, metadata};

/// As whom the collector acts.
const USER: &str = "generic-garbage-collector";

/// A reference to an owner, and where that owner would be.
pub(super) struct Owner {
    uid: String,
    /// There is none if the kind is not known, or could not own the object.
    pub(super) key: Option<Key>,
}

impl Api {
    /// Finds the places of an object's owners: in its own namespace, or outside of any.
    pub(super) fn owners(&self, key: &Key, object: &Value) -> Vec<Owner> {
        let references = object
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array);
        let owner = |reference: &Value| {
            let text = |name| {
                reference
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            let group = text("apiVersion")
                .split_once('/')
                .map_or("", |(group, _)| group);
            let kind = self.kind_of(|kind| kind.group == group && kind.kind == text("kind"));
            let place = kind.and_then(|kind| {
                let resource = Resource::new(&kind.group, &kind.plural);
                match (kind.namespaced, key.namespace()) {
                    (false, _) => Some(Key::new(&resource, "", text("name"))),
                    (true, "") => None,
                    (true, namespace) => Some(Key::new(&resource, namespace, text("name"))),
                }
            });
            Owner {
                uid: text("uid").to_owned(),
                key: place,
            }
        };
        references.into_iter().flatten().map(owner).collect()
    }

    fn owner_state(&self, owner: &Owner) -> OwnerState {
        let Some(key) = &owner.key else {
            return OwnerState::Unknown;
        };
        match self.store.memory().get(key) {
            Some(found) if *found.uid == *owner.uid => {
                if waits_for_dependents(&found) {
                    OwnerState::Waiting
                } else {
                    OwnerState::Present
                }
            }
            _ => OwnerState::Absent,
        }
    }

    fn dependents(&self, uid: &str) -> impl Iterator<Item = Arc<Object>> {
        self.store
            .memory()
            .owned_by(uid)
            .into_iter()
            .filter_map(|key| self.store.memory().get(&key))
    }

    /// Keeps an object for its owners, or deletes it for want of one.
    pub(super) async fn look_at_dependent(
        &self,
        object: &Arc<Object>,
        value: &Value,
    ) -> Result<(), Failure> {
        if object.owners.is_empty() {
            return Ok(());
        }
        let owners = self.owners(&object.key, value).into_iter().map(|owner| {
            let state = self.owner_state(&owner);
            (owner.uid, state)
        });
        let owners: Vec<(String, OwnerState)> = owners.collect();
        let mut dependents = Dependents::default();
        for dependent in self.dependents(&object.uid) {
            dependents.any = true;
            dependents.waiting |= waits_for_dependents(&dependent);
        }
        match decide(&owners, &metadata::finalizers(value), dependents) {
            Plan::Keep => Ok(()),
            Plan::Forget(uids) => self.forget_owners(object.key.clone(), uids).await,
            Plan::Delete {
                propagation,
                unblock,
            } => {
                if unblock {
                    return self.unblock_owners(&object.key, value).await;
                }
                let call = self.own_call(&object.key, USER, None)?;
                self.delete_found(&call, object, propagation).await
            }
        }
    }

    /// Orphans what an owner owns, then lets the owner go.
    pub(super) async fn release_dependents(&self, owner: &Object) -> Result<(), Failure> {
        let mut releases = Vec::new();
        for dependent in self.dependents(&owner.uid) {
            releases.push(self.forget_owners(dependent.key.clone(), vec![owner.uid.to_string()]));
        }
        futures::stream::iter(releases)
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        self.remove_finalizer(&owner.key, "orphan").await
    }

    /// Deletes what an owner owns, and lets the owner go when nothing blocks it any more.
    pub(super) async fn wait_for_dependents(&self, owner: &Object) -> Result<(), Failure> {
        let mut blocked = false;
        for dependent in self.dependents(&owner.uid) {
            let dependent_value = dependent.to_value();
            blocked |= blocks(&dependent_value, &owner.uid);
            if !dependent.deleting {
                match self.look_at_dependent(&dependent, &dependent_value).await {
                    Err(failure) if !matches!(failure.reason(), "NotFound" | "Conflict") => {
                        return Err(failure);
                    }
                    _ => {}
                }
            }
        }
        // Those that go brought this owner here again; so the last of them finds the way free.
        if blocked {
            Ok(())
        } else {
            self.remove_finalizer(&owner.key, "foregroundDeletion")
                .await
        }
    }

    async fn remove_finalizer(&self, key: &Key, finalizer: &str) -> Result<(), Failure> {
        let call = self.own_call(key, USER, None)?;
        self.replace(&call, Tracking::Update, |old| {
            Ok(without_finalizer(old, finalizer))
        })
        .await
        .map(drop)
    }

    async fn forget_owners(&self, key: Key, uids: Vec<String>) -> Result<(), Failure> {
        let call = self.own_call(&key, USER, None)?;
        let forgotten = |uid: &str| uids.iter().any(|it| it == uid);
        let outcome = self.replace(&call, Tracking::Update, |old| {
            let mut object = old.clone();
            if let Some(Value::Array(owners)) = object.pointer_mut("/metadata/ownerReferences") {
                owners.retain(|owner| {
                    !owner
                        .get("uid")
                        .and_then(Value::as_str)
                        .is_some_and(forgotten)
                });
                if owners.is_empty() {
                    metadata::of(&mut object).remove("ownerReferences");
                }
            }
            Ok(object)
        });
        match outcome.await {
            Err(failure) if failure.reason() == "NotFound" => Ok(()),
            outcome => outcome.map(drop),
        }
    }

    /// Makes an object block none of its owners; its change brings it here again.
    async fn unblock_owners(&self, key: &Key, value: &Value) -> Result<(), Failure> {
        let references = value
            .pointer("/metadata/ownerReferences")
            .and_then(Value::as_array);
        let blocking = references
            .into_iter()
            .flatten()
            .any(|owner| owner.get("blockOwnerDeletion") == Some(&Value::Bool(true)));
        let call = self.own_call(key, USER, None)?;
        if !blocking {
            let Some(object) = self.store.memory().get(key) else {
                return Ok(());
            };
            return self
                .delete_found(&call, &object, crate::verbs::Propagation::Foreground)
                .await;
        }
        let outcome = self.replace(&call, Tracking::Update, |old| {
            let mut object = old.clone();
            for owner in object
                .pointer_mut("/metadata/ownerReferences")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                owner["blockOwnerDeletion"] = Value::Bool(false);
            }
            Ok(object)
        });
        outcome.await.map(drop)
    }
}

fn waits_for_dependents(object: &Object) -> bool {
    object.deleting && metadata::finalizers(&object.to_value()).contains(&"foregroundDeletion")
}

fn blocks(dependent: &Value, uid: &str) -> bool {
    let references = dependent
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    references.into_iter().flatten().any(|owner| {
        owner.get("uid").and_then(Value::as_str) == Some(uid)
            && owner.get("blockOwnerDeletion") == Some(&Value::Bool(true))
    })
}
