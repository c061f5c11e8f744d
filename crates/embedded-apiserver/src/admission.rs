//! Admission in process: hooks that may change an object before it is stored, and hooks that may refuse it.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use http::StatusCode;
use kube::core::admission::{AdmissionRequest, AdmissionResponse, Operation};
use kube::core::{DynamicObject, GroupVersionKind, GroupVersionResource};
use serde::Deserialize;
use serde_json::Value;

use crate::api::Api;
use crate::failure::{Failure, FieldCause};
use crate::verbs::{Call, metadata};

/// Answers one admission question.
pub type ReviewFn =
    dyn Fn(AdmissionRequest<DynamicObject>) -> BoxFuture<'static, AdmissionResponse> + Send + Sync;

/// A hook: which requests it sees, and what it says to them.
#[derive(Clone)]
pub struct AdmissionHook {
    /// Names the hook in refusals.
    pub name: String,
    pub group: String,
    /// Plurals, `plural/subresource`, or `*` for every resource of the group (without subresources).
    pub resources: Vec<String>,
    pub operations: Vec<Operation>,
    /// Whether the hook's patch is applied; all mutating hooks come before the schema, all others after it.
    pub mutating: bool,
    pub review: Arc<ReviewFn>,
}

impl std::fmt::Debug for AdmissionHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdmissionHook")
            .field("name", &self.name)
            .field("group", &self.group)
            .field("resources", &self.resources)
            .field("operations", &self.operations)
            .field("mutating", &self.mutating)
            .finish_non_exhaustive()
    }
}

impl AdmissionHook {
    fn wants(&self, call: &Call, operation: &Operation) -> bool {
        let wanted = |resource: &String| match call.subresource() {
            None => resource == "*" || *resource == call.kind.plural,
            Some(subresource) => resource
                .split_once('/')
                .is_some_and(|(plural, it)| plural == call.kind.plural && it == subresource),
        };
        self.group == call.kind.group
            && self.operations.contains(operation)
            && self.resources.iter().any(wanted)
    }
}

/// What is to happen: the object as it would be, and as it is.
#[derive(Debug, Clone)]
pub(crate) struct Review {
    pub(crate) operation: Operation,
    pub(crate) object: Option<Value>,
    pub(crate) old: Option<Value>,
    pub(crate) dry_run: bool,
}

impl Api {
    /// Lets every mutating hook change the object, one after the other.
    pub(crate) async fn mutate(&self, call: &Call, mut review: Review) -> Result<Value, Failure> {
        for hook in self.hooks(call, &review, true) {
            let response = ask(&hook, call, &review).await?;
            if let (Some(patch), Some(object)) = (&response.patch, &mut review.object) {
                let failed = |why: &dyn std::fmt::Display| {
                    tracing::error!(hook = hook.name, %why, "an admission hook answered with a bad patch");
                    Failure::internal(format!(
                        "admission hook {:?} answered with a bad patch",
                        hook.name
                    ))
                };
                let patch: json_patch::Patch =
                    serde_json::from_slice(patch).map_err(|why| failed(&why))?;
                json_patch::patch(object, &patch).map_err(|why| failed(&why))?;
            }
        }
        Ok(review.object.unwrap_or_default())
    }

    /// Asks every hook that only allows or refuses.
    pub(crate) async fn validate(&self, call: &Call, review: Review) -> Result<(), Failure> {
        for hook in self.hooks(call, &review, false) {
            ask(&hook, call, &review).await?;
        }
        Ok(())
    }

    fn hooks(&self, call: &Call, review: &Review, mutating: bool) -> Vec<AdmissionHook> {
        let hooks = self.admission.read();
        let wanted =
            |it: &&AdmissionHook| it.mutating == mutating && it.wants(call, &review.operation);
        hooks.iter().filter(wanted).cloned().collect()
    }
}

/// Asks one hook; a hook that panics has refused.
async fn ask(
    hook: &AdmissionHook,
    call: &Call,
    review: &Review,
) -> Result<AdmissionResponse, Failure> {
    let request = request(call, review)?;
    let answer = std::panic::AssertUnwindSafe(async { (hook.review)(request).await });
    let answer = answer.catch_unwind().await;
    let Ok(response) = answer else {
        return Err(Failure::internal(format!(
            "admission hook {:?} failed",
            hook.name
        )));
    };
    for warning in response.warnings.iter().flatten() {
        call.warn(warning.as_str());
    }
    if response.allowed {
        return Ok(response);
    }
    let status = &response.result;
    let message = if status.message.is_empty() {
        "no reason was given"
    } else {
        status.message.as_str()
    };
    let why = format!(
        "admission webhook {:?} denied the request: {message}",
        hook.name
    );
    let reason = match (status.reason.as_str(), status.code) {
        ("Invalid", _) | (_, 422) => "Invalid",
        ("BadRequest", _) | (_, 400) => "BadRequest",
        ("NotFound", _) | (_, 404) => "NotFound",
        ("Conflict", _) | (_, 409) => "Conflict",
        ("InternalError", _) | (_, 500) => "InternalError",
        _ => "Forbidden",
    };
    let code = match reason {
        "Invalid" => StatusCode::UNPROCESSABLE_ENTITY,
        "BadRequest" => StatusCode::BAD_REQUEST,
        "NotFound" => StatusCode::NOT_FOUND,
        "Conflict" => StatusCode::CONFLICT,
        "InternalError" => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::FORBIDDEN,
    };
    let causes = status.details.iter().flat_map(|it| &it.causes);
    let causes: Vec<FieldCause> = causes
        .map(|it| FieldCause::new(&it.reason, &it.field, it.message.as_str()))
        .collect();
    if causes.is_empty() {
        return Err(Failure::new(code, reason, why));
    }
    let named = review.object.as_ref().or(review.old.as_ref());
    let name = named.map_or("", |it| metadata::text(it, "name"));
    let failure = Failure::new(code, reason, why);
    Err(failure
        .with_subject(&call.kind_subject(name))
        .with_causes(&causes))
}

fn request(call: &Call, review: &Review) -> Result<AdmissionRequest<DynamicObject>, Failure> {
    let read = |value: &Option<Value>| value.as_ref().map(DynamicObject::deserialize).transpose();
    let wrong = |error: serde_json::Error| {
        Failure::bad_request(format!("the object's metadata is malformed: {error}"))
    };
    let kind = GroupVersionKind::gvk(&call.kind.group, &call.kind.version, &call.kind.kind);
    let resource =
        GroupVersionResource::gvr(&call.kind.group, &call.kind.version, &call.kind.plural);
    let named = review.object.as_ref().or(review.old.as_ref());
    let name = named
        .map(|it| metadata::text(it, "name"))
        .unwrap_or_default();
    Ok(AdmissionRequest {
        types: kube::core::TypeMeta::default(),
        uid: uuid::Uuid::new_v4().to_string(),
        kind: kind.clone(),
        resource: resource.clone(),
        sub_resource: call.target.subresource.clone(),
        request_kind: Some(kind),
        request_resource: Some(resource),
        request_sub_resource: call.target.subresource.clone(),
        name: name.to_owned(),
        namespace: call.target.namespace.clone(),
        operation: review.operation.clone(),
        user_info: call.user.clone(),
        object: read(&review.object).map_err(wrong)?,
        old_object: read(&review.old).map_err(wrong)?,
        dry_run: review.dry_run,
        options: None,
    })
}
