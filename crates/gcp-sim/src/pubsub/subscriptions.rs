//! Subscriptions: making them, pulling from them, acknowledging.

use std::time::Duration;

use http::Method;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::At;
use super::push::is_loopback;
use crate::apis::Answer;
use crate::call::Enums;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::{PushConfig, Subscription};

/// What is shown as it was written.
const KEPT: &[&str] = &[
    "name",
    "topic",
    "ackDeadlineSeconds",
    "pushConfig",
    "state",
    "labels",
    "expirationPolicy",
    "messageRetentionDuration",
    "retryPolicy",
    "enableMessageOrdering",
    "tags",
];

/// What would change which messages are delivered, or where to.
const REFUSED: &[&str] = &[
    "analyticsHubSubscriptionInfo",
    "bigqueryConfig",
    "bigtableConfig",
    "cloudStorageConfig",
    "deadLetterPolicy",
    "detached",
    "enableExactlyOnceDelivery",
    "filter",
    "messageTransforms",
    "retainAckedMessages",
    "topicMessageRetentionDuration",
];

/// How long a pull waits for a first message. Google's own wait is not documented.
const PATIENCE: Duration = Duration::from_secs(1);

/// Messages that one pull may get.
const MOST_PULLED: usize = 1000;

pub(super) async fn answer(at: &At<'_>, name: &str) -> Answer {
    let resource = ResourceName::subscription(at.project, name);
    match (&at.call.method, at.call.verb.as_deref()) {
        (&Method::GET, None) => {
            at.may("pubsub.subscriptions.get", &resource)?;
            Ok(to_json(at, &find(at, name)?))
        }
        (&Method::PUT, None) => create(at, &resource, name),
        (&Method::DELETE, None) => delete(at, &resource, name),
        (&Method::POST, Some("pull")) => pull(at, &resource, name).await,
        (&Method::POST, Some("acknowledge")) => acknowledge(at, &resource, name),
        (&Method::POST, Some("modifyAckDeadline")) => modify_deadline(at, &resource, name),
        (&Method::POST, Some("modifyPushConfig")) => modify_push(at, &resource, name),
        (&Method::PATCH, None) | (&Method::POST, Some("seek" | "detach")) => Err(
            Refusal::not_simulated("of subscriptions only the push configuration is changed"),
        ),
        _ => at.policy(&resource, "subscriptions", name),
    }
}

pub(super) fn list(at: &At<'_>) -> Answer {
    if at.call.method != Method::GET {
        return Err(Refusal::no_such_route(&at.call.path));
    }
    let project = ResourceName::project(at.project);
    at.may("pubsub.subscriptions.list", &project)?;
    let all = at.google.read(|world| {
        let own = world
            .project(at.project)
            .map_or(&[][..], |it| &it.subscriptions);
        own.iter().map(|it| to_json(at, it)).collect()
    });
    at.page("subscriptions", all)
}

fn find(at: &At<'_>, name: &str) -> Result<Subscription, Refusal> {
    at.google
        .read(|world| world.subscription(at.project, name).cloned())
        .ok_or_else(|| Refusal::resource_not_found(name))
}

fn create(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    let project = ResourceName::project(at.project);
    at.may("pubsub.subscriptions.create", &project)?;
    let mut settings = at.fields(KEPT, REFUSED)?;
    let count = at.google.read(|world| {
        world
            .project(at.project)
            .map_or(0, |it| it.subscriptions.len())
    });
    at.check_new(resource, name, count)?;
    let topic = settings.remove("topic").unwrap_or_default();
    let topic = attach(at, topic.as_str().unwrap_or_default())?;
    let ack_deadline_seconds = match settings.remove("ackDeadlineSeconds") {
        None => 10,
        Some(value) => deadline(&value, 10)?,
    };
    let push_config = match settings.remove("pushConfig") {
        None => None,
        Some(value) => read_push(at, value)?,
    };
    for googles in ["name", "state", "tags"] {
        settings.remove(googles);
    }
    let subscription = Subscription {
        name: name.to_owned(),
        topic,
        ack_deadline_seconds,
        push_config,
        settings,
        ..Subscription::default()
    };
    let answer = to_json(at, &subscription);
    at.google.messages().forget(resource);
    at.google.change(|world| {
        if let Some(project) = world.project_mut(at.project) {
            project.subscriptions.push(subscription);
        }
    });
    Ok(answer)
}

/// Finds the topic that a subscription is to hear of, and asks whether it may.
fn attach(at: &At<'_>, topic: &str) -> Result<String, Refusal> {
    let found = match ResourceName::parse(topic) {
        Some(ResourceName::Topic { project, topic }) => {
            let id = at
                .google
                .read(|world| world.project(&project).map(|it| it.id.clone()));
            ResourceName::topic(&id.unwrap_or(project), &topic)
        }
        _ => return Err(Refusal::resource_name_invalid(topic)),
    };
    at.may("pubsub.topics.attachSubscription", &found)?;
    if at.google.read(|world| world.policy(&found).is_none()) {
        let name = topic.rsplit('/').next().unwrap_or_default();
        return Err(Refusal::resource_not_found(name));
    }
    Ok(found.to_string())
}

/// Source: <https://cloud.google.com/pubsub/docs/reference/rest/v1/projects.subscriptions>; the words are assumed.
fn deadline(value: &Value, least: u64) -> Result<u32, Refusal> {
    let seconds = value.as_u64().filter(|it| (least..=600).contains(it));
    let seconds = seconds.and_then(|it| u32::try_from(it).ok());
    seconds.ok_or_else(|| {
        let text =
            format!("Invalid ack deadline {value}: it must be between {least} and 600 seconds.");
        Refusal::invalid_field("ack_deadline_seconds", text)
    })
}

