//! Patches and server-side apply, by the media type of the body.

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::Api;
use crate::apply::{self, ApplyError};
use crate::failure::{Failure, FieldCause, Subject};
use crate::patch::{self, PatchError};
use crate::verbs::{Answer, Call, Tracking, metadata};

const ACCEPTED: &str =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

/// What builtin kinds accept: custom ones have no merge keys, so the third would not mean what its sender thinks.
const ACCEPTED_OF_BUILTIN: &str = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, \
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
        let patched = |old: &Value| match call.media_type.as_str() {
            "application/json-patch+json" => patch::json(old, bytes),
            "application/merge-patch+json" => patch::merge(old, bytes),
            _ => patch::strategic(old, bytes, &call.kind.shape),
        };
        match call.media_type.as_str() {
            "application/json-patch+json" | "application/merge-patch+json" => {}
            "application/strategic-merge-patch+json" if !call.kind.custom => {}
            _ if call.kind.custom => return Err(Failure::unsupported_media_type(ACCEPTED)),
            _ => return Err(Failure::unsupported_media_type(ACCEPTED_OF_BUILTIN)),
        }
        let next = |old: &Value| patched(old).map_err(refused);
        self.replace(call, Tracking::Update, next).await
    }

    /// Applies a configuration: the caller owns what it sets, and sets nothing that others own.
    async fn apply(&self, call: &Call, bytes: &[u8]) -> Result<Answer, Failure> {
        if call.query.field_manager.is_none() {
            return Err(bad_options(FieldCause::required(
                "fieldManager",
                "is required for apply patch",
            )));
        }
        let mut config = patch::parse_configuration(bytes).map_err(refused)?;
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
                Failure::new(StatusCode::CONFLICT, "Conflict", conflicts.to_string())
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

fn refused(error: PatchError) -> Failure {
    match error {
        PatchError::BadRequest(message) => Failure::bad_request(message),
        PatchError::Unprocessable(message) => {
            Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
        }
        PatchError::TooLarge(message) => Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            message,
        ),
    }
}
