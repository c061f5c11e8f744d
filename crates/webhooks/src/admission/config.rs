//! `ProjectConfig`s and `ClusterConfig`s.

use domain::message::with_next;
use domain::validation;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::core::admission::Operation;
use resources::{ClusterConfig, ProjectConfig};

use super::read::is_project;
use super::refusal::Refusal;
use super::{Call, Warnings};

pub(super) fn validate_cluster(call: &Call<'_>) -> Result<Warnings, Refusal> {
    if *call.operation() != Operation::Delete {
        let config: ClusterConfig = call.object()?;
        Refusal::unless_empty(validation::cluster_config(&config))?;
    }
    Ok(Warnings::new())
}

pub(super) async fn validate_project(call: &Call<'_>) -> Result<Warnings, Refusal> {
    if *call.operation() == Operation::Delete {
        return Ok(Warnings::new());
    }
    let config: ProjectConfig = call.object()?;
    Refusal::unless_empty(validation::project_config(&config))?;
    if call.is_create() && !call.request.dry_run {
        let api: Api<Namespace> = Api::all(call.reader().client());
        match call.reader().find_in(&api, call.namespace).await? {
            Some(namespace) if is_project(&namespace) => {}
            Some(_) => {
                return Err(Refusal::Forbidden {
                    message: with_next(
                        format!("namespace {:?} belongs to no Project", call.namespace),
                        "create the Project first",
                    ),
                });
            }
            None => {
                return Err(Refusal::NotFound {
                    message: format!(
                        "namespace {:?} not found; create the Project first",
                        call.namespace
                    ),
                });
            }
        }
    }
    Ok(Warnings::new())
}
