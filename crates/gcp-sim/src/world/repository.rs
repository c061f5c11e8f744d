//! Artifact Registry repositories, and the images that a file asks to have in them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::policy::Policy;
use crate::registry::Generate;

/// A repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Repository {
    pub name: String,
    /// A region or one of `us`, `europe`, `asia`.
    pub location: String,
    pub format: String,
    pub mode: String,
    pub immutable_tags: bool,
    #[serde(rename = "bindings")]
    pub policy: Policy,
    /// More fields of the REST answer: `cleanupPolicies`, `remoteRepositoryConfig`.
    pub settings: Map<String, Value>,
    pub images: Vec<SeedImage>,
    /// An OCI registry that holds the content instead of the simulator: `http://127.0.0.1:5000/prefix`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend: Option<String>,
}

impl Default for Repository {
    fn default() -> Self {
        Self {
            name: String::new(),
            location: String::new(),
            format: "DOCKER".to_owned(),
            mode: "STANDARD_REPOSITORY".to_owned(),
            immutable_tags: false,
            policy: Policy::default(),
            settings: Map::new(),
            images: Vec::new(),
            backend: None,
        }
    }
}

/// An image that exists from the start, with generated content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SeedImage {
    /// The path below the repository: `web` or `team/web`.
    pub name: String,
    pub tags: Vec<String>,
    /// When the image's configuration says it was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub built: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploaded: Option<Timestamp>,
    /// `linux/amd64`; more than one makes an index.
    pub platforms: Vec<String>,
    /// More tags than anybody would write down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generate: Option<Generate>,
}
