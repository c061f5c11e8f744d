//! Update, and what update, patch and apply have in common: replacing an object by its next state.

use std::sync::Arc;

use kube::core::admission::Operation;
use serde_json::Value;

use crate::admission::Review;
use crate::api::Api;
use crate::apply;
use crate::body;
use crate::failure::{Failure, FieldCause};
use crate::store::{Effect, Expect, Object, Write};
use crate::verbs::{Answer, Call, Tracking, metadata};

/// How often an update that named no revision is done again when someone else was faster.
const TRIES: usize = 16;

impl Api {
    pub(super) async fn update(&self, call: &Call, bytes: &[u8]) -> Result<Answer, Failure> {
        let mut object = body::parse(&call.media_type, bytes)?;
        call.note_duplicates(bytes);
        metadata::check_identity(call, &mut object)?;
        if call.kind.custom && metadata::text(&object, "resourceVersion").is_empty() {
            let cause = FieldCause::invalid(
                "metadata.resourceVersion",
                "0x0",
                "must be specified for an update",
            );
            return Err(Failure::invalid(&call.kind_subject(call.name()), &[cause]));
        }
        self.replace(call, Tracking::Update, |_| Ok(object.clone()))
            .await
    }

    /// Replaces an object by what `next` makes of it, as often as it takes when the caller named no revision.
    pub(crate) async fn replace(
        &self,
        call: &Call,
        tracking: Tracking,
        next: impl Fn(&Value) -> Result<Value, Failure>,
    ) -> Result<Answer, Failure> {
        let name = call.name();
        for _ in 0..TRIES {
            let current = self.store.memory().get(&call.key(name));
            let current = current.ok_or_else(|| Failure::not_found(&call.subject(name)))?;
            let old = call.read(&current);
            let mut object = next(&old)?;
            metadata::check_identity(call, &mut object)?;
            check_uid(call, &object, &current)?;
            let named = revision_named(&object, &old);
            if named.is_some_and(|it| it != current.revision) {
                return Err(Failure::modified(&call.subject(name)));
            }
            match self
                .replace_once(call, tracking, object, &old, &current)
                .await
            {
                Err(failure) if failure.reason() == "Conflict" && named.is_none() => {}
                outcome => return outcome,
            }
        }
        Err(Failure::modified(&call.subject(name)))
    }

    async fn replace_once(
        &self,
        call: &Call,
        tracking: Tracking,
        object: Value,
        old: &Value,
        current: &Arc<Object>,
    ) -> Result<Answer, Failure> {
        let name = call.name();
        let review = |object| Review {
            operation: Operation::Update,
            object: Some(object),
            old: Some(old.clone()),
            dry_run: call.query.dry_run,
        };
        let mut object = self.shape(call, object, old)?;
        call.answer_for_unknown()?;
        if tracking == Tracking::Update {
            self.track(call, &mut object, Some(old));
        }
        let object = self.mutate(call, review(object)).await?;
        let mut object = self.shape(call, object, old)?;
        Self::check(call, &object, Some(old))?;
        self.validate(call, review(object.clone())).await?;
        apply::keep_times(old, &mut object);
        if same(&object, old) {
            return Ok(Answer::found(Arc::clone(current)));
        }
        if call.query.dry_run {
            return Ok(Answer::value(object));
        }
        let finished = current.deleting
            && metadata::finalizers(&object).is_empty()
            && !holds_content(call, &object);
        let effect = if finished {
            Effect::Remove(object)
        } else {
            Effect::Put(object)
        };
        let write = Write {
            key: current.key.clone(),
            expect: Expect::Revision(current.revision),
            effect,
            namespace: None,
        };
        let object = self
            .store
            .write(write)
            .await
            .map_err(|refused| call.refusal(name, &refused))?;
        self.written(call, &object);
        Ok(Answer::found(object))
    }

