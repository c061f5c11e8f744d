//! What stands above projects, and the deny rules that may be attached to each.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{CustomConstraint, OrgPolicy};
use crate::policy::Policy;
use crate::roles::CustomRole;

/// An organization.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Organization {
    /// The number in `organizations/123`.
    pub number: String,
    /// The domain: `acme.example`.
    pub display_name: String,
    /// The customer id that domain restriction speaks of: `C0abc123`.
    pub customer: String,
    #[serde(rename = "bindings")]
    pub policy: Policy,
    pub deny: Vec<DenyRule>,
    pub org_policies: BTreeMap<String, OrgPolicy>,
    pub custom_constraints: Vec<CustomConstraint>,
    pub roles: Vec<CustomRole>,
}

/// A folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Folder {
    /// The number in `folders/123`.
    pub number: String,
    pub display_name: String,
    /// `folders/100` or `organizations/1`.
    pub parent: String,
    #[serde(rename = "bindings")]
    pub policy: Policy,
    pub deny: Vec<DenyRule>,
    pub org_policies: BTreeMap<String, OrgPolicy>,
}

/// A rule of a deny policy, in the spelling of IAM v2.
///
/// Source: <https://cloud.google.com/iam/docs/deny-overview>
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DenyRule {
    pub denied_principals: Vec<String>,
    pub exception_principals: Vec<String>,
    /// `iam.googleapis.com/serviceAccounts.getAccessToken`.
    pub denied_permissions: BTreeSet<String>,
}
