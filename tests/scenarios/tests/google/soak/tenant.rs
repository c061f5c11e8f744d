//! One Project of a soak: what it has at Google and in the cluster, what it had, and who may act for it.

use credentials::Outcome;
use credentials::google::{ACCOUNT, Fallback};
use jiff::{SignedDuration, Timestamp};
use testkit::google::{account_of, controller, member};

/// So long at most an answer of Google's is believed.
const ABSENT_FOR: SignedDuration = SignedDuration::from_mins(5);
const FORBIDDEN_FOR: SignedDuration = SignedDuration::from_mins(2);

/// What Google has for a Project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Account {
    Absent,
    Forbidden,
    Usable,
}

/// A Project, and what is true of it.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) account: Account,
    /// What the account was before, and until when.
    pub(crate) before: Vec<(Account, Timestamp)>,
    pub(crate) has_kubernetes_account: bool,
    pub(crate) annotation: Fallback,
    pub(crate) is_labelled: bool,
}

impl Tenant {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            account: Account::Absent,
            before: Vec::new(),
            has_kubernetes_account: false,
            annotation: Fallback::Allow,
            is_labelled: true,
        }
    }

    /// Says whether a member of policies may ask for the Project's repository now.
    pub(crate) fn may_ask(&self, who: &str, now: Timestamp) -> bool {
        let own = format!("serviceAccount:{}", account_of(&self.name));
        if who == own || who == member(&self.name, ACCOUNT) {
            return self.is_labelled;
        }
        who == controller() && self.is_labelled && self.controller_may_ask(now)
    }

    /// The controller may, where there was a lack that is still believed, and the policy of now lets it.
    fn controller_may_ask(&self, now: Timestamp) -> bool {
        let absent = self.was(Account::Absent, now - ABSENT_FOR);
        let forbidden = self.was(Account::Forbidden, now - FORBIDDEN_FOR);
        let lets = match self.annotation {
            Fallback::Allow => absent || forbidden,
            Fallback::IfAbsent => absent,
            Fallback::Deny => false,
        };
        lets && !self.has_kubernetes_account
    }

    fn was(&self, account: Account, since: Timestamp) -> bool {
        let mut before = self.before.iter();
        self.account == account || before.any(|(it, until)| *it == account && *until >= since)
    }

    /// Who acts once all is calm and everything that was remembered is forgotten.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.account, self.annotation) {
            _ if !self.is_labelled => Outcome::Refused,
            (Account::Usable, _) => Outcome::OwnServiceAccount,
            _ if self.has_kubernetes_account => Outcome::OwnKubernetesAccount,
            (_, Fallback::Allow) | (Account::Absent, Fallback::IfAbsent) => Outcome::Controller,
            _ => Outcome::Refused,
        }
    }
}
