//! The constraints that the chain of identities depends on, and what holds where nobody has written a policy.
//!
//! Source: <https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints>

use serde_json::{Value, json};

use crate::resource::ResourceName;
use crate::world::OrgPolicyRule;

/// What kind of rule a constraint takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Not enforced by default.
    Boolean,
    /// Everything allowed by default.
    ListAllowing,
    /// Nothing allowed by default.
    ListDenying,
}

const CONSTRAINTS: &[(&str, Kind)] = &[
    (
        "container.managed.disallowDefaultComputeServiceAccount",
        Kind::Boolean,
    ),
    ("container.managed.disableABAC", Kind::Boolean),
    (
        "container.managed.disableInsecureKubeletReadOnlyPort",
        Kind::Boolean,
    ),
    ("container.managed.disableRBACSystemBindings", Kind::Boolean),
    ("container.managed.enableNetworkPolicy", Kind::Boolean),
    ("container.managed.enablePrivateNodes", Kind::Boolean),
    ("container.managed.enableShieldedNodes", Kind::Boolean),
    (
        "container.managed.enableWorkloadIdentityFederation",
        Kind::Boolean,
    ),
    ("gcp.detailedAuditLoggingMode", Kind::Boolean),
    ("gcp.resourceLocations", Kind::ListAllowing),
    ("gcp.restrictServiceUsage", Kind::ListAllowing),
    (
        "iam.allowServiceAccountCredentialLifetimeExtension",
        Kind::ListDenying,
    ),
    ("iam.allowedPolicyMemberDomains", Kind::ListAllowing),
    (
        "iam.automaticIamGrantsForDefaultServiceAccounts",
        Kind::Boolean,
    ),
    ("iam.disableAuditLoggingExemption", Kind::Boolean),
    ("iam.disableCrossProjectServiceAccountUsage", Kind::Boolean),
    ("iam.disableServiceAccountCreation", Kind::Boolean),
    ("iam.disableServiceAccountKeyCreation", Kind::Boolean),
    ("iam.disableServiceAccountKeyUpload", Kind::Boolean),
    ("iam.disableWorkloadIdentityClusterCreation", Kind::Boolean),
    ("iam.managed.allowedPolicyMembers", Kind::Boolean),
    (
        "iam.managed.disableServiceAccountApiKeyCreation",
        Kind::Boolean,
    ),
    ("iam.managed.disableServiceAccountCreation", Kind::Boolean),
    (
        "iam.managed.disableServiceAccountKeyCreation",
        Kind::Boolean,
    ),
    ("iam.managed.disableServiceAccountKeyUpload", Kind::Boolean),
    (
        "iam.managed.preventPrivilegedBasicRolesForDefaultServiceAccounts",
        Kind::Boolean,
    ),
    ("iam.serviceAccountKeyExpiryHours", Kind::ListAllowing),
    ("iam.serviceAccountKeyExposureResponse", Kind::ListAllowing),
    ("iam.workloadIdentityPoolAwsAccounts", Kind::ListAllowing),
    ("iam.workloadIdentityPoolProviders", Kind::ListAllowing),
    ("storage.publicAccessPrevention", Kind::Boolean),
    ("storage.uniformBucketLevelAccess", Kind::Boolean),
];

/// Says whether a constraint takes lists of values.
pub(crate) fn is_list(constraint: &str) -> bool {
    let found = CONSTRAINTS.iter().find(|(name, _)| *name == constraint);
    found.is_some_and(|(_, kind)| *kind != Kind::Boolean)
}

/// The rule that holds where no policy says anything. Constraints that are not in the table count as booleans.
pub(super) fn default_rule(constraint: &str) -> OrgPolicyRule {
    let found = CONSTRAINTS.iter().find(|(name, _)| *name == constraint);
    match found.map_or(Kind::Boolean, |(_, kind)| *kind) {
        Kind::Boolean => OrgPolicyRule {
            enforce: Some(false),
            ..OrgPolicyRule::default()
        },
        Kind::ListAllowing => OrgPolicyRule {
            allow_all: Some(true),
            ..OrgPolicyRule::default()
        },
        Kind::ListDenying => OrgPolicyRule {
            deny_all: Some(true),
            ..OrgPolicyRule::default()
        },
    }
}

pub(super) fn list(node: &ResourceName) -> Value {
    let constraints: Vec<Value> = CONSTRAINTS
        .iter()
        .map(|(name, kind)| {
            let mut constraint = json!({
                "name": format!("{node}/constraints/{name}"),
                "constraintDefault": if *kind == Kind::ListDenying { "DENY" } else { "ALLOW" },
            });
            let shape = if *kind == Kind::Boolean {
                "booleanConstraint"
            } else {
                "listConstraint"
            };
            constraint[shape] = json!({});
            constraint
        })
        .collect();
    json!({ "constraints": constraints })
}
