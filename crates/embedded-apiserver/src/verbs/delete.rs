//! Delete and deletecollection.

use std::sync::Arc;

use http::StatusCode;
use kube::core::admission::Operation;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admission::Review;
use crate::api::Api;
use crate::body;
use crate::failure::Failure;
use crate::query;
use crate::selection::Selection;
use crate::store::{Effect, Expect, Object, Page, PageRequest, Refused, Write};
use crate::verbs::{Answer, Call, metadata};

/// Namespaces that everything counts on.
const KEPT_NAMESPACES: &[&str] = &["default", "kube-system"];

/// How often a delete is done again when someone else was faster.
const TRIES: usize = 16;

/// `DeleteOptions`: how to delete.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    propagation_policy: Option<String>,
    orphan_dependents: Option<bool>,
    preconditions: Option<Preconditions>,
    dry_run: Option<Vec<String>>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Preconditions {
    uid: Option<String>,
    resource_version: Option<String>,
}

/// What becomes of the objects that name this one as their owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Propagation {
    /// What its finalizers say already; else they go after it.
    Unsaid,
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
    /// They stay, without the reference.
    Orphan,
}

impl Options {
    fn parse(call: &Call, bytes: &[u8]) -> Result<Self, Failure> {
        let mut options = Self::default();
        if !bytes.is_empty() {
            let value = body::parse(&call.media_type, bytes)?;
            options = Self::deserialize(value).map_err(|error| {
                Failure::bad_request(format!("the body is not DeleteOptions: {error}"))
            })?;
        }
        options.propagation_policy = options
            .propagation_policy
            .or_else(|| call.query.propagation_policy.clone());
        options.orphan_dependents = options.orphan_dependents.or(call.query.orphan_dependents);
        Ok(options)
    }

    fn propagation(&self) -> Result<Propagation, Failure> {
        match (self.propagation_policy.as_deref(), self.orphan_dependents) {
            (Some(_), Some(_)) => Err(Failure::bad_request(
                "orphanDependents and propagationPolicy cannot be both set",
            )),
            (None, None | Some(false)) => Ok(Propagation::Unsaid),
            (Some("Background"), None) => Ok(Propagation::Background),
            (Some("Foreground"), None) => Ok(Propagation::Foreground),
            (Some("Orphan"), None) | (None, Some(true)) => Ok(Propagation::Orphan),
            (Some(other), None) => Err(Failure::bad_request(format!(
                "propagationPolicy: Unsupported value: {other:?}: supported values: \"Background\", \"Foreground\", \"Orphan\""
            ))),
        }
    }

    fn dry_run(&self) -> Result<bool, Failure> {
        let texts = self.dry_run.iter().flatten();
        texts
            .map(|it| query::dry_run(it))
            .try_fold(false, |found, it| Ok(found | it?))
    }
}

impl Api {
    pub(super) async fn delete(&self, call: &Call, bytes: &[u8]) -> Result<Answer, Failure> {
        let options = Options::parse(call, bytes)?;
        self.delete_named(call, call.name(), &options).await
    }

    pub(super) async fn delete_collection(
        &self,
        call: &Call,
        bytes: &[u8],
    ) -> Result<Answer, Failure> {
        let options = Options::parse(call, bytes)?;
        let selection = Selection::parse(call)?;
        if call.kind.namespaced && call.target.namespace.is_none() {
            return Err(Failure::method_not_allowed());
        }
        let namespace = call.target.namespace.as_deref();
        let request = PageRequest {
            resource: &call.resource,
            namespace,
            at: None,
            after: None,
        };
        let page = self
            .store
            .memory()
            .list(request)
            .map_err(|_| Failure::expired("the list expired"))?;
        let mut objects = Vec::new();
        for object in page.objects.into_iter().filter(|it| selection.takes(it)) {
            match self.delete_named(call, object.key.name(), &options).await {
                Ok(_) => objects.push(object),
                Err(failure) if failure.code() == StatusCode::NOT_FOUND => {}
                Err(failure) => return Err(failure),
            }
        }
        let page = Page {
            revision: self.store.memory().revision(),
            objects,
        };
        Ok(Answer::List {
            page,
            continue_token: None,
            remaining: None,
        })
    }

    /// Deletes an object that the collector looked at, if it is still as it was.
    pub(crate) async fn delete_found(
        &self,
        call: &Call,
        object: &Object,
        propagation: Propagation,
    ) -> Result<(), Failure> {
        let policy = match propagation {
            Propagation::Unsaid => None,
            Propagation::Background => Some("Background".to_owned()),
            Propagation::Foreground => Some("Foreground".to_owned()),
            Propagation::Orphan => Some("Orphan".to_owned()),
        };
        let options = Options {
            propagation_policy: policy,
            preconditions: Some(Preconditions {
                uid: Some(object.uid.to_string()),
                resource_version: Some(object.revision.to_string()),
            }),
            ..Options::default()
        };
        self.delete_named(call, object.key.name(), &options)
            .await
            .map(drop)
    }

