//! Server-side apply, and who owns which field.
//!
//! Every write leaves in `metadata.managedFields` which fields its sender set. An applier sends only what it wants: what it wanted
//! before and wants no longer is removed unless somebody else owns it, and what somebody else owns it may change only by force.
//! All functions are pure; the fixtures under `tests/fixtures` were recorded from the implementation in Kubernetes.
//!
//! All versions of a kind have one shape here: versions are never converted.

mod compare;
mod conflict;
pub(crate) mod element;
mod fields;
mod managers;
mod merge;
mod ownership;
mod reconcile;
mod remove;
mod set;
mod typed;

use jiff::Timestamp;
use serde_json::Value;

pub use conflict::Conflicts;
pub use managers::keep_times;
use managers::{Manager, Managers, Operation};
use ownership::{Refusal, Request};
use set::Set;

use crate::shape::Shape;

/// Who writes, and what the request is about.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// The field manager; see [`manager_or_user_agent`].
    pub manager: &'a str,
    /// The version in which the request is written: `kargo.akuity.io/v1alpha1`.
    pub api_version: &'a str,
    /// Empty for the object itself.
    pub subresource: &'a str,
    /// Top-level fields that this request cannot change; see [`reset_fields`].
    pub reset: &'a [&'a str],
    pub now: Timestamp,
}

/// Why a configuration was not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Others own what it wants to change: `409 Conflict`.
    #[error(transparent)]
    Conflicts(Conflicts),
    /// It is not a configuration of this kind: `400 BadRequest`.
    #[error("{0}")]
    BadRequest(String),
    /// The stored object has managed fields, or a form, that cannot be read.
    #[error("{0}")]
    Live(String),
}

/// Names the manager of a request that does not: the program in its `User-Agent`.
pub fn manager_or_user_agent(manager: &str, user_agent: &str) -> String {
    if !manager.is_empty() {
        return manager.to_owned();
    }
    let program = user_agent.split('/').next().unwrap_or_default();
    program
        .chars()
        .filter(|letter| !letter.is_control())
        .take(128)
        .collect()
}

/// Lists the top-level fields that a request on an object, or on its status, cannot change.
pub fn reset_fields(has_status: bool, subresource: &str) -> &'static [&'static str] {
    match (has_status, subresource) {
        (true, "status") => &["metadata", "spec"],
        (true, _) => &["status"],
        (false, _) => &[],
    }
}

/// Applies a configuration to an object; a new one is `live` with nothing but `apiVersion` and `kind`.
///
/// The answer has its managed fields updated, and is equal to `live` when the request changes nothing.
pub fn apply(
    shape: &Shape,
    live: &Value,
    config: &Value,
    author: &Author<'_>,
    force: bool,
) -> Result<Value, ApplyError> {
    if let Some(version) = config
        .get("apiVersion")
        .and_then(Value::as_str)
        .filter(|version| *version != author.api_version)
    {
        return Err(ApplyError::BadRequest(format!(
            "Incorrect version specified in apply patch. Specified patch version: {version}, expected: {}",
            author.api_version
        )));
    }
    if config
        .pointer("/metadata/managedFields")
        .is_some_and(|fields| !fields.is_null())
    {
        return Err(ApplyError::BadRequest(
            "metadata.managedFields must be nil".to_owned(),
        ));
    }
    let mut managers = managers::read(live)
        .map_err(|error| ApplyError::Live(format!("failed to decode managed fields: {error}")))?;
    typed::check(config, shape, false).map_err(|mistakes| {
        ApplyError::BadRequest(format!(
            "failed to create typed patch object ({}): {}",
            name(config),
            lines(&mistakes)
        ))
    })?;
    typed::check(live, shape, true).map_err(|mistakes| {
        ApplyError::Live(format!(
            "failed to create typed live object ({}): {}",
            name(live),
            lines(&mistakes)
        ))
    })?;

    let ignored = top_level(author.reset);
    let now = author.now.as_second();
    if managers.is_empty() {
        claim_existing(shape, live, author, &ignored, &mut managers);
    }
    let manager = Manager::new(
        author.manager,
        Operation::Apply,
        author.api_version,
        author.subresource,
    );
    let request = Request {
        shape,
        manager: &manager,
        version: author.api_version,
        ignored: &ignored,
    };
    let before = managers.clone();
    let applied = match request.apply(live, config, &mut managers, force, now) {
        Err(Refusal::Conflicts(conflicts)) if author.manager == "kubectl" => {
            // kubectl takes over what its own client-side apply set.
            if let Some(left) = allowed_by_last_applied(shape, live, author)
                .map_or(Some(conflicts.clone()), |set| conflicts.except(&set))
            {
                return Err(ApplyError::Conflicts(left));
            }
            managers = before;
            request.apply(live, config, &mut managers, true, now)
        }
        other => other,
    };
    let applied = applied.map_err(|refusal| match refusal {
        Refusal::Conflicts(conflicts) => ApplyError::Conflicts(conflicts),
        Refusal::Merge(error) => ApplyError::BadRequest(format!("failed to merge config: {error}")),
    })?;
    let mut object = applied.unwrap_or_else(|| live.clone());
    if author.manager == "kubectl" {
        refresh_last_applied(&mut object, config);
    }
    managers::write(&mut object, &managers);
    keep_times(live, &mut object);
    Ok(object)
}

