//! Patches, by the media type of the body.

use serde_json::Value;

use crate::api::Api;
use crate::body;
use crate::failure::Failure;
use crate::verbs::{Answer, Call};

const ACCEPTED: &str = "application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml";

impl Api {
    pub(super) async fn patch(&self, call: &Call, bytes: &[u8]) -> Result<Answer, Failure> {
        match call.media_type.as_str() {
            "application/merge-patch+json" => {
                let patch = body::parse_json(bytes)?;
                self.replace(call, |old| merge(old, &patch)).await
            }
            _ => Err(Failure::unsupported_media_type(ACCEPTED)),
        }
    }
}

fn merge(old: &Value, patch: &Value) -> Result<Value, Failure> {
    if !patch.is_object() {
        return Err(Failure::bad_request("a merge patch is an object"));
    }
    let mut next = old.clone();
    json_patch::merge(&mut next, patch);
    Ok(next)
}