/// Reads where messages are to be sent; an empty configuration means that they are pulled.
///
/// Source: <https://cloud.google.com/pubsub/docs/authenticate-push-subscriptions>
fn read_push(at: &At<'_>, value: Value) -> Result<Option<PushConfig>, Refusal> {
    let push: PushConfig = serde_json::from_value(value)
        .map_err(|error| Refusal::invalid_field("push_config", error.to_string()))?;
    if push.push_endpoint.is_empty() {
        return Ok(None);
    }
    if !is_loopback(&push.push_endpoint) {
        let text = "sends messages to http:// and https:// addresses on loopback only";
        return Err(Refusal::not_simulated(text));
    }
    if let Some(token) = &push.oidc_token {
        let email = &token.service_account_email;
        let account = at.google.read(|world| {
            let (project, account) = world.service_account(email)?;
            Some(ResourceName::service_account(&project.id, &account.email))
        });
        let account = account.ok_or_else(|| {
            let text = format!("Service account {email} does not exist.");
            Refusal::invalid_argument(text)
        })?;
        at.google
            .require(at.caller, "iam.serviceAccounts.actAs", &account)?;
    }
    Ok(Some(push))
}

fn delete(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    at.may("pubsub.subscriptions.delete", resource)?;
    find(at, name)?;
    at.google.change(|world| {
        if let Some(project) = world.project_mut(at.project) {
            project.subscriptions.retain(|it| it.name != name);
        }
    });
    at.google.messages().forget(resource);
    Ok(json!({}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Pull {
    max_messages: i64,
    return_immediately: bool,
}

async fn pull(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    at.may("pubsub.subscriptions.consume", resource)?;
    let subscription = find(at, name)?;
    if subscription.push_config.is_some() {
        return Err(Refusal::failed_precondition(
            "This method is not supported for this subscription type.",
        ));
    }
    let Pull {
        max_messages,
        return_immediately,
    } = at.call.json()?;
    let most = usize::try_from(max_messages).ok().filter(|most| *most > 0);
    let most = most.ok_or_else(|| {
        Refusal::invalid_field("max_messages", "max_messages must be greater than 0.")
    })?;
    let messages = at.google.messages();
    let take = || {
        let now = at.google.now();
        messages.take(resource, &subscription, most.min(MOST_PULLED), now)
    };
    let arrival = messages.arrival();
    let mut taken = take();
    if taken.is_empty() && !return_immediately {
        tokio::time::timeout(PATIENCE, arrival).await.ok();
        taken = take();
    }
    let received: Vec<Value> = taken
        .iter()
        .map(|it| json!({ "ackId": it.ack_id, "message": it.message.to_json() }))
        .collect();
    Ok(if received.is_empty() {
        json!({})
    } else {
        json!({ "receivedMessages": received })
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Acknowledge {
    ack_ids: Vec<String>,
    /// Only where the deadline is to be changed.
    ack_deadline_seconds: Option<Value>,
}

impl Acknowledge {
    fn read(at: &At<'_>) -> Result<Self, Refusal> {
        let body: Self = at.call.json()?;
        if body.ack_ids.is_empty() {
            let text = "You have passed an empty list of ack IDs.";
            return Err(Refusal::invalid_field("ack_ids", text));
        }
        Ok(body)
    }
}

fn acknowledge(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    at.may("pubsub.subscriptions.consume", resource)?;
    find(at, name)?;
    let body = Acknowledge::read(at)?;
    if body.ack_deadline_seconds.is_some() {
        return Err(Refusal::unknown_field("ackDeadlineSeconds", ""));
    }
    at.google.messages().acknowledge(resource, &body.ack_ids);
    Ok(json!({}))
}

fn modify_deadline(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    at.may("pubsub.subscriptions.consume", resource)?;
    find(at, name)?;
    let body = Acknowledge::read(at)?;
    let seconds = deadline(&body.ack_deadline_seconds.unwrap_or_else(|| json!(0)), 0)?;
    let more = SignedDuration::from_secs(seconds.into());
    let now = at.google.now();
    at.google
        .messages()
        .extend(resource, &body.ack_ids, now, more);
    Ok(json!({}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct ModifyPush {
    push_config: Value,
}

fn modify_push(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    at.may("pubsub.subscriptions.update", resource)?;
    find(at, name)?;
    let ModifyPush { push_config } = at.call.json()?;
    let push = match push_config {
        Value::Null => None,
        value => read_push(at, value)?,
    };
    at.google.change(|world| {
        if let Some(own) = world.subscription_mut(at.project, name) {
            own.push_config = push;
        }
    });
    Ok(json!({}))
}

fn to_json(at: &At<'_>, subscription: &Subscription) -> Value {
    let enums: Enums = at.call.enums();
    let name = ResourceName::subscription(at.project, &subscription.name);
    let mut answer = json!({
        "name": name.to_string(), "topic": subscription.topic, "state": enums.write("ACTIVE", 1),
        "pushConfig": subscription.push_config.clone().unwrap_or_default(),
        "ackDeadlineSeconds": subscription.ack_deadline_seconds,
        "messageRetentionDuration": "604800s", "expirationPolicy": { "ttl": "2678400s" },
    });
    for (field, value) in &subscription.settings {
        answer[field] = value.clone();
    }
    answer
}
