//! Organization policies, in the shape of the Org Policy API, version 2.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What one node of the hierarchy says about one constraint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OrgPolicy {
    pub rules: Vec<OrgPolicyRule>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub inherit_from_parent: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reset: bool,
    #[serde(skip)]
    pub revision: u64,
}

/// One rule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct OrgPolicyRule {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enforce: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_all: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deny_all: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<ListValues>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Value>,
}

/// A constraint that an organization wrote itself. It is kept and shown; nothing here enforces it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CustomConstraint {
    /// `custom.nodePoolsUseTheMetadataServer`, or with `organizations/1/customConstraints/` before it.
    pub name: String,
    pub resource_types: Vec<String>,
    pub method_types: Vec<String>,
    pub condition: String,
    pub action_type: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_time: Option<String>,
}

/// What a list constraint allows and denies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ListValues {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_values: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub denied_values: Vec<String>,
}

impl OrgPolicy {
    /// The etag that a writer sends back.
    pub fn etag(&self) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(self.revision.to_be_bytes())
    }
}
