//! Who is asked next, given what the one before came to. No I/O: the table of all combinations is a test.

use std::fmt;

use gcp::setup::shell::quote;
use gcp::{Absence, TokenError};

use super::Fallback;
use crate::Lacking;

/// Why a Project does not act as its service account: a definite answer, never a guess.
#[derive(Debug, Clone)]
pub(super) struct Lack(TokenError);

impl Lack {
    fn is_absence(&self) -> bool {
        matches!(self.0, TokenError::Absent { .. })
    }

    /// Says which of the two it is.
    pub(super) fn lacking(&self) -> Lacking {
        if self.is_absence() {
            Lacking::Existence
        } else {
            Lacking::Permission
        }
    }

    pub(super) fn hint(&self) -> String {
        self.0.hint()
    }

    /// Says how the Project gets an account of its own that reads a repository.
    pub(super) fn way_out(&self, project: &str, repo_url: &str) -> String {
        match &self.0 {
            TokenError::Absent {
                why: Absence::Name, ..
            } => self.hint(),
            _ => format!(
                "give the Project an account of its own: argosy gcp setup --project {} --repo {}",
                quote(project),
                quote(repo_url)
            ),
        }
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            TokenError::Absent {
                account,
                why: Absence::Name,
            } => write!(formatter, "{account:?} is too long for a service account"),
            other => other.fmt(formatter),
        }
    }
}

/// What follows from asking for the service account's token.
#[derive(Debug)]
pub(super) enum AfterOwn<T> {
    Act(T),
    AskKubernetes(Lack),
    Unavailable(TokenError),
}

pub(super) fn after_own<T>(answer: Result<T, TokenError>) -> AfterOwn<T> {
    match answer {
        Ok(token) => AfterOwn::Act(token),
        Err(error) if error.is_definite() => AfterOwn::AskKubernetes(Lack(error)),
        Err(error) => AfterOwn::Unavailable(error),
    }
}

/// What follows from asking for the Kubernetes account's token, where there is such an account.
#[derive(Debug)]
pub(super) enum AfterKubernetes<T> {
    Act(T),
    AskController,
    Refused,
    Unavailable(TokenError),
}

/// An account that exists is never passed over: if its token cannot be had, nobody else acts.
pub(super) fn after_kubernetes<T>(
    lack: &Lack,
    answer: Option<Result<T, TokenError>>,
    fallback: Fallback,
) -> AfterKubernetes<T> {
    match (answer, fallback) {
        (Some(Ok(token)), _) => AfterKubernetes::Act(token),
        (Some(Err(error)), _) => AfterKubernetes::Unavailable(error),
        (None, Fallback::Allow) => AfterKubernetes::AskController,
        (None, Fallback::IfAbsent) if lack.is_absence() => AfterKubernetes::AskController,
        (None, Fallback::IfAbsent | Fallback::Deny) => AfterKubernetes::Refused,
    }
}

#[cfg(test)]
mod tests;