    async fn delete_named(
        &self,
        call: &Call,
        name: &str,
        options: &Options,
    ) -> Result<Answer, Failure> {
        if call.kind.kind == "Namespace" && KEPT_NAMESPACES.contains(&name) {
            let why = "this namespace may not be deleted";
            return Err(Failure::forbidden(&call.subject(name), why));
        }
        let propagation = options.propagation()?;
        let dry_run = call.query.dry_run || options.dry_run()?;
        let mut admitted = None;
        for _ in 0..TRIES {
            let current = self.store.memory().get(&call.key(name));
            let current = current.ok_or_else(|| Failure::not_found(&call.subject(name)))?;
            check_preconditions(call, name, options, &current)?;
            let old = call.read(&current);
            if admitted.as_deref() != Some(&*current.uid) {
                let review = || Review {
                    operation: Operation::Delete,
                    object: None,
                    old: Some(old.clone()),
                    dry_run,
                };
                self.mutate(call, review()).await?;
                self.validate(call, review()).await?;
                admitted = Some(current.uid.to_string());
            }
            let next = self.next_state(call, old, propagation);
            let effect = match next {
                Next::Gone(object) => Effect::Remove(object),
                Next::Waiting(object) => Effect::Put(object),
                Next::Unchanged => return Ok(Answer::found(current)),
            };
            let gone = matches!(effect, Effect::Remove(_));
            if dry_run {
                return Ok(if gone {
                    success(call, &current)
                } else {
                    Answer::found(current)
                });
            }
            let expect = Expect::Revision(current.revision);
            let write = Write {
                key: current.key.clone(),
                expect,
                effect,
                namespace: None,
            };
            match self.store.write(write).await {
                Ok(object) => {
                    self.written(call, &object);
                    return Ok(if gone {
                        success(call, &object)
                    } else {
                        Answer::found(object)
                    });
                }
                Err(Refused::Changed(_)) => {}
                Err(refused) => return Err(call.refusal(name, &refused)),
            }
        }
        Err(Failure::modified(&call.subject(name)))
    }

    fn next_state(&self, call: &Call, mut object: Value, propagation: Propagation) -> Next {
        let mut finalizers: Vec<String> = metadata::finalizers(&object)
            .into_iter()
            .map(str::to_owned)
            .collect();
        if propagation != Propagation::Unsaid {
            finalizers.retain(|it| !matches!(it.as_str(), "orphan" | "foregroundDeletion"));
        }
        match propagation {
            Propagation::Unsaid | Propagation::Background => {}
            Propagation::Foreground => finalizers.push("foregroundDeletion".to_owned()),
            Propagation::Orphan => finalizers.push("orphan".to_owned()),
        }
        let is_namespace = call.kind.kind == "Namespace" && call.kind.group.is_empty();
        let kept = is_namespace
            && object
                .pointer("/spec/finalizers")
                .and_then(Value::as_array)
                .is_some_and(|it| !it.is_empty());
        let before = object.clone();
        let metadata = metadata::of(&mut object);
        if finalizers.is_empty() {
            metadata.remove("finalizers");
        } else {
            metadata.insert("finalizers".to_owned(), finalizers.clone().into());
        }
        if finalizers.is_empty() && !kept {
            return Next::Gone(object);
        }
        if !metadata.contains_key("deletionTimestamp") {
            metadata.insert("deletionTimestamp".to_owned(), self.now().into());
            metadata.insert("deletionGracePeriodSeconds".to_owned(), 0.into());
            metadata::bump_generation(&mut object);
        }
        if is_namespace {
            object["status"]["phase"] = "Terminating".into();
        }
        if object == before {
            Next::Unchanged
        } else {
            Next::Waiting(object)
        }
    }
}

/// What a delete makes of an object.
enum Next {
    Gone(Value),
    /// Marked as being deleted, until its finalizers are gone.
    Waiting(Value),
    Unchanged,
}

fn check_preconditions(
    call: &Call,
    name: &str,
    options: &Options,
    current: &Object,
) -> Result<(), Failure> {
    let Some(preconditions) = &options.preconditions else {
        return Ok(());
    };
    let revision = current.revision.to_string();
    let checks = [
        ("UID", preconditions.uid.as_deref(), &*current.uid),
        (
            "ResourceVersion",
            preconditions.resource_version.as_deref(),
            revision.as_str(),
        ),
    ];
    for (what, asked, found) in checks {
        if asked.is_some_and(|it| it != found) {
            let asked = asked.unwrap_or_default();
            let why = format!(
                "the {what} in the precondition ({asked}) does not match the {what} in record ({found}). The object might have been deleted and then recreated"
            );
            return Err(Failure::conflict(&call.subject(name), &why));
        }
    }
    Ok(())
}

fn success(call: &Call, object: &Arc<Object>) -> Answer {
    let mut details =
        json!({"name": object.key.name(), "kind": call.kind.plural, "uid": object.uid});
    if !call.kind.group.is_empty() {
        details["group"] = call.kind.group.as_str().into();
    }
    Answer::value(json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details,
    }))
}
