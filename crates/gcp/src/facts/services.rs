//! Which Google APIs have to be on, and where.

use std::collections::BTreeSet;

use super::{Facts, ServiceName};
use crate::principal::ProjectId;

/// The APIs that the controller's own project needs.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity>
const AT_HOME: &[&str] = &[
    "container.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
];

/// The API that the project of a repository needs.
const AT_REPOSITORIES: &str = "artifactregistry.googleapis.com";

impl Facts {
    /// Lists the APIs that have to be on, as far as the controller's project is known.
    pub fn needed_services(&self) -> BTreeSet<ServiceName> {
        let at_home = self
            .home
            .known()
            .into_iter()
            .flat_map(|home| AT_HOME.iter().map(|it| named(&home.project, it)));
        let at_repositories = self
            .uses()
            .map(|it| named(&it.address.repository.project, AT_REPOSITORIES));
        at_home.chain(at_repositories).collect()
    }
}

fn named(project: &ProjectId, service: &str) -> ServiceName {
    ServiceName {
        project: project.clone(),
        service: service.to_owned(),
    }
}
