//! Which Google APIs have to be on, and where.

use std::collections::BTreeSet;

use super::{Facts, ServiceName};
use crate::principal::ProjectId;

/// The API by which accounts and roles are made.
pub(crate) const IAM: &str = "iam.googleapis.com";

/// The APIs that the controller's own project needs.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity>
const AT_HOME: &[&str] = &[
    "container.googleapis.com",
    IAM,
    "iamcredentials.googleapis.com",
    "sts.googleapis.com",
];

/// The API by which organisation policies are set.
pub(crate) const ORG_POLICY: &str = "orgpolicy.googleapis.com";
/// The API by which the audit log of a project is set, and everything about a project is read.
pub(crate) const RESOURCE_MANAGER: &str = "cloudresourcemanager.googleapis.com";

/// The API that the project of a repository needs.
pub(crate) const ARTIFACT_REGISTRY: &str = "artifactregistry.googleapis.com";

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
            .map(|it| named(&it.address.repository.project, ARTIFACT_REGISTRY));
        at_home.chain(at_repositories).collect()
    }

    /// Lists the APIs that are asked about: those that have to be on, and those that steps of setup call.
    pub fn services_to_look_at(&self) -> BTreeSet<ServiceName> {
        let of_setup = [ORG_POLICY, RESOURCE_MANAGER];
        let of_setup = of_setup.into_iter().filter_map(|it| self.at_home(it));
        self.needed_services().into_iter().chain(of_setup).collect()
    }

    /// Names an API of the controller's project.
    pub(crate) fn at_home(&self, service: &str) -> Option<ServiceName> {
        let home = self.home.known().ok()?;
        Some(named(&home.project, service))
    }
}

fn named(project: &ProjectId, service: &str) -> ServiceName {
    ServiceName {
        project: project.clone(),
        service: service.to_owned(),
    }
}
