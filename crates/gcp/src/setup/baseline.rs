//! The organisation policies that keep identities as narrow as they were set up.

use serde::Serialize;

use super::Action;
use crate::facts::{Facts, Gap, OrganisationPolicy, Reading};
use crate::principal::ProjectId;

/// A constraint that ought to be set on the controller's project.
#[derive(Debug, Clone, Copy)]
pub struct Baseline {
    /// Without `constraints/`.
    pub constraint: &'static str,
    /// An older or newer constraint that does the same.
    pub or: Option<&'static str>,
    pub wish: Wish,
    /// What it prevents.
    pub prevents: &'static str,
}

/// How a constraint ought to be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wish {
    Enforce,
    DenyAll,
}

impl Wish {
    /// Says whether an effective policy is as wished.
    pub fn is_met_by(self, policy: &OrganisationPolicy) -> bool {
        match self {
            Self::Enforce => policy.is_enforced(),
            // A list of the issuers that an organisation chose is as good as none.
            Self::DenyAll => policy.denies_all() || policy.allowed_values().next().is_some(),
        }
    }
}

/// The constraints that keep identities, and what can take one, as narrow as they were set up.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints>
pub const BASELINE: &[Baseline] = &[
    enforced(
        "iam.managed.disableServiceAccountKeyCreation",
        "JSON keys of the accounts that Projects act as",
    )
    .or("iam.disableServiceAccountKeyCreation"),
    enforced(
        "iam.managed.disableServiceAccountKeyUpload",
        "keys that were made elsewhere",
    )
    .or("iam.disableServiceAccountKeyUpload"),
    enforced(
        "iam.managed.disableServiceAccountApiKeyCreation",
        "API keys that stand for an account",
    ),
    enforced(
        "iam.automaticIamGrantsForDefaultServiceAccounts",
        "nodes that are Editor of the whole project from the start",
    ),
    enforced(
        "iam.managed.preventPrivilegedBasicRolesForDefaultServiceAccounts",
        "nodes that are made Editor or Owner of the whole project later",
    ),
    denied(
        "iam.workloadIdentityPoolProviders",
        "identities from issuers nobody chose",
    )
    .or("iam.managed.workloadIdentityPoolProviders"),
    denied(
        "iam.workloadIdentityPoolAwsAccounts",
        "identities from accounts at AWS that nobody chose",
    )
    .or("iam.managed.workloadIdentityPoolAwsAccounts"),
    enforced(
        "iam.disableAuditLoggingExemption",
        "accounts that act without a line in the audit log",
    ),
    enforced(
        "container.managed.enableWorkloadIdentityFederation",
        "clusters whose Pods have the identity of their node",
    ),
    enforced(
        "container.managed.disallowDefaultComputeServiceAccount",
        "nodes that run as the account which everything else runs as",
    ),
];

/// The constraints that make a node or a bucket harder to take; who has a node has what its Pods have.
///
/// They reach everything in a project, cost money or downtime where it was built otherwise, and so are asked for by name.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/custom-org-policies-gke>
pub const HARDENING: &[Baseline] = &[
    enforced(
        "container.managed.enableShieldedNodes",
        "machines that pass for a node",
    ),
    enforced(
        "container.managed.enablePrivateNodes",
        "nodes with an address on the internet",
    ),
    enforced(
        "container.managed.enableNetworkPolicy",
        "clusters in which every Pod reaches every other",
    ),
    enforced(
        "container.managed.disableABAC",
        "clusters where attributes give rights beside RBAC",
    ),
    enforced(
        "container.managed.disableInsecureKubeletReadOnlyPort",
        "kubelets that answer whoever asks",
    ),
    enforced(
        "container.managed.disableRBACSystemBindings",
        "roles for everybody or for nobody in particular",
    ),
    enforced(
        "storage.publicAccessPrevention",
        "buckets that anybody reads",
    ),
    enforced(
        "storage.uniformBucketLevelAccess",
        "objects with rights of their own",
    ),
];

const fn enforced(constraint: &'static str, prevents: &'static str) -> Baseline {
    Baseline {
        constraint,
        or: None,
        wish: Wish::Enforce,
        prevents,
    }
}

const fn denied(constraint: &'static str, prevents: &'static str) -> Baseline {
    Baseline {
        constraint,
        or: None,
        wish: Wish::DenyAll,
        prevents,
    }
}

impl Baseline {
    const fn or(mut self, other: &'static str) -> Self {
        self.or = Some(other);
        self
    }

    /// Lists the constraint and the one that does the same.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.constraint).chain(self.or)
    }

    /// Sets it on a project.
    pub(crate) fn action(&self, project: &ProjectId) -> Action {
        Action::SetConstraint {
            project: project.clone(),
            constraint: self.constraint.to_owned(),
            wish: self.wish,
            is_set: None,
        }
    }
}

impl Facts {
    /// Says whether a constraint of the baseline is in force, by itself or by the one that does the same.
    pub fn baseline_met(&self, wanted: &Baseline) -> Result<bool, Gap> {
        let readings = wanted.names().filter_map(|it| self.organisation.get(it));
        let readings: Vec<_> = readings.collect();
        if readings.is_empty() {
            return Reading::<OrganisationPolicy>::default()
                .known()
                .map(|_| false);
        }
        let mut gap = None;
        for reading in readings {
            match reading.found() {
                Ok(Some(policy)) if wanted.wish.is_met_by(policy) => return Ok(true),
                Ok(_) => {}
                Err(found) => gap = gap.or(Some(found)),
            }
        }
        gap.map_or(Ok(false), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: &str) -> OrganisationPolicy {
        serde_json::from_str(json).expect("a policy")
    }

    #[test]
    fn a_list_of_chosen_issuers_is_as_good_as_none() {
        assert!(Wish::DenyAll.is_met_by(&policy(r#"{"spec":{"rules":[{"denyAll":true}]}}"#)));
        let chosen = r#"{"spec":{"rules":[{"values":{"allowedValues":["https://token.actions.githubusercontent.com"]}}]}}"#;
        assert!(Wish::DenyAll.is_met_by(&policy(chosen)));
        assert!(!Wish::DenyAll.is_met_by(&policy(r#"{"spec":{"rules":[{"allowAll":true}]}}"#)));
        assert!(!Wish::Enforce.is_met_by(&policy(r#"{"spec":{"rules":[{"enforce":false}]}}"#)));
    }
}
