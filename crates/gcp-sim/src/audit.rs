//! Who asked for what: every request to an API or a registry, noted when it arrives.

use std::collections::VecDeque;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use parking_lot::Mutex;

use crate::faults::Occasion;
use crate::google::Google;

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
    /// Whether a credential was shown, be it good or not.
    pub shows_credential: bool,
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
    /// Notes that a request with these headers arrived.
    pub(crate) fn note(&self, occasion: &Occasion<'_>, headers: &HeaderMap) {
        let asked = Asked {
            at: self.now(),
            service: occasion.service.to_owned(),
            principal: occasion.principal.map(str::to_owned),
            shows_credential: headers.contains_key(AUTHORIZATION),
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
