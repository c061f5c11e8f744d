//! The Kubernetes account that a Project acts as where it has no service account that may be acted as.

use super::{Facts, Gap, ProjectFacts, Reason, Right, Seen, right};
use crate::principal::{KubernetesAccount, PROJECT_ACCOUNT, Principal};

impl Facts {
    /// Says who the Kubernetes account of a Project is in IAM, whether or not there is one.
    ///
    /// # Errors
    /// [`Gap`] if the controller's Google Cloud project is not known.
    pub fn kubernetes_principal(&self, project: &str) -> Result<Principal, Gap> {
        let account = KubernetesAccount::new(project, PROJECT_ACCOUNT);
        self.principal().map(|it| Principal { account, ..it })
    }

    /// Says which Kubernetes account a Project acts as, if it does: one that exists, where its service account does not
    /// exist or may not be acted as.
    pub fn kubernetes_account_of(&self, project: &str) -> Option<Principal> {
        self.acting_as(project).ok()?
    }

    /// Says which Kubernetes account a Project acts as; none where its service account does, or would.
    ///
    /// # Errors
    /// [`Gap`] if it was not read whether there is such an account, or whether the controller may act as the service account
    /// where both are there, and it was not seen that the service account acts; or if one acts and it is not known who
    /// that is in IAM.
    pub(crate) fn acting_as(&self, project: &str) -> Result<Option<Principal>, Gap> {
        let seen = self.project(project);
        if let Some(gap) = self.undecided(project) {
            return Err(gap);
        }
        match seen.kubernetes_account.found() {
            Ok(Some(())) if self.acts_in_place(project, &seen)? => {
                self.kubernetes_principal(project).map(Some)
            }
            Ok(_) => Ok(None),
            Err(_) if self.acts_as(&seen) => Ok(None),
            Err(gap) => Err(gap),
        }
    }

    /// Says whether the Kubernetes account of a Project, which is there, acts in place of a service account.
    fn acts_in_place(&self, project: &str, seen: &ProjectFacts) -> Result<bool, Gap> {
        Ok(match self.account_of(project)? {
            Err(_) => true,
            Ok(_) => self.cannot_act_as(seen),
        })
    }

    /// Says why it is not known which of two accounts acts: both are there, nobody tried, and what grants the right to act as
    /// the service account was not all read.
    pub(crate) fn undecided(&self, project: &str) -> Option<Gap> {
        let seen = self.projects.get(project)?;
        seen.kubernetes_account.known().ok()?;
        seen.account.known().ok()?;
        if seen.mint.known().is_ok() || self.cannot_act_as(seen) {
            return None;
        }
        let gap = right(self, seen).err().filter(|it| !it.skipped)?;
        let why = format!(
            "whether {project} acts as its service account or as its Kubernetes account: {}",
            gap.why
        );
        Some(Gap { why, ..gap })
    }

    /// Says whether it was seen that the controller acts as a service account, or may.
    fn acts_as(&self, seen: &ProjectFacts) -> bool {
        let exists = seen.account.known().is_ok();
        let may = || {
            matches!(
                right(self, seen),
                Ok(Right::OnAccount { .. } | Right::Above { .. })
            )
        };
        seen.mint.known().is_ok() || exists && may()
    }

    /// Says whether it is certain that the controller does not act as a service account.
    fn cannot_act_as(&self, seen: &ProjectFacts) -> bool {
        match &seen.mint.seen {
            Seen::Known(_) => false,
            Seen::Absent => true,
            Seen::Denied(it) if it.reason == Reason::MissingPermission => true,
            Seen::Denied(_) | Seen::Unreachable { .. } | Seen::Skipped => {
                let is_absent = seen.account.seen == Seen::Absent;
                is_absent || right(self, seen) == Ok(Right::None)
            }
        }
    }
}
