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

use std::time::Duration;

use gcp::facts::{Facts, Home, Intent, Reading, TokenSource};
use gcp::principal::{NameError, ProjectId, ProjectNumber};
use gcp::{Apis, Fallback, Identities, Scope, Service};
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
        asks_by: access.token_source(),
        fallback,
        projects: projects.into_iter().collect(),
        ..Intent::default()
    }
}

/// Looks at everything that can be seen from here.
pub(super) async fn facts(access: &Access, intent: Intent) -> Facts {
    // A Pod that has just started sees no metadata server for some seconds, and then everything.
    let waited = match (access.vantage, access.token_source()) {
        (PodVantage::Inside | PodVantage::Named, TokenSource::MetadataServer) => {
            pod::wait(access).await
        }
        (PodVantage::No, _) | (_, TokenSource::File { .. }) => Duration::ZERO,
    };
    let mut facts = Facts {
        now: (access.clock)(),
        intent,
        home: home(access).await,
        ..Facts::default()
    };
    if let Some(client) = &access.kubernetes {
        kubernetes::gather(
            client,
            access.vantage,
            &access.shared_namespaces,
            &mut facts,
        )
        .await;
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
        facts.pod.metadata.waited = waited;
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

/// Asks for the controller's project: whoever named it with its number, else Resource Manager, else whoever tells the
/// controller.
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
        (_, _, PodVantage::Inside | PodVantage::Named) => home_of_controller(access).await,
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

/// Asks as the controller does: a project that was named counts for more than what the metadata server says, and of one that
/// it does not know only Resource Manager knows the number.
async fn home_of_controller(access: &Access) -> Reading<Home> {
    let identities = access.identities();
    let of_pod = match access.token_source() {
        TokenSource::MetadataServer => home_of_pod(access, &identities).await,
        TokenSource::File { .. } => Reading::default(),
    };
    let project = match (&access.gcp_project, access.token_source()) {
        (None, TokenSource::MetadataServer) => return of_pod,
        (Some(named), _) if of_pod.known().is_ok_and(|it| it.project == *named) => return of_pod,
        (Some(named), _) => named.clone(),
        (None, TokenSource::File { .. }) => match identities.project().await {
            Ok(project) => project,
            Err(error) => {
                let why = format!("{error}: add --gcp-project ID");
                return Reading::unreachable("--gcp-credentials", &why);
            }
        },
    };
    let request = "the controller's token";
    let token = match identities.base(Scope::CloudPlatform).await {
        Ok(token) => token,
        Err(error) => return Reading::of_token_error(request, &error),
    };
    let apis = Apis::new(access.endpoints.clone(), token.access_token.clone());
    let path = format!("/v3/projects/{project}");
    let found: Reading<Project> = apis.get(Service::ResourceManager, &path).await;
    match found.known() {
        Ok(_) => numbered(&project, found),
        Err(gap) => {
            let why = format!(
                "the controller may not ask for the number of {project}: {}; add --gcp-project-number NUMBER",
                gap.why
            );
            Reading::unreachable(&found.source.request, &why)
        }
    }
}

async fn home_of_pod(access: &Access, identities: &Identities) -> Reading<Home> {
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
    let is_told = access.token_source() == TokenSource::MetadataServer;
    if access.cluster.is_some() || access.vantage == PodVantage::No || !is_told {
        return access.cluster.clone();
    }
    let identities = access.identities();
    let metadata = identities.metadata();
    let (location, name) =
        futures::try_join!(metadata.cluster_location(), metadata.cluster_name()).ok()?;
    Some(super::place::ClusterAddress { location, name })
}
