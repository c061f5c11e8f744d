//! `ProjectConfig` and `ClusterConfig`: promotion policies, webhook receivers, links.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, LabelSelector};
use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};

use crate::kind::object;
use crate::receiver::{ReceiverStatus, WebhookReceiver};
use crate::wire::{is_empty, words};

/// Settings of one project; has the name of its namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct ProjectConfig {
    pub metadata: ObjectMeta,
    pub spec: ProjectConfigSpec,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<ConfigStatus>,
}

object!(ProjectConfig, "projectconfigs", NamespaceResourceScope);

/// Settings of one project.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProjectConfigSpec {
    /// The first one that matches a Stage decides, also where it says no.
    #[serde(skip_serializing_if = "is_empty")]
    pub promotion_policies: Vec<PromotionPolicy>,
    #[serde(skip_serializing_if = "is_empty")]
    pub webhook_receivers: Vec<WebhookReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub freight_links: Vec<DeepLink>,
    #[serde(skip_serializing_if = "is_empty")]
    pub stage_links: Vec<DeepLink>,
    #[serde(skip_serializing_if = "is_empty")]
    pub promotion_windows: Vec<PromotionWindow>,
}

/// Settings of the whole installation; its name is `cluster`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct ClusterConfig {
    pub metadata: ObjectMeta,
    pub spec: ClusterConfigSpec,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<ConfigStatus>,
}

object!(ClusterConfig, "clusterconfigs", ClusterResourceScope);

/// The one name a [`ClusterConfig`] may have.
pub const CLUSTER_CONFIG_NAME: &str = "cluster";

/// Settings of the whole installation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClusterConfigSpec {
    #[serde(skip_serializing_if = "is_empty")]
    pub webhook_receivers: Vec<WebhookReceiver>,
    #[serde(skip_serializing_if = "is_empty")]
    pub git_client: Option<GitClient>,
    #[serde(skip_serializing_if = "is_empty")]
    pub freight_links: Vec<DeepLink>,
    #[serde(skip_serializing_if = "is_empty")]
    pub stage_links: Vec<DeepLink>,
    #[serde(skip_serializing_if = "is_empty")]
    pub promotion_windows: Vec<PromotionWindow>,
}

/// Whom commits are by.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GitClient {
    pub name: String,
    pub email: String,
    /// A Secret with the key to sign commits with.
    #[serde(skip_serializing_if = "is_empty")]
    pub signing_key_secret: Option<SecretReference>,
}

/// Names a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretReference {
    pub name: String,
}

/// What may happen by itself in the Stages it matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionPolicy {
    /// The older form of `stage_selector` with a name.
    #[serde(skip_serializing_if = "is_empty")]
    pub stage: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub stage_selector: Option<NameAndLabelSelector>,
    #[serde(skip_serializing_if = "is_empty")]
    pub auto_promotion_enabled: bool,
    #[serde(skip_serializing_if = "is_empty")]
    pub auto_rollback: Option<AutoRollback>,
}

/// Matches objects by name, by labels, or by both; empty, it matches everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NameAndLabelSelector {
    /// A name, or a pattern after `glob:`, `regex:` or `regexp:`.
    #[serde(skip_serializing_if = "is_empty")]
    pub name: String,
    #[serde(flatten)]
    pub labels: LabelSelector,
}

/// When to go back by itself; only the commercial edition of Kargo acts on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AutoRollback {
    #[serde(skip_serializing_if = "is_empty")]
    pub on_promotion: Vec<RollbackCause>,
    #[serde(skip_serializing_if = "is_empty")]
    pub on_verification: Vec<RollbackCause>,
}

words! {
    /// What makes a Stage go back: a promotion `Failed` or `Errored`, a verification `Failed` or ended in `Error`.
    RollbackCause { Failed, Errored, Error }
}

/// When Promotions may start; only the commercial edition of Kargo acts on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PromotionWindow {
    pub name: String,
    pub kind: WindowKind,
    #[serde(skip_serializing_if = "is_empty")]
    pub rrule: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub dtstart: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub dtend: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub stage_selector: Option<NameAndLabelSelector>,
    #[serde(skip_serializing_if = "is_empty")]
    pub project_selector: Option<NameAndLabelSelector>,
}

/// Whether Promotions start only within a window, or never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum WindowKind {
    #[default]
    Allow,
    Deny,
}

/// A link that a user interface shows; title, URL and description may hold expressions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DeepLink {
    pub title: String,
    pub url: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub description: String,
    /// An expression; the link is hidden where it is false.
    #[serde(rename = "if", skip_serializing_if = "is_empty")]
    pub condition: String,
}

/// What became of the settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfigStatus {
    #[serde(skip_serializing_if = "is_empty")]
    pub conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "is_empty")]
    pub observed_generation: i64,
    #[serde(skip_serializing_if = "is_empty")]
    pub last_handled_refresh: String,
    #[serde(skip_serializing_if = "is_empty")]
    pub webhook_receivers: Vec<ReceiverStatus>,
}
