//! What holds other objects and must be empty before it goes: namespaces, and the definitions of kinds.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt;
use serde_json::{Value, json};

use super::{AT_ONCE, without_finalizer};
use crate::api::Api;
use crate::failure::Failure;
use crate::store::{Effect, Expect, Key, Object, Resource, Write};
use crate::verbs::{Propagation, Tracking, metadata};

/// As whom the collector empties.
const USER: &str = "namespace-controller";

/// Keeps the definition of a kind until there are no objects of it.
const CLEANUP: &str = "customresourcecleanup.apiextensions.k8s.io";

const DEFINITIONS: (&str, &str) = ("apiextensions.k8s.io", "customresourcedefinitions");

pub(super) fn is_namespace(key: &Key) -> bool {
    key.resource.group().is_empty() && key.resource.plural() == "namespaces"
}

pub(super) fn is_definition(key: &Key) -> bool {
    (key.resource.group(), key.resource.plural()) == DEFINITIONS
}

/// Makes the definition of a kind outlive its objects.
pub(crate) fn hold_definition(definition: &mut Value, old: Option<&Value>) {
    let deleting = old.is_some_and(|old| !metadata::text(old, "deletionTimestamp").is_empty());
    if deleting || metadata::finalizers(definition).contains(&CLEANUP) {
        return;
    }
    let finalizers = metadata::of(definition)
        .entry("finalizers")
        .or_insert_with(|| json!([]));
    if let Value::Array(finalizers) = finalizers {
        finalizers.push(CLEANUP.into());
    }
}

/// Where the definition of a custom kind is.
pub(crate) fn definition_of(resource: &Resource) -> Key {
    let name = format!("{}.{}", resource.plural(), resource.group());
    Key::new(&Resource::new(DEFINITIONS.0, DEFINITIONS.1), "", &name)
}

/// What an object is in: its namespace, and the definition of its kind.
pub(super) fn containers(key: &Key) -> Vec<Key> {
    let mut containers = Vec::new();
    if !key.namespace().is_empty() {
        containers.push(Key::new(
            &Resource::new("", "namespaces"),
            "",
            key.namespace(),
        ));
    }
    if !key.resource.group().is_empty() {
        containers.push(definition_of(&key.resource));
    }
    containers
}

/// What is left of contents that were deleted.
#[derive(Debug, Default)]
struct Remains {
    /// How many objects of each resource.
    objects: BTreeMap<String, usize>,
    /// How many of them each finalizer holds.
    finalizers: BTreeMap<String, usize>,
    /// Why objects could not be deleted.
    failures: Vec<String>,
}

impl Api {
    /// Deletes all that is in a namespace, then lets it go.
    pub(super) async fn empty_namespace(
        &self,
        namespace: &Object,
        value: &Value,
    ) -> Result<(), Failure> {
        let name = namespace.key.name();
        let kept = value.pointer("/spec/finalizers").and_then(Value::as_array);
        if !kept.into_iter().flatten().any(|it| it == "kubernetes") {
            return Ok(());
        }
        let mut remains = Remains::default();
        for resource in self.store.memory().resources_in(name) {
            self.delete_all(&resource, Some(name), &mut remains).await;
        }
        if remains.objects.is_empty() {
            let call = self.own_call(&namespace.key, USER, Some("finalize"))?;
            let without = |old: &Value| {
                let mut namespace = old.clone();
                if let Some(Value::Array(finalizers)) = namespace.pointer_mut("/spec/finalizers") {
                    finalizers.retain(|it| it != "kubernetes");
                }
                Ok(namespace)
            };
            return self
                .replace(&call, Tracking::Update, without)
                .await
                .map(drop);
        }
        let call = self.own_call(&namespace.key, USER, Some("status"))?;
        let now = self.now();
        self.replace(&call, Tracking::Update, |old| {
            Ok(with_conditions(old, &remains, &now))
        })
        .await?;
        match remains.failures.first() {
            Some(failure) => Err(Failure::internal(failure.clone())),
            None => Ok(()),
        }
    }

