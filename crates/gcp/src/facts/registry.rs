//! What was seen of a repository, and of a Project's way to it.

use serde::Deserialize;

use super::Reading;
use crate::policy::Policy;

/// Everything about one repository.
#[derive(Debug, Clone, Default)]
pub struct RepositoryFacts {
    pub repository: Reading<Repository>,
    pub policy: Reading<Policy>,
    /// The policy of the Google Cloud project that holds the repository.
    pub project_policy: Reading<Policy>,
    /// Whether former addresses lead here: `legacyRedirectionState` of the project.
    pub redirection: Reading<String>,
    /// Whether the topic on which pushes are announced exists in the repository's project.
    pub topic: Reading<()>,
    /// Who listens to that topic.
    pub subscriptions: Reading<Vec<String>>,
    /// Locations of the same project that hold a repository of the same name.
    pub namesakes: Reading<Vec<String>>,
}

/// A repository, in the form of the Artifact Registry API.
///
/// Source: <https://cloud.google.com/artifact-registry/docs/reference/rest/v1/projects.locations.repositories>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Repository {
    pub name: String,
    pub format: String,
    pub mode: String,
    pub docker_config: DockerConfig,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DockerConfig {
    pub immutable_tags: bool,
}

/// What a Project's account can do with an image and the repository that holds it, tried with its own token.
#[derive(Debug, Clone, Default)]
pub struct UseFacts {
    /// The first page of the image's tags.
    pub pull: Reading<()>,
    /// Which of the permissions asked about it has.
    pub permissions: Reading<Vec<String>>,
    /// The first page of the REST listing that finds images fastest.
    pub listing: Reading<()>,
}
