//! What reads one repository: a client, and who pays.

use std::sync::Arc;

use url::Url;

use super::{Client, Error, Problem, Repository};
use crate::cost::Cost;
use crate::sender::{Answer, Call};

/// Reads one repository for one discovery.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    pub(super) client: Arc<Client>,
    pub(super) repository: &'a Repository,
    pub(super) cost: &'a Cost,
}

impl Reader<'_> {
    /// Builds the URL of something in the repository: `tags/list`, `manifests/1.0`.
    pub(super) async fn url(&self, rest: &str) -> Url {
        let mut url = self.client.base(self.cost).await;
        // Both are checked: a repository's path and a digest or tag have no character that means something in a URL.
        url.set_path(&format!("/v2/{}/{rest}", self.repository.path));
        url
    }

    pub(super) async fn send(&self, call: Call) -> Result<Answer, Error> {
        self.client.send(self.repository, call).await
    }

    /// Says what an answer that is no success means for whoever asked.
    pub(super) fn refused(&self, answer: &Answer) -> Problem {
        self.client.refused(self.repository, answer)
    }
}
