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
    Disabled,
    Usable,
}

/// A Project, and what is true of it.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) account: Account,
    /// What Google may say of the account although it is not so, while a fault is in force.
    pub(crate) lies: Vec<Account>,
    /// What the account was before, or was said to be, and until when.
    pub(crate) before: Vec<(Account, Timestamp)>,
    /// When the controller was last let act as the account.
    pub(crate) granted: Option<Timestamp>,
    /// The account that was last deleted, by its unique id, and what it was then.
    pub(crate) deleted: Option<(String, Account)>,
    pub(crate) has_kubernetes_account: bool,
    pub(crate) annotation: Fallback,
    pub(crate) is_labelled: bool,
    /// Whether it was last seen that the account is not to be had, and no token of it since.
    is_known_to_lack: bool,
}

impl Tenant {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            account: Account::Absent,
            lies: Vec::new(),
            before: Vec::new(),
            granted: None,
            deleted: None,
            has_kubernetes_account: false,
            annotation: Fallback::Allow,
            is_labelled: true,
            is_known_to_lack: false,
        }
    }

    /// Changes the account at a time.
    pub(crate) fn becomes(&mut self, account: Account, now: Timestamp) {
        self.before.push((self.account, now));
        self.account = account;
    }

    /// Takes faults away that made Google lie about the account.
    pub(crate) fn hears_the_truth(&mut self, now: Timestamp) {
        let lies = std::mem::take(&mut self.lies);
        self.before.extend(lies.into_iter().map(|it| (it, now)));
    }

    /// Notes what a look came to: whoever acted in the account's place was told that it is not to be had.
    pub(crate) fn saw(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::OwnServiceAccount => self.is_known_to_lack = false,
            Outcome::OwnKubernetesAccount | Outcome::Controller => self.is_known_to_lack = true,
            Outcome::Refused if self.is_labelled => self.is_known_to_lack = true,
            Outcome::Refused
            | Outcome::Unavailable
            | Outcome::ServiceAccountKey
            | Outcome::UnusableKey => {}
        }
    }

    /// Says whether a member of policies may ask for the Project's repository now.
    pub(crate) fn may_ask(&self, who: &str, now: Timestamp) -> bool {
        let own = format!("serviceAccount:{}", account_of(&self.name));
        if !self.is_labelled {
            return false;
        }
        if who == member(&self.name, ACCOUNT) {
            return self.has_kubernetes_account && self.may_be_passed_over(now);
        }
        who == own || who == controller() && self.controller_may_ask(now)
    }

    /// Somebody else may act, where there was a lack that is still believed.
    fn may_be_passed_over(&self, now: Timestamp) -> bool {
        self.was_absent(now) || self.was_forbidden(now)
    }

    /// The controller may, where the policy of now lets it too, and the Project has nobody else.
    fn controller_may_ask(&self, now: Timestamp) -> bool {
        let lets = match self.annotation {
            Fallback::Allow => self.may_be_passed_over(now),
            Fallback::IfAbsent => self.was_absent(now),
            Fallback::Deny => false,
        };
        lets && !self.has_kubernetes_account
    }

    fn was_absent(&self, now: Timestamp) -> bool {
        self.was(Account::Absent, now - ABSENT_FOR)
    }

    fn was_forbidden(&self, now: Timestamp) -> bool {
        self.was(Account::Forbidden, now - FORBIDDEN_FOR)
    }

    fn was(&self, account: Account, since: Timestamp) -> bool {
        let mut before = self.before.iter();
        self.account == account
            || self.lies.contains(&account)
            || before.any(|(it, until)| *it == account && *until >= since)
    }

    /// Who acts once all is calm and everything that was remembered is forgotten.
    pub(crate) fn outcome(&self) -> Outcome {
        match (self.account, self.annotation) {
            _ if !self.is_labelled => Outcome::Refused,
            (Account::Usable, _) => Outcome::OwnServiceAccount,
            // An account that is switched off is an error, and no reason to let others act.
            (Account::Disabled, _) => Outcome::Unavailable,
            _ if self.has_kubernetes_account => Outcome::OwnKubernetesAccount,
            (_, Fallback::Allow) | (Account::Absent, Fallback::IfAbsent) => Outcome::Controller,
            _ => Outcome::Refused,
        }
    }

    /// Who has to act at the first look after trouble; none while a token of before may still be good, or a refusal
    /// after it has to be said twice.
    pub(crate) fn outcome_at_once(&self) -> Option<Outcome> {
        let is_certain = match self.account {
            Account::Usable => true,
            Account::Absent | Account::Forbidden => self.is_known_to_lack,
            Account::Disabled => false,
        };
        (!self.is_labelled || is_certain).then(|| self.outcome())
    }
}
