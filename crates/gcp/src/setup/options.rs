//! What a plan should cover, by the choice of whoever asks for it.

use super::{BASELINE, Baseline, HARDENING};
use crate::policy::{OPEN_MINTER, TIGHT_MINTER};
use crate::principal::ProjectId;

/// What the plan should cover beyond accounts and their roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    pub minter: Minter,
    pub readers: Readers,
    pub enable_workload_identity: bool,
    pub organisation_policies: Policies,
    /// Has calls for tokens leave a line in the audit log, which Google charges for.
    pub audit_logs: bool,
}

/// Which organisation policies are set on the controller's project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policies {
    #[default]
    AsTheyAre,
    /// What keeps identities narrow.
    Baseline,
    /// That, and what makes clusters and buckets harder to take.
    All,
}

impl Policies {
    pub(super) fn wanted(self) -> impl Iterator<Item = &'static Baseline> {
        let (baseline, hardening) = match self {
            Self::AsTheyAre => (&[][..], &[][..]),
            Self::Baseline => (BASELINE, &[][..]),
            Self::All => (BASELINE, HARDENING),
        };
        baseline.iter().chain(hardening)
    }
}

/// Who reads repositories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Readers {
    /// Each Project its own.
    #[default]
    Projects,
    /// The controller too, in place of whatever Project has nobody to act as: for development.
    ControllerToo,
}

/// What the role is called in a project that carries `iam.serviceAccounts.getAccessToken` and nothing else.
pub const MINTER_ROLE: &str = "kargoGsaTokenMinter";

/// What it is called in the console.
pub const MINTER_TITLE: &str = "Kargo service account token minter";

/// Spells the full name of that role.
pub fn minter_role(project: &ProjectId) -> String {
    format!("projects/{project}/roles/{MINTER_ROLE}")
}

/// The role by which the controller acts as a Project's account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Minter {
    /// Acts, and nothing else.
    #[default]
    WorkloadIdentityUser,
    /// What upstream documents; also lets the controller sign as the account.
    TokenCreator,
    /// Not even tells who the account is; the role is made where it is missing.
    CustomRole,
}

impl Minter {
    /// Names the role in the project of the accounts.
    pub fn role(self, project: &ProjectId) -> String {
        match self {
            Self::WorkloadIdentityUser => TIGHT_MINTER.to_owned(),
            Self::TokenCreator => OPEN_MINTER.to_owned(),
            Self::CustomRole => minter_role(project),
        }
    }
}
