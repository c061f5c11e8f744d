//! Pub/Sub topics and subscriptions, in the shape of the API. Messages are not part of a world.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::policy::Policy;

/// A topic. One that is called `gcr` hears of every push to the project's repositories.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Topic {
    /// The last part of the name.
    pub name: String,
    #[serde(rename = "bindings")]
    pub policy: Policy,
    /// More fields of the answer: `labels`.
    pub settings: Map<String, Value>,
}

/// A subscription: messages of one topic, until somebody acknowledges them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Subscription {
    /// The last part of the name.
    pub name: String,
    /// `projects/acme/topics/gcr`; in a file `gcr` is enough for a topic of the same project.
    pub topic: String,
    /// How long a message that was given out is left to whoever got it; 10 to 600.
    pub ack_deadline_seconds: u32,
    /// Where messages are sent; they wait to be pulled where it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub push_config: Option<PushConfig>,
    #[serde(rename = "bindings")]
    pub policy: Policy,
    /// More fields of the answer: `labels`, `messageRetentionDuration`.
    pub settings: Map<String, Value>,
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            name: String::new(),
            topic: String::new(),
            ack_deadline_seconds: 10,
            push_config: None,
            policy: Policy::default(),
            settings: Map::new(),
        }
    }
}

/// Where and how messages are sent.
///
/// Source: <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions#PushConfig>
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PushConfig {
    /// On loopback, or nothing is sent.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub push_endpoint: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc_token: Option<OidcToken>,
    /// The message in JSON, which is the default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pubsub_wrapper: Option<Map<String, Value>>,
    /// The data of the message as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_wrapper: Option<NoWrapper>,
}

/// In whose name messages are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OidcToken {
    pub service_account_email: String,
    /// The endpoint where it is left out.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub audience: String,
}

/// How a message is sent without a wrapper.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NoWrapper {
    /// Whether headers tell what the wrapper would have told.
    pub write_metadata: bool,
}
