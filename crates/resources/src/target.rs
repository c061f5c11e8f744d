//! Target: one of many places a Stage promotes to.

use std::collections::BTreeMap;

use kube_core::ObjectMeta;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::kind::object;
use crate::wire::is_empty;

/// One of many places a Stage promotes to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", rename_all = "camelCase", default)]
pub struct Target {
    pub metadata: ObjectMeta,
    pub spec: TargetSpec,
    #[serde(skip_serializing_if = "is_empty")]
    pub status: Option<TargetStatus>,
}

object!(Target, "targets", NamespaceResourceScope);

/// What is particular about a Target.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TargetSpec {
    /// What expressions see as `target.params`.
    #[serde(skip_serializing_if = "is_empty")]
    pub params: BTreeMap<String, Value>,
}

/// Nothing yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetStatus {}
