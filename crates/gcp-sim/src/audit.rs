//! Who asked for what: every request to an API or a registry, noted when it arrives.

use std::collections::VecDeque;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::faults::Occasion;
use crate::google::Google;
use crate::principal::Principal;

/// Most requests that are kept; older ones are forgotten.
const KEPT: usize = 100_000;

/// A request, whatever became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    pub at: Timestamp,
    /// `artifactregistry.googleapis.com`.
    pub service: String,
    /// As policies spell it; none for a credential that is no good.
    pub principal: Option<String>,
    /// Whose credential was shown, be it good or not, as policies spell it; none where there was none.
    pub holder: Option<String>,
    /// `generateAccessToken`, or an HTTP method.
    pub method: String,
    pub path: String,
}

/// The requests that are kept, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    asked: Mutex<VecDeque<Asked>>,
}

impl Google {
    /// Notes that a request arrived, with the credential of this holder.
    pub(crate) fn note(&self, occasion: &Occasion<'_>, holder: Option<&Principal>) {
        let asked = Asked {
            at: self.now(),
            service: occasion.service.to_owned(),
            principal: occasion.principal.map(str::to_owned),
            holder: holder.map(ToString::to_string),
            method: occasion.method.to_owned(),
            path: occasion.path.to_owned(),
        };
        let mut kept = self.audit().asked.lock();
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(asked);
    }

    /// Gives all requests since this was last asked, oldest first.
    pub fn take_asked(&self) -> Vec<Asked> {
        self.audit().asked.lock().drain(..).collect()
    }
}
