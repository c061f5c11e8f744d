//! Whether a namespace is a Project's, so that it may have an identity of a Project.
//!
//! Admission holds namespaces to the same rules, but an installation may run without it, and objects may be older.

use k8s_openapi::api::core::v1::Namespace;
use kube::Client;
use kube::api::Api;
use resources::Project;
use resources::names::label;

use super::FALLBACK_ANNOTATION;
use crate::Error;

/// What a namespace is to us.
pub(super) enum Standing {
    /// A Project's, and what that says of falling back.
    Project { annotation: Option<String> },
    /// No living Project's.
    Nobody { why: String },
}

/// Reads the namespace and its Project as they are now.
pub(super) async fn stand(client: &Client, name: &str) -> Result<Standing, Error> {
    let nobody = |why: &str| {
        Ok(Standing::Nobody {
            why: format!("namespace {name:?} {why}"),
        })
    };
    let read = |what, source| Error::Read {
        what,
        name: name.to_owned(),
        source,
    };
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let found = namespaces
        .get_opt(name)
        .await
        .map_err(|it| read("namespaces", it))?;
    let Some(namespace) = found else {
        return nobody("does not exist");
    };
    if namespace.metadata.deletion_timestamp.is_some() {
        return nobody("is going away");
    }
    let labels = namespace.metadata.labels.unwrap_or_default();
    if labels.get(label::PROJECT).map(String::as_str) != Some(label::TRUE) {
        return nobody("is not labelled as a Project's");
    }
    let projects: Api<Project> = Api::all(client.clone());
    match projects
        .get_opt(name)
        .await
        .map_err(|it| read("projects", it))?
    {
        None => nobody("has no Project"),
        Some(project) if project.metadata.deletion_timestamp.is_some() => {
            nobody("belongs to a Project that is going away")
        }
        Some(project) => Ok(Standing::Project {
            annotation: project
                .metadata
                .annotations
                .and_then(|mut it| it.remove(FALLBACK_ANNOTATION)),
        }),
    }
}

pub(super) fn hint(name: &str) -> String {
    format!("kubectl get project {name} && kubectl get namespace {name} --show-labels")
}
