//! How ownership moves when an object is updated, and what applying removes.

use std::collections::BTreeMap;

use serde_json::Value;

use super::compare::{Comparison, compare};
use super::conflict::Conflicts;
use super::element::{Element, same};
use super::managers::{Manager, Managers, Owned};
use super::merge::merge;
use super::reconcile::reconcile;
use super::remove::remove;
use super::set::Set;
use super::typed::fields;
use crate::shape::Shape;

/// Who did what on which part of an object.
pub(super) struct Request<'a> {
    pub(super) shape: &'a Shape,
    pub(super) manager: &'a Manager,
    pub(super) version: &'a str,
    /// Fields the request cannot change: what it says about them counts for nothing.
    pub(super) ignored: &'a Set,
}

/// Why a configuration was not applied.
pub(super) enum Refusal {
    Conflicts(Conflicts),
    Merge(String),
}

impl Request<'_> {
    /// Takes from all others what changed, and says what changed.
    pub(super) fn take_over(
        &self,
        old: &Value,
        new: &Value,
        managers: &mut Managers,
        keeper: Option<&Manager>,
        force: bool,
    ) -> Result<Comparison, Conflicts> {
        let compared = compare(old, new, self.shape).without(self.ignored);
        let changed = compared.modified.union(&compared.added);
        let others = managers
            .iter()
            .filter(|(manager, _)| Some(*manager) != keeper);
        let lost: BTreeMap<Manager, Set> = others
            .map(|(manager, owned)| (manager.clone(), owned.set.intersection(&changed)))
            .collect();
        if !force && let Some(conflicts) = Conflicts::find(&lost) {
            return Err(conflicts);
        }
        for (manager, lost) in &lost {
            if let Some(owned) = managers.get_mut(manager) {
                owned.set = owned.set.difference(lost).difference(&compared.removed);
            }
        }
        managers.retain(|_, owned| !owned.set.is_empty());
        Ok(compared)
    }

    /// Tracks an update. Says whether the manager changed anything.
    pub(super) fn update(
        &self,
        old: &Value,
        new: &Value,
        managers: &mut Managers,
        now: i64,
    ) -> bool {
        self.reconcile_all(managers);
        let Ok(compared) = self.take_over(old, new, managers, None, true) else {
            return false;
        };
        let taken = compared
            .modified
            .union(&compared.added)
            .without(self.ignored)
            .difference(&untracked());
        if taken.is_empty() {
            return false;
        }
        let owned = managers
            .entry(self.manager.clone())
            .or_insert_with(|| Owned {
                version: self.version.to_owned(),
                set: Set::default(),
                since: None,
            });
        owned.set = owned.set.union(&taken);
        self.version.clone_into(&mut owned.version);
        owned.since = Some(now);
        true
    }

    /// Applies a configuration; `None` when the object stays as it is.
    pub(super) fn apply(
        &self,
        live: &Value,
        config: &Value,
        managers: &mut Managers,
        force: bool,
        now: i64,
    ) -> Result<Option<Value>, Refusal> {
        self.reconcile_all(managers);
        let merged = merge(live, config, self.shape).map_err(Refusal::Merge)?;
        let last = managers.get(self.manager).cloned();
        let set = fields(config, self.shape).without(self.ignored);
        let since = last.as_ref().and_then(|last| last.since);
        managers.insert(
            self.manager.clone(),
            Owned {
                version: self.version.to_owned(),
                set,
                since,
            },
        );
        let new = match last {
            Some(last) if !last.set.is_empty() => self.prune(&merged, managers, &last.set),
            _ => merged,
        };
        self.take_over(live, &new, managers, Some(self.manager), force)
            .map_err(Refusal::Conflicts)?;
        let changed = !same(live, &new);
        if let Some(owned) = managers.get_mut(self.manager) {
            owned.set = owned.set.difference(&untracked());
            if changed {
                owned.since = Some(now);
            }
        }
        managers.retain(|_, owned| !owned.set.is_empty());
        Ok(changed.then_some(new))
    }

    /// Removes what the manager applied last time, not now, and nobody else owns.
    fn prune(&self, merged: &Value, managers: &Managers, last: &Set) -> Value {
        let declared = |set: &Set| set.with_declared_fields(Some(self.shape));
        let fields_of = |value: &Value| declared(&fields(value, self.shape));
        let (last, all) = (declared(last), fields_of(merged));
        let bare = remove(merged, &last, self.shape);
        let owned = managers
            .values()
            .fold(Set::default(), |all, owned| all.union(&owned.set));
        let kept = fields_of(&bare).union(&declared(&owned));
        let kept = fields_of(&remove(merged, &all.difference(&kept), self.shape));
        // Only what was applied last time may go, even where nobody owns it.
        remove(
            merged,
            &all.difference(&kept).intersection(&last),
            self.shape,
        )
    }

    fn reconcile_all(&self, managers: &mut Managers) {
        for owned in managers.values_mut() {
            owned.set = reconcile(&owned.set, self.shape);
        }
    }
}

/// What belongs to the server, or names the object: nobody's.
fn untracked() -> Set {
    let field = |name: &str| Element::Field(name.to_owned());
    let mut set = Set::default();
    for name in ["apiVersion", "kind", "metadata"] {
        set.insert(&[field(name)]);
    }
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        set.insert(&[field("metadata"), field(name)]);
    }
    set
}
