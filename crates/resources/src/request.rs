//! What annotations ask for: verify again, stop.

use serde::{Deserialize, Serialize};

use crate::wire::is_empty;

/// Asks a Stage to verify again, or to stop verifying: the value of the annotations `reverify` and `abort` of a Stage.
///
/// Written as JSON; a text that is no JSON object is the id alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VerificationRequest {
    /// Id of the verification meant.
    #[serde(skip_serializing_if = "is_empty")]
    pub id: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub actor: String,
    /// The control plane asked by itself.
    #[serde(skip_serializing_if = "is_empty")]
    pub control_plane: bool,
}

/// Asks a Promotion to stop: the value of its annotation `abort`, `terminate` alone or as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AbortRequest {
    #[serde(skip_serializing_if = "is_empty")]
    pub action: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub actor: String,
    /// The control plane asked by itself.
    #[serde(skip_serializing_if = "is_empty")]
    pub control_plane: bool,
}

/// The action of an [`AbortRequest`] that stops a Promotion; there is no other.
pub const TERMINATE: &str = "terminate";

impl VerificationRequest {
    /// Parses the value of an annotation; `None` where it names no verification.
    pub fn parse(annotation: &str) -> Option<Self> {
        let request = serde_json::from_str(annotation).unwrap_or_else(|_| Self {
            id: annotation.to_owned(),
            ..Self::default()
        });
        (!request.id.is_empty()).then_some(request)
    }

    /// Says whether the request means the verification of this id.
    pub fn is_for(&self, id: &str) -> bool {
        self.id == id
    }
}

impl AbortRequest {
    /// Parses the value of an annotation; `None` where it names no action.
    pub fn parse(annotation: &str) -> Option<Self> {
        let request = serde_json::from_str(annotation).unwrap_or_else(|_| Self {
            action: annotation.to_owned(),
            ..Self::default()
        });
        (!request.action.is_empty()).then_some(request)
    }

    /// Says whether the Promotion is to stop.
    pub fn is_terminate(&self) -> bool {
        self.action == TERMINATE
    }
}

impl std::fmt::Display for VerificationRequest {
    /// Writes the value of the annotation, as JSON.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}

impl std::fmt::Display for AbortRequest {
    /// Writes the value of the annotation, as JSON.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| std::fmt::Error)?)
    }
}
