//! Events are kept for an hour, as on any cluster.

use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::api::Api;
use crate::store::{Effect, Expect, PageRequest, Resource, Write};
use crate::verbs::metadata;

/// How long an event is kept after it last happened.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

/// How often old events are looked for.
const EVERY: Duration = Duration::from_mins(5);

/// Starts removing old events; it ends with the server.
pub(crate) fn start(api: &Arc<Api>) {
    tokio::spawn(run(Arc::downgrade(api)));
}

async fn run(api: Weak<Api>) {
    loop {
        tokio::time::sleep(EVERY).await;
        let Some(api) = api.upgrade() else { return };
        if !api.remove_old_events().await {
            return;
        }
    }
}

impl Api {
    /// Removes events that are too old; says whether the store still takes writes.
    async fn remove_old_events(&self) -> bool {
        let resource = Resource::new("", "events");
        let request = PageRequest {
            resource: &resource,
            namespace: None,
            at: None,
            after: None,
        };
        let events = self
            .store
            .memory()
            .list(request)
            .map(|page| page.objects)
            .unwrap_or_default();
        let oldest = (self.clock)() - KEPT;
        for event in events {
            let value = event.to_value();
            if last_happened(&value).is_none_or(|it| it >= oldest) {
                continue;
            }
            let expect = Expect::Revision(event.revision);
            let write = Write {
                key: event.key.clone(),
                expect,
                effect: Effect::Remove(value),
                namespace: None,
            };
            match self.store.write(write).await {
                Ok(_) | Err(crate::store::Refused::Changed(_)) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

fn last_happened(event: &Value) -> Option<Timestamp> {
    let texts = [
        event.pointer("/series/lastObservedTime"),
        event.get("lastTimestamp"),
        event.get("eventTime"),
    ];
    let texts = texts.into_iter().flatten().filter_map(Value::as_str);
    texts
        .chain([metadata::text(event, "creationTimestamp")])
        .filter_map(|it| it.parse().ok())
        .max()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::{EmbeddedApi, Options};
    use crate::store::Key;

    #[tokio::test]
    async fn an_event_goes_an_hour_after_it_last_happened() {
        let now: Timestamp = "2026-01-01T12:00:00Z".parse().unwrap();
        let options = Options {
            clock: Arc::new(move || now),
            ..Options::default()
        };
        let server = EmbeddedApi::open_in_memory(options).await.unwrap();
        let put = async |name: &str, first: &str, last: Value| {
            let value = json!({"metadata": {"name": name, "creationTimestamp": first}, "lastTimestamp": last});
            let key = Key::new(&Resource::new("", "events"), "default", name);
            let write = Write {
                key,
                expect: Expect::Absent,
                effect: Effect::Put(value),
                namespace: None,
            };
            server.api.store.write(write).await.unwrap()
        };
        put("old", "2026-01-01T10:00:00Z", Value::Null).await;
        let again = put(
            "again",
            "2026-01-01T10:00:00Z",
            "2026-01-01T11:30:00Z".into(),
        )
        .await;
        let new = put("new", "2026-01-01T11:30:00Z", Value::Null).await;
        assert!(server.api.remove_old_events().await);
        let resource = Resource::new("", "events");
        let request = PageRequest {
            resource: &resource,
            namespace: None,
            at: None,
            after: None,
        };
        let left = server.api.store.memory().list(request).unwrap().objects;
        assert_eq!(
            left.iter().map(|it| it.key.clone()).collect::<Vec<_>>(),
            [again.key.clone(), new.key.clone()]
        );
    }
}
