//! What was seen of the account that a Project acts as.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{ImageAddress, Reading, RepositoryName, Source, UseFacts};
use crate::policy::Policy;
use crate::principal::ServiceAccountEmail;

/// Everything about one Project's identity.
#[derive(Debug, Clone, Default)]
pub struct ProjectFacts {
    pub account: Reading<ServiceAccount>,
    /// The account of the same name in a project of the Project's repositories, where it has none at home.
    pub misplaced: Option<ServiceAccountEmail>,
    /// The policy *on* the account: who may act as it.
    pub policy: Reading<Policy>,
    /// The result of asking for a short-lived token as the controller.
    pub mint: Reading<Mint>,
    /// Keys that people made.
    pub keys: Reading<Vec<AccountKey>>,
    /// What the account was granted elsewhere: in the policies that were read, and as far as could be searched.
    pub grants: Reading<Vec<FoundGrant>>,
    /// When the account was last seen in use; the inner `None` is never within the observed time.
    pub last_used: Reading<Option<Timestamp>>,
    /// Whether the Project's namespace has the Kubernetes account that may act for it.
    pub kubernetes_account: Reading<()>,
    /// What tells that account from an earlier one of the same name.
    pub kubernetes_uid: Reading<String>,
    /// The result of asking for a token of that account, where the service account is not to be had.
    pub kubernetes_token: Reading<Mint>,
    /// What the Project's annotation says of falling back; the inner `None` is that it has none.
    pub fallback: Reading<Option<String>>,
    /// Secrets of the Project's namespace that hold a JSON key.
    pub key_secrets: Reading<Vec<String>>,
    /// What whoever acts may do with each image the Project uses: of two images in one repository only one may be there.
    pub uses: BTreeMap<ImageAddress, UseFacts>,
    /// Which of the permissions asked about whoever acts has on each repository that only *other* Projects use.
    pub foreign_permissions: BTreeMap<RepositoryName, Reading<Vec<String>>>,
}

/// A service account, in the form of the IAM API.
///
/// Source: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceAccount {
    pub email: String,
    pub unique_id: String,
    pub disabled: bool,
}

/// A token that could be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mint {
    /// How long it lives, in seconds.
    pub seconds: u64,
}

/// A key of a service account, in the form of the IAM API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AccountKey {
    /// `projects/P/serviceAccounts/E/keys/ID`.
    pub name: String,
    pub disabled: bool,
    pub valid_after_time: Option<Timestamp>,
}

impl AccountKey {
    pub fn id(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or_default()
    }
}

/// A role that an account holds on some resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundGrant {
    /// A full resource name: `//artifactregistry.googleapis.com/projects/P/locations/L/repositories/R`.
    pub resource: String,
    pub role: String,
    /// The policy that was read, or the search.
    pub seen_at: Source,
}

/// A role that somebody in the controller's workload identity pool holds on some resource, as a search found it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolGrant {
    /// As it stands in the policy: one account in either spelling, or a set.
    pub member: String,
    pub found: FoundGrant,
}

/// How far roles of accounts and of the controller's pool were searched for, beyond the policies that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// The widest places that were searched: `organizations/7`.
    pub scope: String,
    /// Why what is outside of them was not, if there is anything.
    pub beyond: Option<String>,
}

impl FoundGrant {
    /// Finds the repository if the role is granted on one.
    pub fn repository(&self) -> Option<&str> {
        let name = self
            .resource
            .strip_prefix("//artifactregistry.googleapis.com/")?;
        name.contains("/repositories/").then_some(name)
    }
}
