//! Tells by its host how a registry lists tags.

use credentials::google::ImageAddress;

use super::artifact_registry;
use crate::registry::tags::{Page, read_names};
use crate::registry::{Problem, Repository};

/// How a registry lists. Others have their place here once their answers are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::registry) enum Dialect {
    /// Names, and nothing else.
    Standard,
    /// Artifact Registry: digests and times as well; and an API that lists the newest first.
    ArtifactRegistry(ImageAddress),
}

impl Dialect {
    /// Tells by the exact host, as credentials for it are told.
    pub(in crate::registry) fn of(repository: &Repository) -> Self {
        ImageAddress::parse(&repository.to_string()).map_or(Self::Standard, Self::ArtifactRegistry)
    }

    /// Gives the most tags that are asked for at a time; a registry may give fewer.
    pub(in crate::registry) fn page_size(&self) -> usize {
        match self {
            Self::Standard => 1_000,
            Self::ArtifactRegistry(_) => artifact_registry::PAGE,
        }
    }

    /// Reads a page; what is wrong with more than its names is passed over.
    pub(in crate::registry) fn read(
        &self,
        body: &[u8],
        page: &mut Page<'_>,
    ) -> Result<(), Problem> {
        match self {
            Self::Standard => read_names(body, page),
            Self::ArtifactRegistry(_) => match artifact_registry::read(body) {
                Ok(read) => read.tell(page),
                Err(error) => {
                    tracing::debug!(%error, "the list says nothing but names");
                    read_names(body, page)
                }
            },
        }
    }
}
