//! What a discovery reads a repository through.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use http::StatusCode;
use url::Url;

use super::memory::ScopedMemory;
use super::{Client, Error, Problem, Repository};
use crate::cost::Cost;
use crate::sender::{Answer, Call};

/// Reads one repository for one discovery.
///
/// What is remembered of the repository is used only once the registry has shown it to this caller again, by any answer:
/// a credential that no longer opens it finds nothing.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    pub(super) client: Arc<Client>,
    pub(super) repository: &'a Repository,
    pub(super) cost: &'a Cost,
    memory: ScopedMemory,
    is_let_in: Arc<AtomicBool>,
    trusts_tags: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        client: Arc<Client>,
        repository: &'a Repository,
        cost: &'a Cost,
        memory: ScopedMemory,
    ) -> Self {
        Self {
            client,
            repository,
            cost,
            memory,
            is_let_in: Arc::default(),
            trusts_tags: false,
        }
    }

    /// Takes tags to stay where they are: one that is known is not asked for again (`cacheByTag`).
    #[must_use]
    pub fn trusting_tags(self) -> Self {
        Self {
            trusts_tags: true,
            ..self
        }
    }
}

impl Reader<'_> {
    /// Takes note that the registry has just shown the repository to this caller.
    pub(crate) fn let_in(&self) {
        self.is_let_in.store(true, Ordering::Relaxed);
    }

    /// Gives what is remembered, to whom the registry has shown the repository.
    pub(super) fn memory(&self) -> Option<&ScopedMemory> {
        let is_let_in = self.is_let_in.load(Ordering::Relaxed);
        is_let_in.then_some(&self.memory)
    }

    /// Gives what is remembered, to compare the registry's answer with or to add it.
    pub(super) fn unproved_memory(&self) -> &ScopedMemory {
        &self.memory
    }

    pub(super) fn trusts_tags(&self) -> bool {
        self.trusts_tags
    }

    /// Builds the URL of something in the repository: `tags/list`, `manifests/1.0`.
    pub(super) async fn url(&self, rest: &str) -> Url {
        let mut url = self.client.base(self.cost).await;
        // Both are checked: a repository's path and a digest or tag have no character that means something in a URL.
        url.set_path(&format!("/v2/{}/{rest}", self.repository.path));
        url
    }

    pub(super) async fn send(&self, call: Call) -> Result<Answer, Error> {
        let answer = self.client.send(self.repository, call).await?;
        if answer.status.is_success() || answer.status == StatusCode::NOT_MODIFIED {
            self.let_in();
        }
        Ok(answer)
    }

    /// Says what an answer that is no success means for whoever asked.
    pub(super) fn refused(&self, answer: &Answer) -> Problem {
        self.client.refused(self.repository, answer)
    }
}
