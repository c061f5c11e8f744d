//! How the loops write: status as a merge patch of what changed, and nothing where nothing did.

use kube::{
    Api,
    api::{Patch, PatchParams},
    core::NamespaceResourceScope,
};
use resources::names::FINALIZER;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    error::Error,
    indexed_store::{Indexed, IndexedStore},
};

/// Gives the merge patch that turns `before` into `after`; nothing where they are the same.
///
/// Lists are replaced whole; what is gone becomes null.
pub(crate) fn difference(before: &Value, after: &Value) -> Option<Value> {
    if before == after {
        return None;
    }
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        return Some(after.clone());
    };
    let mut changes = Map::new();
    for (key, value) in after {
        let change = match before.get(key) {
            Some(known) => difference(known, value),
            None => Some(value.clone()),
        };
        if let Some(change) = change {
            changes.insert(key.clone(), change);
        }
    }
    for key in before.keys().filter(|it| !after.contains_key(*it)) {
        changes.insert(key.clone(), Value::Null);
    }
    Some(Value::Object(changes))
}

/// Writes the status of `object` if it changed; the store has seen the answer when this returns.
///
/// What was deleted meanwhile has no status, and needs none.
pub(crate) async fn status<K, S>(
    api: &Api<K>,
    store: &IndexedStore<K>,
    name: &str,
    before: Option<&S>,
    after: &S,
) -> Result<(), Error>
where
    K: Indexed,
    S: Serialize,
{
    let before = before
        .map_or_else(|| Ok(json!({})), serde_json::to_value)
        .expect("a status has text keys only");
    let after = serde_json::to_value(after).expect("a status has text keys only");
    let Some(change) = difference(&before, &after) else {
        return Ok(());
    };
    let patch = Patch::Merge(json!({ "status": change }));
    let answer = api
        .patch_status(name, &PatchParams::default(), &patch)
        .await;
    match answer.map_err(|source| Error::api("write the status", source)) {
        Ok(written) => store.observe(written),
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Changes metadata of an object that is as old as `resource_version`; a newer one is a conflict.
async fn metadata<K>(api: &Api<K>, object: &K, change: Value) -> Result<K, Error>
where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut change = change;
    change["resourceVersion"] = json!(object.meta().resource_version);
    let name = object.meta().name.clone().unwrap_or_default();
    let patch = Patch::Merge(json!({ "metadata": change }));
    let answer = api.patch(&name, &PatchParams::default(), &patch).await;
    answer.map_err(|source| Error::api("change the metadata", source))
}

/// Puts our finalizer on `object`.
pub(crate) async fn hold<K>(api: &Api<K>, object: &K) -> Result<K, Error>
where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut finalizers = object.meta().finalizers.clone().unwrap_or_default();
    finalizers.push(FINALIZER.to_owned());
    metadata(api, object, json!({ "finalizers": finalizers })).await
}

/// Takes our finalizer off `object`; what is gone needs nothing.
pub(crate) async fn release<K>(api: &Api<K>, object: &K) -> Result<(), Error>
where
    K: kube::Resource + Clone + DeserializeOwned + std::fmt::Debug,
{
    let mut finalizers = object.meta().finalizers.clone().unwrap_or_default();
    finalizers.retain(|it| it != FINALIZER);
    let finalizers = if finalizers.is_empty() {
        Value::Null
    } else {
        json!(finalizers)
    };
    match metadata(api, object, json!({ "finalizers": finalizers })).await {
        Ok(_) => Ok(()),
        Err(error) if error.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Sets an annotation of an object, or removes it.
pub(crate) async fn annotation<K>(
    api: &Api<K>,
    name: &str,
    key: &str,
    value: Option<&str>,
) -> Result<K, Error>
where
    K: kube::Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let patch = Patch::Merge(json!({ "metadata": { "annotations": { key: value } } }));
    let answer = api.patch(name, &PatchParams::default(), &patch).await;
    answer.map_err(|source| Error::api("change an annotation", source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &Value, after: &Value, expected: Option<&Value>) {
        assert_eq!(
            difference(before, after).as_ref(),
            expected,
            "{before} → {after}"
        );
    }

    #[test]
    fn only_what_changed_is_written() {
        check(
            &json!({"a": 1, "b": {"c": 2, "d": 3}}),
            &json!({"a": 1, "b": {"c": 2, "d": 4}}),
            Some(&json!({"b": {"d": 4}})),
        );
        check(&json!({"a": 1}), &json!({"a": 1}), None);
        check(
            &json!({}),
            &json!({"a": {"b": 1}}),
            Some(&json!({"a": {"b": 1}})),
        );
    }

    #[test]
    fn what_is_gone_becomes_null_and_lists_are_replaced() {
        check(
            &json!({"a": 1, "b": 2}),
            &json!({"b": 2}),
            Some(&json!({"a": null})),
        );
        check(
            &json!({"a": [1, 2]}),
            &json!({"a": [2]}),
            Some(&json!({"a": [2]})),
        );
        check(
            &json!({"a": {"b": 1}}),
            &json!({"a": {}}),
            Some(&json!({"a": {"b": null}})),
        );
    }
}
