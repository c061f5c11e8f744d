//! Verification: what is checked after a promotion, and what came of it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde::{Deserialize, Serialize};

use crate::wire::{is_empty, word, words};

/// What is checked after a promotion.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Verification {
    #[serde(skip_serializing_if = "is_empty")]
    pub analysis_templates: Vec<AnalysisTemplateReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub analysis_run_metadata: Option<AnalysisRunMetadata>,
    #[serde(skip_serializing_if = "is_empty")]
    pub args: Vec<AnalysisRunArgument>,
}

/// Names an Argo Rollouts template.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisTemplateReference {
    pub name: String,
    /// Absent means `AnalysisTemplate`.
    #[serde(skip_serializing_if = "is_empty")]
    pub kind: Option<AnalysisTemplateKind>,
}

/// Where a template lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AnalysisTemplateKind {
    AnalysisTemplate,
    ClusterAnalysisTemplate,
}

/// Labels and annotations for the `AnalysisRun`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisRunMetadata {
    #[serde(skip_serializing_if = "is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// An argument for the templates; the value may hold expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisRunArgument {
    pub name: String,
    pub value: String,
}

/// One verification of a Freight collection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VerificationRecord {
    #[serde(skip_serializing_if = "is_empty")]
    pub id: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub actor: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub start_time: Option<Time>,
    #[serde(deserialize_with = "word", skip_serializing_if = "is_empty")]
    pub phase: Option<VerificationPhase>,
    #[serde(skip_serializing_if = "is_empty")]
    pub message: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub analysis_run: Option<AnalysisRunReference>,
    #[serde(skip_serializing_if = "is_empty")]
    pub finish_time: Option<Time>,
}

/// Names an `AnalysisRun` and says how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AnalysisRunReference {
    pub namespace: String,
    pub name: String,
    pub phase: String,
}

words! {
    /// How far a verification is.
    VerificationPhase { Pending, Running, Successful, Failed, Error, Aborted, Inconclusive }
}

impl VerificationPhase {
    /// Says whether nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        match self {
            Self::Successful | Self::Failed | Self::Error | Self::Aborted | Self::Inconclusive => {
                true
            }
            Self::Pending | Self::Running | Self::Other(_) => false,
        }
    }
}

impl VerificationRecord {
    /// Says whether nothing more will happen.
    pub fn is_terminal(&self) -> bool {
        self.phase
            .as_ref()
            .is_some_and(VerificationPhase::is_terminal)
    }

    /// Says whether all checks passed.
    pub fn is_successful(&self) -> bool {
        self.phase == Some(VerificationPhase::Successful)
    }
}
