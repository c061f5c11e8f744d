//! Webhook receivers: who may tell us that a repository changed.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::{Deserialize, Serialize};

use crate::config::SecretReference;
use crate::wire::is_empty;

/// One receiver: a name and one block that says who calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookReceiver {
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub artifactory: Option<ArtifactoryReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub azure: Option<SecretReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub bitbucket: Option<SecretReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub dockerhub: Option<SecretReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub generic: Option<GenericReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub gitea: Option<SecretReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub github: Option<SecretReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub gitlab: Option<SecretReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub harbor: Option<SecretReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub quay: Option<SecretReceiver>,
}

/// A caller known by a Secret and nothing more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretReceiver {
    pub secret_ref: SecretReference,
}

/// `JFrog` Artifactory.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ArtifactoryReceiver {
    pub secret_ref: SecretReference,
    /// Virtual repository to take for the local one that the call names.
    #[serde(skip_serializing_if = "is_empty")]
    pub virtual_repo_name: String,
}

/// Any caller, with what to do told by expressions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GenericReceiver {
    pub secret_ref: SecretReference,
    #[serde(skip_serializing_if = "is_empty")]
    pub actions: Vec<GenericAction>,
}

/// What a call does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GenericAction {
    pub action: ActionKind,
    /// An expression over the request; the action is left out where it is false.
    #[serde(skip_serializing_if = "is_empty")]
    pub when_expression: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub parameters: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub target_selection_criteria: Vec<TargetSelection>,
}

/// What can be done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ActionKind {
    #[default]
    Refresh,
}

/// Which objects an action is done to: those that pass every criterion.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetSelection {
    pub kind: SelectedKind,
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub label_selector: LabelSelector,
    #[serde(skip_serializing_if = "is_empty")]
    pub index_selector: IndexSelector,
}

/// Kinds an action can be done to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectedKind {
    #[default]
    Warehouse,
}

/// Selects by what objects are indexed by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexSelector {
    #[serde(skip_serializing_if = "is_empty")]
    pub match_indices: Vec<IndexRequirement>,
}

/// One demand on an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IndexRequirement {
    pub key: IndexKey,
    /// `Equals` or `NotEquals`; the schema does not check it.
    pub operator: String,
    /// A value, which may hold expressions.
    pub value: String,
}

/// What can be selected by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum IndexKey {
    #[default]
    #[serde(rename = "subscribedURLs")]
    SubscribedUrls,
    #[serde(rename = "receiverPaths")]
    ReceiverPaths,
}

/// Where a receiver is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ReceiverStatus {
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub path: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub url: String,
}

impl WebhookReceiver {
    /// The names of the blocks that are set: one, in a valid receiver.
    pub fn kinds(&self) -> Vec<&'static str> {
        let Self {
            name: _,
            artifactory,
            azure,
            bitbucket,
            dockerhub,
            generic,
            gitea,
            github,
            gitlab,
            harbor,
            quay,
        } = self;
        let blocks = [
            ("artifactory", artifactory.is_some()),
            ("azure", azure.is_some()),
            ("bitbucket", bitbucket.is_some()),
            ("dockerhub", dockerhub.is_some()),
            ("generic", generic.is_some()),
            ("gitea", gitea.is_some()),
            ("github", github.is_some()),
            ("gitlab", gitlab.is_some()),
            ("harbor", harbor.is_some()),
            ("quay", quay.is_some()),
        ];
        blocks
            .into_iter()
            .filter(|(_, is_set)| *is_set)
            .map(|(kind, _)| kind)
            .collect()
    }
}
