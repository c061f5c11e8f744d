//! Kubernetes Events about what people did.

use std::time::Duration;

use domain::event::Event;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event as ApiEvent, EventSource, ObjectReference};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::api::{Api, PostParams};
use resources::names::{NAME_MAX, hash_shorten};
use resources::{GROUP, VERSION};

use super::Call;

/// How long writing an Event may take: the answer does not wait for longer.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Room for a dot and a time in sixteen hexadecimal digits.
const NUMBER_LEN: usize = 17;

/// Writes an Event. It is news, not truth: where it cannot be written, that is logged and nothing else happens.
pub(super) async fn tell(call: &Call<'_>, component: &str, event: Event) {
    if call.request.dry_run {
        return;
    }
    let api: Api<ApiEvent> = Api::namespaced(call.reader().client(), &event.project);
    let reason = event.reason;
    let object = object(component, event, call.now);
    let parameters = PostParams::default();
    match tokio::time::timeout(TIMEOUT, api.create(&parameters, &object)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::warn!(reason, %error, "an Event could not be written"),
        Err(_) => tracing::warn!(reason, "an Event could not be written in time"),
    }
}

fn object(component: &str, event: Event, now: Timestamp) -> ApiEvent {
    let prefix = hash_shorten(&event.name, NAME_MAX - NUMBER_LEN);
    ApiEvent {
        metadata: ObjectMeta {
            name: Some(format!("{prefix}.{:x}", now.as_nanosecond())),
            namespace: Some(event.project.clone()),
            annotations: Some(event.annotations),
            ..ObjectMeta::default()
        },
        type_: Some("Normal".to_owned()),
        reason: Some(event.reason.to_owned()),
        message: Some(event.message),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        source: Some(EventSource {
            component: Some(component.to_owned()),
            host: None,
        }),
        involved_object: ObjectReference {
            api_version: Some(format!("{GROUP}/{VERSION}")),
            kind: Some(event.kind.to_owned()),
            name: Some(event.name),
            namespace: Some(event.project),
            ..ObjectReference::default()
        },
        ..ApiEvent::default()
    }
}
