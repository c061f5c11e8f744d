//! Writes Kubernetes Events: one object per occurrence, never merged, as programs that read Kargo's Events expect.

use std::time::Duration;

use domain::event::Tone;
use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{Event as ApiEvent, EventSource, ObjectReference},
    apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time},
};
use kube::{Api, Client, api::PostParams};
use resources::{
    GROUP, VERSION,
    names::{NAME_MAX, hash_shorten},
};

/// How often writing an Event is tried, and how long to wait after the first attempt.
const ATTEMPTS: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(10);

/// Room for the number behind the name: a dot and sixteen hexadecimal digits.
const NUMBER_LEN: usize = 17;

/// Writes Events in the name of one loop.
#[derive(Clone)]
pub(crate) struct Recorder {
    client: Client,
    component: String,
}

impl Recorder {
    pub(crate) fn new(client: Client, component: String) -> Self {
        Self { client, component }
    }

    /// The loop as an actor.
    pub(crate) fn actor(&self) -> String {
        format!("controller:{}", self.component)
    }

    /// Writes an Event. It is news, not truth: when it cannot be written, that is logged and nothing else happens.
    pub(crate) async fn tell(&self, event: domain::event::Event, now: Timestamp) {
        let api: Api<ApiEvent> = Api::namespaced(self.client.clone(), &event.project);
        let (reason, name) = (event.reason, event.name.clone());
        let mut object = self.object(event, now);
        let mut pause = FIRST_PAUSE;
        for attempt in 1..=ATTEMPTS {
            object.metadata.name = Some(unique(&name, now));
            match api.create(&PostParams::default(), &object).await {
                Ok(_) => return,
                // Its namespace is going, or the API does not want it: trying again is no use.
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404 | 422) => {
                    let message = &status.message;
                    tracing::debug!(reason, name, why = message, "an Event was refused");
                    return;
                }
                Err(error) if attempt == ATTEMPTS => {
                    tracing::warn!(reason, name, %error, "an Event could not be written");
                }
                Err(_) => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        }
    }

    fn object(&self, event: domain::event::Event, now: Timestamp) -> ApiEvent {
        ApiEvent {
            metadata: ObjectMeta {
                namespace: Some(event.project.clone()),
                annotations: Some(event.annotations),
                ..ObjectMeta::default()
            },
            type_: Some(
                match event.tone {
                    Tone::Normal => "Normal",
                    Tone::Warning => "Warning",
                }
                .to_owned(),
            ),
            reason: Some(event.reason.to_owned()),
            message: Some(event.message),
            count: Some(1),
            first_timestamp: Some(Time(now)),
            last_timestamp: Some(Time(now)),
            source: Some(EventSource {
                component: Some(self.component.clone()),
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
}

/// Names an Event after its object and the moment, with sixteen random bits: two things may happen at once.
fn unique(object: &str, now: Timestamp) -> String {
    let prefix = hash_shorten(object, NAME_MAX - NUMBER_LEN);
    let number = now.as_nanosecond() ^ i128::from(rand::random::<u16>());
    format!("{prefix}.{number:016x}")
}
