//! All messages that wait, by subscription, and publishing more of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::backlog::{Backlog, Delivery, Fate, Message};
use crate::faults::Effect;
use crate::google::Google;
use crate::resource::ResourceName;
use crate::service::Service;
use crate::world::Subscription;

/// What somebody publishes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Draft {
    /// In base64.
    pub(crate) data: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) ordering_key: String,
    /// Google's to say; clients send back what they read.
    #[serde(rename = "messageId")]
    _message_id: Option<Value>,
    #[serde(rename = "publishTime")]
    _publish_time: Option<Value>,
}

impl Draft {
    /// A message of nothing but data, in base64.
    pub(crate) fn of_data(data: String) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }
}

/// What waits in all subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Messages {
    state: Mutex<State>,
    /// Rings for every message that arrives or comes back.
    arrived: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By `projects/acme/subscriptions/s`.
    backlogs: BTreeMap<String, Backlog>,
    published: u64,
}

/// Message ids begin above this, for they are long numbers at Google's.
const FIRST_ID: u64 = 7_000_000_000_000_000;

/// How long a message waits unless the subscription says otherwise.
///
/// Source: <https://cloud.google.com/pubsub/docs/subscription-properties>
const RETENTION: SignedDuration = SignedDuration::from_hours(24 * 7);

impl Messages {
    /// Waits for the next message, from when this is called.
    pub(super) fn arrival(&self) -> impl Future<Output = ()> {
        self.arrived.notified()
    }

    /// Gives out messages of a subscription.
    pub(super) fn take(
        &self,
        name: &ResourceName,
        subscription: &Subscription,
        most: usize,
        now: Timestamp,
    ) -> Vec<Delivery> {
        let deadline = SignedDuration::from_secs(subscription.ack_deadline_seconds.into());
        let retention = retention(subscription);
        self.with(name, |backlog| backlog.take(most, now, deadline, retention))
            .unwrap_or_default()
    }

    /// The data of all messages that wait, which count as acknowledged.
    #[cfg(test)]
    pub(crate) fn data_of_all(
        &self,
        name: &ResourceName,
        subscription: &Subscription,
        now: Timestamp,
    ) -> Vec<String> {
        let taken = self.take(name, subscription, usize::MAX, now);
        let ack_ids: Vec<String> = taken.iter().map(|it| it.ack_id.clone()).collect();
        self.acknowledge(name, &ack_ids);
        taken.iter().map(|it| it.message.data.clone()).collect()
    }

    pub(super) fn acknowledge(&self, name: &ResourceName, ack_ids: &[String]) {
        self.with(name, |backlog| {
            for ack_id in ack_ids {
                backlog.acknowledge(ack_id);
            }
        });
    }

    /// Gives more time for messages, or takes them back at once where that is none.
    pub(super) fn extend(
        &self,
        name: &ResourceName,
        ack_ids: &[String],
        now: Timestamp,
        deadline: SignedDuration,
    ) {
        self.with(name, |backlog| {
            for ack_id in ack_ids {
                backlog.extend(ack_id, now, deadline);
            }
        });
        if deadline.is_zero() {
            self.arrived.notify_waiters();
        }
    }

    /// Forgets what waits in a subscription.
    pub(super) fn forget(&self, name: &ResourceName) {
        self.state.lock().backlogs.remove(&name.to_string());
    }

    fn with<T>(&self, name: &ResourceName, look: impl FnOnce(&mut Backlog) -> T) -> Option<T> {
        let mut state = self.state.lock();
        state.backlogs.get_mut(&name.to_string()).map(look)
    }

    fn number(&self) -> u64 {
        let mut state = self.state.lock();
        state.published += 1;
        FIRST_ID + state.published
    }

    fn put(&self, subscription: &str, message: Arc<Message>, fate: Fate) {
        let mut state = self.state.lock();
        let backlog = state.backlogs.entry(subscription.to_owned()).or_default();
        backlog.put(message, fate);
    }
}

impl Google {
    /// Publishes messages to all subscriptions of a topic; gives their ids.
    pub(crate) fn publish(&self, topic: &ResourceName, drafts: Vec<Draft>) -> Vec<String> {
        let subscriptions = self.subscriptions_of(topic);
        let now = self.now();
        let publish = |draft: Draft| {
            let message = Arc::new(Message {
                id: self.messages().number().to_string(),
                data: draft.data,
                attributes: draft.attributes,
                ordering_key: draft.ordering_key,
                published: now,
            });
            for name in &subscriptions {
                let fate = self.fate(topic, name);
                self.messages().put(name, Arc::clone(&message), fate);
            }
            message.id.clone()
        };
        let ids = drafts.into_iter().map(publish).collect();
        self.messages().arrived.notify_waiters();
        ids
    }

    /// The full names of a topic's subscriptions, in all projects.
    pub(super) fn subscriptions_of(&self, topic: &ResourceName) -> Vec<String> {
        let topic = topic.to_string();
        self.read(|world| {
            let own = world.projects.iter().flat_map(|project| {
                let subscriptions = project.subscriptions.iter();
                subscriptions
                    .filter(|subscription| subscription.topic == topic)
                    .map(|it| ResourceName::subscription(&project.id, &it.name).to_string())
            });
            own.collect()
        })
    }

    /// Lets faults decide how a message reaches a subscription.
    fn fate(&self, topic: &ResourceName, subscription: &str) -> Fate {
        let topic = topic.to_string();
        let publishing = (Service::PubSub.host(), "publish");
        let ours = |effect: &Effect| {
            matches!(
                effect,
                Effect::PubsubDup | Effect::PubsubReorder | Effect::PubsubDrop
            )
        };
        match self.fault_in(publishing, &[&topic, subscription], ours) {
            Some(Effect::PubsubDup) => Fate::Twice,
            Some(Effect::PubsubReorder) => Fate::AfterNext,
            Some(Effect::PubsubDrop) => Fate::Never,
            _ => Fate::Once,
        }
    }
}

impl Message {
    /// As a client reads it.
    pub(super) fn to_json(&self) -> Value {
        let mut message = json!({ "messageId": self.id, "publishTime": self.published });
        if !self.data.is_empty() {
            message["data"] = json!(self.data);
        }
        if !self.attributes.is_empty() {
            message["attributes"] = json!(self.attributes);
        }
        if !self.ordering_key.is_empty() {
            message["orderingKey"] = json!(self.ordering_key);
        }
        message
    }
}

fn retention(subscription: &Subscription) -> SignedDuration {
    let asked = subscription.settings.get("messageRetentionDuration");
    let seconds = asked
        .and_then(Value::as_str)
        .and_then(|text| text.strip_suffix('s')?.parse().ok());
    seconds.map_or(RETENTION, SignedDuration::from_secs)
}