/// Updates the managed fields of `new`, which an author wrote in place of `live`.
///
/// Managed fields in `new` are taken at their word, `[]` and `[{}]` as a request to forget everything; a subresource cannot touch them.
/// An object that has lost its managed fields gets new ones only by apply.
pub fn track_update(shape: &Shape, live: Option<&Value>, new: &mut Value, author: &Author<'_>) {
    let nothing = Value::Object(serde_json::Map::new());
    let old = live.unwrap_or(&nothing);
    let from = |object: &Value| managers::read(object).unwrap_or_default();
    let mut managers = if !author.subresource.is_empty() {
        from(old)
    } else if is_reset(new) {
        Managers::new()
    } else {
        managers::read(new)
            .ok()
            .filter(|managers| !managers.is_empty())
            .unwrap_or_else(|| from(old))
    };
    managers::write(new, &Managers::new());
    let exists = old
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .is_some_and(|uid| !uid.is_empty());
    let untracked = managers.is_empty() && exists;
    if untracked
        || typed::check(new, shape, true).is_err()
        || typed::check(old, shape, true).is_err()
    {
        return;
    }
    let manager = Manager::new(
        author.manager,
        Operation::Update,
        author.api_version,
        author.subresource,
    );
    let ignored = top_level(author.reset);
    let request = Request {
        shape,
        manager: &manager,
        version: author.api_version,
        ignored: &ignored,
    };
    request.update(old, new, &mut managers, author.now.as_second());
    managers::cap(&mut managers);
    managers::write(new, &managers);
    if let Some(live) = live {
        keep_times(live, new);
    }
}

fn is_reset(object: &Value) -> bool {
    managers::entries(object).is_some_and(|entries| match entries.as_slice() {
        [] => true,
        [only] => only.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    })
}

/// Gives what is there before the first apply, and belongs to nobody, an owner.
fn claim_existing(
    shape: &Shape,
    live: &Value,
    author: &Author<'_>,
    ignored: &Set,
    managers: &mut Managers,
) {
    let manager = Manager::new(
        "before-first-apply",
        Operation::Update,
        author.api_version,
        author.subresource,
    );
    let request = Request {
        shape,
        manager: &manager,
        version: author.api_version,
        ignored,
    };
    let empty =
        serde_json::json!({ "apiVersion": live.get("apiVersion"), "kind": live.get("kind") });
    request.update(&empty, live, managers, author.now.as_second());
}

const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn last_applied(object: &Value) -> Option<&str> {
    object
        .pointer("/metadata/annotations")?
        .get(LAST_APPLIED)?
        .as_str()
        .filter(|text| !text.is_empty())
}

/// The fields that the client-side apply of kubectl set and nobody changed since.
fn allowed_by_last_applied(shape: &Shape, live: &Value, author: &Author<'_>) -> Option<Set> {
    let last: Value = serde_json::from_str(last_applied(live)?).ok()?;
    if last.get("apiVersion").and_then(Value::as_str) != Some(author.api_version) {
        return None;
    }
    typed::check(&last, shape, false).ok()?;
    typed::check(live, shape, false).ok()?;
    let compared = compare::compare(&last, live, shape);
    let set = typed::fields(&last, shape);
    Some(
        set.difference(&compared.modified)
            .difference(&compared.added)
            .difference(&compared.removed),
    )
}

fn refresh_last_applied(object: &mut Value, config: &Value) {
    if last_applied(object).is_none() {
        return;
    }
    let mut config = config.clone();
    if let Some(Value::Object(annotations)) = config.pointer_mut("/metadata/annotations") {
        annotations.remove(LAST_APPLIED);
    }
    if let Some(Value::Object(annotations)) = object.pointer_mut("/metadata/annotations") {
        annotations.insert(
            LAST_APPLIED.to_owned(),
            Value::String(format!("{config}\n")),
        );
    }
}

fn top_level(names: &[&str]) -> Set {
    let mut set = Set::default();
    for name in names {
        set.insert(&[element::Element::Field((*name).to_owned())]);
    }
    set
}

fn name(object: &Value) -> String {
    let text = |path| {
        object
            .pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    format!(
        "{}/{}; {}, Kind={}",
        text("/metadata/namespace"),
        text("/metadata/name"),
        text("/apiVersion"),
        text("/kind")
    )
}

fn lines(mistakes: &[String]) -> String {
    mistakes.join("\n")
}

#[cfg(test)]
mod tests;
