//! Copies of shared Secrets and `ConfigMap`s: only who copies may change them.

use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::core::admission::Operation;
use resources::names::label;

use super::read::is_project;
use super::refusal::Refusal;
use super::{Call, Warnings};

pub(super) async fn validate(call: &Call<'_>) -> Result<Warnings, Refusal> {
    let objects = [&call.request.object, &call.request.old_object];
    let labels = objects
        .into_iter()
        .flatten()
        .filter_map(|it| it.metadata.labels.as_ref());
    let is_copy = labels
        .into_iter()
        .any(|it| it.contains_key(label::REPLICATED_FROM));
    let requester = &call.requester;
    let is_cleaning = *call.operation() == Operation::Delete && requester.is_garbage_collector();
    if !is_copy
        || is_cleaning
        || requester.is_management_controller()
        || requester.is_cluster_admin()
    {
        return Ok(Warnings::new());
    }
    let api: Api<Namespace> = Api::all(call.reader().client());
    let namespace = call.reader().find_in(&api, call.namespace).await?;
    if !namespace.is_some_and(|it| is_project(&it)) {
        return Ok(Warnings::new());
    }
    Err(Refusal::Forbidden {
        message: "the object is a copy of a shared one; change the original".to_owned(),
    })
}