    /// Leaves of a new state what this path may change, and completes it.
    fn shape(&self, call: &Call, mut object: Value, old: &Value) -> Result<Value, Failure> {
        metadata::check_identity(call, &mut object)?;
        object = match call.subresource() {
            Some("status") => only_status(object, old),
            Some("finalize") => only_finalizers(&object, old),
            _ => object,
        };
        metadata::keep(&mut object, old);
        if call.subresource().is_none() && call.kind.status_subresource {
            take(&mut object, old, "status");
        }
        self.complete(call, &mut object, Some(old))?;
        if call.kind.custom
            && call.subresource().is_none()
            && specification_changed(call, &object, old)
        {
            metadata::bump_generation(&mut object);
        }
        Ok(object)
    }
}

/// The revision the caller insists on: one that is written in the object and is not just the one read.
fn revision_named(object: &Value, old: &Value) -> Option<u64> {
    let text = metadata::text(object, "resourceVersion");
    // A patch leaves the revision it was applied to in place; that says nothing about what the caller knew.
    if text.is_empty() || text == "0" || text == metadata::text(old, "resourceVersion") {
        return None;
    }
    Some(text.parse().unwrap_or(0))
}

fn check_uid(call: &Call, object: &Value, current: &Object) -> Result<(), Failure> {
    let uid = metadata::text(object, "uid");
    if uid.is_empty() || uid == &*current.uid {
        return Ok(());
    }
    let why = format!(
        "Precondition failed: UID in precondition: {uid}, UID in object meta: {}",
        current.uid
    );
    Err(Failure::conflict(&call.subject(call.name()), &why))
}

/// The old object with the new status; of `metadata` only the managed fields may change.
fn only_status(mut object: Value, old: &Value) -> Value {
    let mut next = old.clone();
    take(&mut next, &object, "status");
    let fields = metadata::of(&mut object).remove("managedFields");
    match fields {
        Some(fields) => drop(metadata::of(&mut next).insert("managedFields".to_owned(), fields)),
        None => drop(metadata::of(&mut next).remove("managedFields")),
    }
    let revision = metadata::text(&object, "resourceVersion").to_owned();
    metadata::of(&mut next).insert("resourceVersion".to_owned(), revision.into());
    next
}

/// The old namespace with the new `spec.finalizers`.
fn only_finalizers(object: &Value, old: &Value) -> Value {
    let mut next = old.clone();
    if let Some(spec) = object.get("spec") {
        next["spec"] = spec.clone();
    }
    next
}

/// Sets a member as it is in `from`, or removes it.
fn take(object: &mut Value, from: &Value, member: &str) {
    match (from.get(member), object.as_object_mut()) {
        (Some(value), Some(object)) => drop(object.insert(member.to_owned(), value.clone())),
        (None, Some(object)) => drop(object.remove(member)),
        (_, None) => {}
    }
}

/// Says whether anything but `metadata` (and `status`, where it has its own path) changed.
fn specification_changed(call: &Call, object: &Value, old: &Value) -> bool {
    let counted =
        |it: &&String| *it != "metadata" && !(call.kind.status_subresource && *it == "status");
    let (Some(new), Some(old)) = (object.as_object(), old.as_object()) else {
        return true;
    };
    new.keys().filter(counted).count() != old.keys().filter(counted).count()
        || new
            .iter()
            .filter(|(name, _)| counted(name))
            .any(|(name, value)| old.get(name) != Some(value))
}

/// Says whether nothing but the revision differs.
fn same(object: &Value, old: &Value) -> bool {
    let bare = |value: &Value| {
        let mut value = value.clone();
        metadata::of(&mut value).remove("resourceVersion");
        value
    };
    bare(object) == bare(old)
}

/// A namespace is kept until its own finalizers are gone too.
fn holds_content(call: &Call, object: &Value) -> bool {
    call.kind.kind == "Namespace"
        && object
            .pointer("/spec/finalizers")
            .and_then(Value::as_array)
            .is_some_and(|it| !it.is_empty())
}
