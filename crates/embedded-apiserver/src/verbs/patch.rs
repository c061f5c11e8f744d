//! Patches and server-side apply, by the media type of the body.

use serde_json::{Value, json};

use crate::api::Api;
use crate::apply::{self, ApplyError};
use crate::body;
use crate::failure::{Failure, FieldCause, Subject};
use crate::verbs::{Answer, Call, Tracking, metadata};

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
                        application/apply-patch+yaml";

impl Api {
    pub(super) async fn patch(&self, call: &Call, bytes: &[u8]) -> Result<Answer, Failure> {
        if call.media_type == "application/apply-patch+yaml" {
            return self.apply(call, bytes).await;
        }
        if call.query.force.is_some() {
            return Err(bad_options(FieldCause::forbidden(
                "force",
                "may not be specified for non-apply patch",
            )));
        }
        match call.media_type.as_str() {
            "application/json-patch+json" => {
                let patch: json_patch::Patch = serde_json::from_slice(bytes).map_err(|error| {
                    Failure::bad_request(format!("error decoding patch: {error}"))
                })?;
                self.replace(call, Tracking::Update, |old| {
                    let mut next = old.clone();
                    json_patch::patch(&mut next, &patch).map_err(|error| {
                        let cause = FieldCause::new("FieldValueInvalid", "", error.to_string());
                        Failure::invalid(&call.kind_subject(call.name()), &[cause])
                    })?;
                    Ok(next)
                })
                .await
            }
            "application/merge-patch+json" => {
                let patch = body::parse_json(bytes)?;
                self.replace(call, Tracking::Update, |old| merge(old, &patch))
                    .await
            }
            _ => Err(Failure::unsupported_media_type(ACCEPTED)),
        }
    }

    /// Applies a configuration: the caller owns what it sets, and sets nothing that others own.
    async fn apply(&self, call: &Call, bytes: &[u8]) -> Result<Answer, Failure> {
        if call.query.field_manager.is_none() {
            return Err(bad_options(FieldCause::required(
                "fieldManager",
                "is required for apply patch",
            )));
        }
        let mut config = body::parse_yaml(bytes)?;
        metadata::check_identity(call, &mut config)?;
        let outcome = self
            .replace(call, Tracking::Applied, |old| {
                self.applied(call, old, &config)
            })
            .await;
        match outcome {
            Err(failure) if failure.reason() == "NotFound" && call.subresource().is_none() => {
                if !metadata::text(&config, "uid").is_empty() {
                    let why = "uid mismatch: the provided object specified a uid, and no existing object was found";
                    return Err(Failure::conflict(&call.subject(call.name()), why));
                }
                let nothing =
                    json!({"apiVersion": call.kind.api_version(), "kind": call.kind.kind});
                let object = self.applied(call, &nothing, &config)?;
                self.create_value(call, object, Tracking::Applied).await
            }
            outcome => outcome,
        }
    }

    fn applied(&self, call: &Call, live: &Value, config: &Value) -> Result<Value, Failure> {
        let force = call.query.force == Some(true);
        let api_version = call.kind.api_version();
        let author = self.author(call, &api_version);
        apply::apply(&call.kind.shape, live, config, &author, force).map_err(|error| match error {
            ApplyError::Conflicts(conflicts) => {
                let causes: Vec<FieldCause> = conflicts
                    .causes()
                    .into_iter()
                    .map(|(field, message)| {
                        FieldCause::new("FieldManagerConflict", &field, message)
                    })
                    .collect();
                Failure::new(
                    http::StatusCode::CONFLICT,
                    "Conflict",
                    conflicts.to_string(),
                )
                .with_causes(&causes)
            }
            ApplyError::BadRequest(message) => Failure::bad_request(message),
            ApplyError::Live(message) => Failure::internal(message),
        })
    }
}

fn bad_options(cause: FieldCause) -> Failure {
    let subject = Subject {
        group: "meta.k8s.io",
        resource: "PatchOptions",
        name: "",
    };
    Failure::invalid(&subject, &[cause])
}

fn merge(old: &Value, patch: &Value) -> Result<Value, Failure> {
    if !patch.is_object() {
        return Err(Failure::bad_request("a merge patch is an object"));
    }
    let mut next = old.clone();
    json_patch::merge(&mut next, patch);
    Ok(next)
}
