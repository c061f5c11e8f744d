//! Which Google APIs have to be on, and where.

use std::collections::BTreeSet;

use super::{Facts, ServiceName};
use crate::principal::ProjectId;

/// The API by which accounts and roles are made.
pub(crate) const IAM: &str = "iam.googleapis.com";

/// The APIs that the controller's own project needs.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity>
const AT_HOME: &[&str] = &[IAM, "iamcredentials.googleapis.com", "sts.googleapis.com"];

/// The API by which organisation policies are set.
pub(crate) const ORG_POLICY: &str = "orgpolicy.googleapis.com";
/// The API by which the audit log of a project is set, and everything about a project is read.
pub(crate) const RESOURCE_MANAGER: &str = "cloudresourcemanager.googleapis.com";
/// The API that knows the cluster, where that is one of Google's.
const OF_CLUSTERS: &str = "container.googleapis.com";

/// The API that the project of a repository needs.
pub(crate) const ARTIFACT_REGISTRY: &str = "artifactregistry.googleapis.com";

/// The APIs by which doctor looks at the controller's project and which steps of setup call, and without which nothing else
/// fails.
const TO_LOOK: &[&str] = &[RESOURCE_MANAGER, "serviceusage.googleapis.com", ORG_POLICY];

impl Facts {
    /// Lists the APIs that are asked about: those that have to be on, and those by which one looks or which
    /// steps of setup call.
    pub fn services_to_look_at(&self) -> BTreeSet<ServiceName> {
        let home = self.home.known().ok();
        let to_look = home.into_iter().flat_map(|home| {
            let services = TO_LOOK.iter();
            services.map(|it| named(&home.project, it))
        });
        self.needed_services().into_iter().chain(to_look).collect()
    }

    /// Lists the APIs that have to be on, as far as the controller's project is known.
    pub fn needed_services(&self) -> BTreeSet<ServiceName> {
        let of_clusters = self.asks_metadata_server().is_ok().then_some(&OF_CLUSTERS);
        let at_home = self.home.known().into_iter().flat_map(|home| {
            let services = AT_HOME.iter().chain(of_clusters);
            services.map(|it| named(&home.project, it))
        });
        let at_repositories = self
            .uses()
            .map(|it| named(&it.address.repository.project, ARTIFACT_REGISTRY));
        at_home.chain(at_repositories).collect()
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
