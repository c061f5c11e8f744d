//! Health: how what a Stage deployed is doing.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::wire::{is_empty, word, words};

/// How what a Stage deployed is doing, and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Health {
    #[serde(deserialize_with = "word", skip_serializing_if = "is_empty")]
    pub status: Option<HealthState>,
    #[serde(skip_serializing_if = "is_empty")]
    pub issues: Vec<String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub config: Option<Value>,
    #[serde(skip_serializing_if = "is_empty")]
    pub output: Option<Value>,
}

words! {
    /// One word for how it is doing; a later word here is worse.
    HealthState { Healthy, NotApplicable, Progressing, Unknown, Unhealthy }
}

impl HealthState {
    /// The worse of two states.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        if other.severity() > self.severity() {
            other
        } else {
            self
        }
    }

    /// Orders states; a word we do not know counts as [`HealthState::Unknown`].
    fn severity(&self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::NotApplicable => 1,
            Self::Progressing => 2,
            Self::Unknown | Self::Other(_) => 3,
            Self::Unhealthy => 4,
        }
    }
}
