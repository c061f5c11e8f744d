//! Looks at everything and judges nothing: answers become the facts that doctor, audit and setup think about.

mod accounts;
mod denials;
mod desk;
mod inventory;
mod kubernetes;
mod own_pod;
mod pod;
mod policies;
mod repositories;
mod uses;

use gcp::Fallback;
use gcp::Service;
use gcp::facts::{Facts, Home, Intent, Reading};
use gcp::principal::{NameError, ProjectId, ProjectNumber};
use serde::Deserialize;

use super::place::{Access, PodVantage};

pub(super) use kubernetes::{projects, subscriptions};

/// How many questions of one kind are asked at the same time.
pub(super) const AT_ONCE: usize = 8;

/// What is asked about: Projects with the addresses they subscribe to.
pub(super) fn intent(
    access: &Access,
    fallback: Fallback,
    projects: impl IntoIterator<Item = (String, Vec<String>)>,
) -> Intent {
    Intent {
        controller: access.controller.clone(),
        fallback,
        projects: projects.into_iter().collect(),
    }
}

/// Looks at everything that can be seen from here.
pub(super) async fn facts(access: &Access, intent: Intent) -> Facts {
    let mut facts = Facts {
        now: (access.clock)(),
        intent,
        home: home(access).await,
        ..Facts::default()
    };
    if let Some(client) = &access.kubernetes {
        kubernetes::gather(client, access.vantage, &mut facts).await;
    }
    if let Some(apis) = &access.operator {
        let own = own_cluster(access).await;
        desk::gather(apis, own.as_ref(), &mut facts).await;
        accounts::gather(apis, &mut facts).await;
        repositories::gather(apis, &mut facts).await;
        inventory::gather(apis, &mut facts).await;
        policies::gather(apis, &mut facts).await;
    }
    if access.vantage != PodVantage::No {
        pod::gather(access, &mut facts).await;
        uses::gather(access, &mut facts).await;
    }
    facts
}

/// Looks only at whether Projects get tokens and may pull with them.
pub(super) async fn uses(access: &Access, intent: Intent) -> Facts {
    let mut facts = Facts {
        now: (access.clock)(),
        intent,
        home: home(access).await,
        ..Facts::default()
    };
    uses::gather(access, &mut facts).await;
    facts
}

#[derive(Deserialize)]
struct Project {
    /// `projects/123456789012`.
    name: String,
}

/// Asks for the controller's project: whoever named it with its number, else Resource Manager, else the metadata server.
async fn home(access: &Access) -> Reading<Home> {
    if let (Some(project), Some(number)) = (&access.gcp_project, access.gcp_project_number) {
        let project = project.clone();
        return Reading::known_from("--gcp-project", Home { project, number });
    }
    match (&access.gcp_project, &access.operator, access.vantage) {
        (Some(project), Some(apis), _) => {
            let path = format!("/v3/projects/{project}");
            let found: Reading<Project> = apis.get(Service::ResourceManager, &path).await;
            numbered(project, found)
        }
        (_, _, PodVantage::Inside | PodVantage::Named) => home_of_pod(access).await,
        (Some(_), None, PodVantage::No) => Reading::unreachable(
            "--gcp-project",
            "nobody is there to ask for its number: add --gcp-project-number NUMBER, \
             or run gcloud auth application-default login",
        ),
        (None, _, PodVantage::No) => Reading::unreachable(
            "--gcp-project",
            "no project is named and there is no metadata server: add --gcp-project ID",
        ),
    }
}

async fn home_of_pod(access: &Access) -> Reading<Home> {
    let identities = access.identities();
    let request = format!(
        "GET {}computeMetadata/v1/project/",
        access.endpoints.metadata
    );
    let both = futures::try_join!(
        identities.metadata().project_id(),
        identities.metadata().project_number()
    );
    match both {
        Ok((project, number)) => Reading::known_from(&request, Home { project, number }),
        Err(error) => Reading::of_token_error(&request, &error),
    }
}

fn numbered(project: &ProjectId, found: Reading<Project>) -> Reading<Home> {
    found.try_map(|it| {
        let number = ProjectNumber::parse(it.name.trim_start_matches("projects/"))?;
        Ok::<_, NameError>(Home {
            project: project.clone(),
            number,
        })
    })
}

/// Finds out which cluster is the controller's, if anybody says so.
async fn own_cluster(access: &Access) -> Option<super::place::ClusterAddress> {
    if access.cluster.is_some() || access.vantage == PodVantage::No {
        return access.cluster.clone();
    }
    let identities = access.identities();
    let metadata = identities.metadata();
    let (location, name) =
        futures::try_join!(metadata.cluster_location(), metadata.cluster_name()).ok()?;
    Some(super::place::ClusterAddress { location, name })
}