    /// Takes the objects of a kind along when its definition is deleted.
    pub(super) async fn empty_definition(
        &self,
        definition: &Object,
        value: &Value,
    ) -> Result<(), Failure> {
        if !metadata::finalizers(value).contains(&CLEANUP) {
            return Ok(());
        }
        let call = self.own_call(&definition.key, USER, None)?;
        let text = |path| {
            value
                .pointer(path)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let resource = Resource::new(text("/spec/group"), text("/spec/names/plural"));
        let mut remains = Remains::default();
        self.delete_all(&resource, None, &mut remains).await;
        match (remains.objects.is_empty(), remains.failures.first()) {
            (true, _) => self
                .replace(&call, Tracking::Update, |old| {
                    Ok(without_finalizer(old, CLEANUP))
                })
                .await
                .map(drop),
            (false, Some(failure)) => Err(Failure::internal(failure.clone())),
            (false, None) => Ok(()),
        }
    }

    async fn delete_all(
        &self,
        resource: &Resource,
        namespace: Option<&str>,
        remains: &mut Remains,
    ) {
        let mut deletions = Vec::new();
        for object in self.objects_of(resource, namespace) {
            if !object.deleting {
                deletions.push(self.delete_content(object));
            }
        }
        let outcomes: Vec<Result<(), Failure>> = futures::stream::iter(deletions)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        let failures = outcomes
            .into_iter()
            .filter_map(Result::err)
            .filter(|it| !matches!(it.reason(), "NotFound" | "Conflict"));
        remains
            .failures
            .extend(failures.map(|failure| failure.message().to_owned()));
        for object in self.objects_of(resource, namespace) {
            *remains.objects.entry(name_of(resource)).or_default() += 1;
            for finalizer in metadata::finalizers(&object.to_value()) {
                *remains.finalizers.entry(finalizer.to_owned()).or_default() += 1;
            }
        }
    }

    async fn delete_content(&self, object: Arc<Object>) -> Result<(), Failure> {
        if let Ok(call) = self.own_call(&object.key, USER, None) {
            return self
                .delete_found(&call, &object, Propagation::Background)
                .await;
        }
        // Nobody knows the kind any more: there is nothing to ask, and nobody who waits for its finalizers.
        let write = Write {
            key: object.key.clone(),
            expect: Expect::Revision(object.revision),
            effect: Effect::Remove(object.to_value()),
            namespace: None,
        };
        let written = self.store.write(write).await;
        written
            .map(drop)
            .map_err(|_| Failure::internal("an object of an unknown kind cannot be removed"))
    }
}

fn name_of(resource: &Resource) -> String {
    if resource.group().is_empty() {
        resource.plural().to_owned()
    } else {
        format!("{}.{}", resource.plural(), resource.group())
    }
}

/// The namespace, saying what it still waits for.
fn with_conditions(namespace: &Value, remains: &Remains, now: &str) -> Value {
    let mut next = namespace.clone();
    let list = |what: &BTreeMap<String, usize>| {
        what.iter()
            .map(|(name, count)| format!("{name}: {count}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let fine = ("False", String::new());
    let content = if remains.objects.is_empty() {
        fine.clone()
    } else {
        ("True", list(&remains.objects))
    };
    let finalizers = if remains.finalizers.is_empty() {
        fine.clone()
    } else {
        ("True", list(&remains.finalizers))
    };
    let failures = remains
        .failures
        .first()
        .map_or(fine.clone(), |failure| ("True", failure.clone()));
    let conditions = [
        (
            "NamespaceDeletionDiscoveryFailure",
            fine.clone(),
            "ResourcesDiscovered",
            "ResourcesDiscovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            fine,
            "ParsedGroupVersions",
            "ParsedGroupVersions",
        ),
        (
            "NamespaceDeletionContentFailure",
            failures,
            "ContentDeletionFailed",
            "ContentDeleted",
        ),
        (
            "NamespaceContentRemaining",
            content,
            "SomeResourcesRemain",
            "ContentRemoved",
        ),
        (
            "NamespaceFinalizersRemaining",
            finalizers,
            "SomeFinalizersRemain",
            "ContentHasNoFinalizers",
        ),
    ];
    let old = namespace
        .pointer("/status/conditions")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let conditions = conditions.map(|(kind, (status, what), bad, good)| {
        let before = old.iter().find(|it| it.get("type").and_then(Value::as_str) == Some(kind));
        let since = before.filter(|it| it.get("status").and_then(Value::as_str) == Some(status));
        let since = since.and_then(|it| it.get("lastTransitionTime")).cloned().unwrap_or_else(|| now.into());
        let message = if what.is_empty() { "nothing stands in the way".to_owned() } else { format!("remaining: {what}") };
        let reason = if status == "True" { bad } else { good };
        json!({ "type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": since })
    });
    next["status"]["phase"] = "Terminating".into();
    next["status"]["conditions"] = Value::Array(conditions.into());
    next
}
