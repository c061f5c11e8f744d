//! Workload identity pools that a project made for clusters elsewhere.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cel::Expression;

/// A pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct WorkloadPool {
    pub id: String,
    pub disabled: bool,
    pub providers: Vec<PoolProvider>,
}

/// An issuer of `OpenID` Connect that a pool trusts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct PoolProvider {
    pub id: String,
    pub disabled: bool,
    pub issuer: String,
    /// Which `aud` a token may have; the provider's own URL where the list is empty.
    pub allowed_audiences: Vec<String>,
    /// `google.subject` and `attribute.…`, each from claims: `assertion.sub`, `assertion['kubernetes.io']['namespace']`.
    pub attribute_mapping: BTreeMap<String, Expression>,
    /// What must hold of a token: `assertion['kubernetes.io']['namespace'] == 'argosy'`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute_condition: Option<Expression>,
    /// The issuer's public keys, uploaded; else they are fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<Value>,
    /// Where the keys are fetched from, on loopback; the issuer's discovery document where it is left out. An issuer
    /// elsewhere may stand here, and is not asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
}
