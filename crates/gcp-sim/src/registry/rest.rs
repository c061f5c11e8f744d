//! The REST API of Artifact Registry: what there is, read from the same content that is pulled.
//!
//! Source: <https://cloud.google.com/artifact-registry/docs/reference/rest>

mod contents;
mod page;
mod policies;
mod repositories;
mod resources;
mod settings;

use axum::response::{IntoResponse as _, Response};
use http::{Method, StatusCode};

use super::address::RepositoryName;
use super::{REGISTRY, Registry};
use crate::apis::{self, Answer};
use crate::call::Call;
use crate::google::{CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY, Caller};
use crate::refusal::Refusal;
use crate::resource::ResourceName;

impl Registry {
    /// Answers a call of the REST API. Of what another registry holds nothing is fetched for who may not look at it.
    pub(crate) async fn rest(&self, call: &Call) -> Response {
        if let Some(name) = self.mirrored(call) {
            if let Err(refusal) = self.dispatch(call)
                && matches!(
                    refusal.status(),
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
                )
            {
                return refusal.into_response();
            }
            if let Err(error) = self.mirror_all(&name).await {
                return Refusal::not_simulated(&error.to_string()).into_response();
            }
        }
        let answer = self.dispatch(call);
        answer.map_or_else(Refusal::into_response, |value| apis::json(&value))
    }

    /// Finds the repository that a call looks into, where another registry holds what is in it.
    fn mirrored(&self, call: &Call) -> Option<RepositoryName> {
        let parts = call.parts();
        let [
            "v1",
            "projects",
            project,
            "locations",
            location,
            "repositories",
            repository,
            _,
            ..,
        ] = parts.as_slice()
        else {
            return None;
        };
        let name = RepositoryName {
            project: self.id_of(project),
            location: (*location).to_owned(),
            repository: (*repository).to_owned(),
        };
        (!matches!(self.backend(&name), Ok(None))).then_some(name)
    }

    fn dispatch(&self, call: &Call) -> Answer {
        match call.parts().as_slice() {
            ["v1", "projects", project, "projectSettings"] => self.project_settings(call, project),
            ["v1", "projects", project, "locations", rest @ ..] => {
                self.in_project(call, project, rest)
            }
            _ => Err(Refusal::no_such_route(&call.path)),
        }
    }

    fn in_project(&self, call: &Call, project: &str, rest: &[&str]) -> Answer {
        match rest {
            [] => self.list_locations(call, project),
            [location] => self.location(call, project, location),
            [_, "operations", _] => self.operation(call, project),
            [location, "repositories"] => self.repositories(call, project, location),
            [location, "repositories", repository, rest @ ..] => {
                let name = RepositoryName {
                    project: self.id_of(project),
                    location: (*location).to_owned(),
                    repository: (*repository).to_owned(),
                };
                self.in_repository(call, &name, rest)
            }
            _ => Err(Refusal::no_such_route(&call.path)),
        }
    }

    fn in_repository(&self, call: &Call, name: &RepositoryName, rest: &[&str]) -> Answer {
        match (&call.method, rest) {
            (_, []) => self.one_repository(call, name),
            (&Method::GET, ["dockerImages"]) => self.list_docker_images(call, name),
            (&Method::GET, ["dockerImages", image]) => self.docker_image(call, name, image),
            (&Method::GET, ["packages"]) => self.list_packages(call, name),
            (&Method::GET, ["packages", package]) => self.package(call, name, package),
            (&Method::GET, ["packages", package, "versions"]) => {
                self.list_versions(call, name, package)
            }
            (&Method::GET, ["packages", package, "versions", version]) => {
                self.version(call, name, package, version)
            }
            (&Method::GET, ["packages", package, "tags"]) => self.list_tags(call, name, package),
            (&Method::GET, ["packages", package, "tags", tag]) => {
                self.tag(call, name, package, tag)
            }
            _ => Err(Refusal::no_such_route(&call.path)),
        }
    }

    /// Refuses a caller who may not do this: for who they are, for the API being off, for what policies say.
    fn allow(
        &self,
        call: &Call,
        permission: &str,
        resource: &ResourceName,
    ) -> Result<Caller, Refusal> {
        let scopes = match call.method {
            Method::GET => &[CLOUD_PLATFORM, CLOUD_PLATFORM_READ_ONLY][..],
            _ => &[CLOUD_PLATFORM][..],
        };
        let caller = call.caller(&self.google, scopes)?;
        let project = resource.project_id().unwrap_or_default();
        if !may_be_a_project(project) {
            return Err(Refusal::resource_project_invalid(REGISTRY, &call.path));
        }
        if self.google.read(|world| world.project(project).is_some()) {
            call.require_api(&self.google, &caller, project)?;
        }
        self.google.require(&caller, permission, resource)?;
        Ok(caller)
    }

    /// The same for something in a repository, which must be there too.
    fn allow_in(
        &self,
        call: &Call,
        permission: &str,
        name: &RepositoryName,
    ) -> Result<(), Refusal> {
        self.allow(call, permission, &name.resource())?;
        if self.exists(name) {
            Ok(())
        } else {
            Err(not_found())
        }
    }

    /// The id of a project that may be given by number.
    fn id_of(&self, project: &str) -> String {
        let id = self
            .google
            .read(|world| world.project(project).map(|project| project.id.clone()));
        id.unwrap_or_else(|| project.to_owned())
    }
}

/// Says whether an id or number of a project may be spelled so, `example.com:web` included. Where Google draws the line is
/// assumed.
fn may_be_a_project(id: &str) -> bool {
    let inner = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "-.:".contains(it);
    id.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && id.chars().all(inner)
}

/// Something that is not there, for a caller who may know. The words are assumed.
fn not_found() -> Refusal {
    Refusal::not_found("Requested entity was not found.")
}
