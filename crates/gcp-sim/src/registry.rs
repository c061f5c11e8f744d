//! Artifact Registry: the Docker API on its own listener, and the REST API among Google's others.
//!
//! ```text
//! docker (/v2/, /v2/token, …) ─┐                     ┌─ image: tags and manifests, pushed or generated
//!                              ├─► content: store ───┤
//! rest (/v1/projects/…) ───────┘                     └─ blobs: bytes by digest
//! ```
//!
//! Which repositories exist, and who may do what with them, is the world's to say, at every request.

mod address;
mod backend;
mod blobs;
mod digest;
mod docker;
mod generated;
mod image;
mod manifest;
mod mirror;
mod notices;
mod rest;
mod seed;
mod store;
mod ticket;
mod uploads;
mod version;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;

use crate::google::Google;
use crate::resource::ResourceName;
use crate::world::{Project, Repository};
use address::RepositoryName;
use store::Store;
use ticket::Signer;
use uploads::Uploads;

pub(crate) use backend::is_of_google;
pub use generated::Generate;

/// What IAM, quotas and faults call this API.
const REGISTRY: &str = "artifactregistry.googleapis.com";

/// All repositories of a world, and what is in them. Clones are the same registry.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    google: Google,
    content: Arc<Content>,
}

#[derive(Debug, Default)]
struct Content {
    store: Store,
    uploads: Uploads,
    signer: Signer,
}

impl Registry {
    /// Makes a registry with the images that the world asks for.
    pub(crate) fn new(google: Google) -> Self {
        let registry = Self {
            google,
            content: Arc::default(),
        };
        registry.seed();
        registry
    }

    /// The Docker API.
    pub(crate) fn docker(&self) -> Router {
        let answer = async |State(registry): State<Self>, request: Request| -> Response {
            registry.answer_docker(request).await
        };
        Router::new().fallback(answer).with_state(self.clone())
    }

    /// Looks at a repository of the world; `None` if there is none of that name.
    fn repository<T>(
        &self,
        name: &RepositoryName,
        look: impl FnOnce(&Repository) -> T,
    ) -> Option<T> {
        self.google.read(|world| {
            world
                .repository(&name.project, &name.location, &name.repository)
                .map(look)
        })
    }

    /// All repositories, in the order of their names.
    fn repositories_of_world(&self) -> Vec<RepositoryName> {
        let mut names: Vec<RepositoryName> = self.google.read(|world| {
            let of = |project: &Project| {
                let named = project
                    .repositories
                    .iter()
                    .map(|repository| RepositoryName {
                        project: project.id.clone(),
                        location: repository.location.clone(),
                        repository: repository.name.clone(),
                    });
                named.collect::<Vec<_>>()
            };
            world.projects.iter().flat_map(of).collect()
        });
        names.sort();
        names
    }

    fn exists(&self, name: &RepositoryName) -> bool {
        self.repository(name, |_| ()).is_some()
    }

    fn has_immutable_tags(&self, name: &RepositoryName) -> bool {
        self.repository(name, |repository| repository.immutable_tags) == Some(true)
    }

    /// Where a repository is that was asked for on a host which does not say so: where there is one of that name.
    fn location_of(&self, project: &str, repository: &str) -> String {
        self.google.read(|world| {
            let all = world
                .projects
                .iter()
                .flat_map(|project| &project.repositories);
            let own = world
                .project(project)
                .into_iter()
                .flat_map(|project| &project.repositories);
            let named = own.filter(|own| own.name == repository).chain(all).next();
            named.map_or_else(|| "us".to_owned(), |named| named.location.clone())
        })
    }
}

impl RepositoryName {
    /// What policies are asked about.
    fn resource(&self) -> ResourceName {
        ResourceName::repository(&self.project, &self.location, &self.repository)
    }
}

#[cfg(test)]
mod tests;
