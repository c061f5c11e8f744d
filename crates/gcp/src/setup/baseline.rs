//! The organisation policies that keep identities as narrow as they were set up.

use serde::Serialize;

use crate::facts::{Facts, Gap, OrganisationPolicy, Reading};

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

/// The constraints of the baseline.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/org-policy-constraints>
pub const BASELINE: &[Baseline] = &[
    Baseline {
        constraint: "iam.disableServiceAccountKeyCreation",
        or: Some("iam.managed.disableServiceAccountKeyCreation"),
        wish: Wish::Enforce,
        prevents: "JSON keys of the accounts that Projects act as",
    },
    Baseline {
        constraint: "iam.disableServiceAccountKeyUpload",
        or: Some("iam.managed.disableServiceAccountKeyUpload"),
        wish: Wish::Enforce,
        prevents: "keys that were made elsewhere",
    },
    Baseline {
        constraint: "iam.automaticIamGrantsForDefaultServiceAccounts",
        or: Some("iam.managed.preventPrivilegedBasicRolesForDefaultServiceAccounts"),
        wish: Wish::Enforce,
        prevents: "nodes that are Editor of the whole project",
    },
    Baseline {
        constraint: "iam.workloadIdentityPoolProviders",
        or: Some("iam.managed.workloadIdentityPoolProviders"),
        wish: Wish::DenyAll,
        prevents: "identities from issuers nobody chose",
    },
    Baseline {
        constraint: "iam.disableAuditLoggingExemption",
        or: None,
        wish: Wish::Enforce,
        prevents: "accounts that act without a line in the audit log",
    },
    Baseline {
        constraint: "container.managed.enableWorkloadIdentityFederation",
        or: None,
        wish: Wish::Enforce,
        prevents: "clusters whose Pods have the identity of their node",
    },
];

impl Facts {
    /// Says whether a constraint of the baseline is in force, by itself or by the one that does the same.
    pub fn baseline_met(&self, wanted: &Baseline) -> Result<bool, Gap> {
        let names = std::iter::once(wanted.constraint).chain(wanted.or);
        let readings: Vec<_> = names.filter_map(|it| self.organisation.get(it)).collect();
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
