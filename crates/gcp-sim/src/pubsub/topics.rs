//! Topics, and publishing to them.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use http::Method;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{At, Draft};
use crate::apis::Answer;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::Topic;

/// What is shown as it was written.
const KEPT: &[&str] = &[
    "name",
    "labels",
    "kmsKeyName",
    "messageRetentionDuration",
    "messageStoragePolicy",
    "satisfiesPzs",
    "state",
    "tags",
];

/// What would change messages.
const REFUSED: &[&str] = &[
    "ingestionDataSourceSettings",
    "messageTransforms",
    "schemaSettings",
];

/// Messages that one request may publish, and bytes of data in it.
///
/// Source: <https://cloud.google.com/pubsub/quotas>
const MOST_MESSAGES: usize = 1000;

/// A topic that is gone, as its subscriptions name it.
const DELETED: &str = "_deleted-topic_";

pub(super) fn answer(at: &At<'_>, name: &str) -> Answer {
    let resource = ResourceName::topic(at.project, name);
    match (&at.call.method, at.call.verb.as_deref()) {
        (&Method::GET, None) => {
            at.may("pubsub.topics.get", &resource)?;
            find(at, name)
        }
        (&Method::PUT, None) => create(at, &resource, name),
        (&Method::DELETE, None) => delete(at, &resource, name),
        (&Method::POST, Some("publish")) => publish(at, &resource, name),
        (&Method::PATCH, None) => Err(Refusal::not_simulated(
            "topics are not changed, but made anew",
        )),
        _ => at.policy(&resource, "topics", name),
    }
}

pub(super) fn list(at: &At<'_>) -> Answer {
    if at.call.method != Method::GET {
        return Err(Refusal::no_such_route(&at.call.path));
    }
    at.may("pubsub.topics.list", &ResourceName::project(at.project))?;
    let topics = at.google.read(|world| {
        let topics = world.project(at.project).map_or(&[][..], |it| &it.topics);
        topics
            .iter()
            .map(|topic| to_json(at.project, topic))
            .collect()
    });
    at.page("topics", topics)
}

/// The names of a topic's subscriptions.
pub(super) fn subscriptions(at: &At<'_>, name: &str) -> Answer {
    if at.call.method != Method::GET {
        return Err(Refusal::no_such_route(&at.call.path));
    }
    let resource = ResourceName::topic(at.project, name);
    at.may("pubsub.topics.get", &resource)?;
    find(at, name)?;
    let names = at.google.subscriptions_of(&resource);
    at.page(
        "subscriptions",
        names.into_iter().map(Value::from).collect(),
    )
}

fn find(at: &At<'_>, name: &str) -> Answer {
    at.google
        .read(|world| {
            let topic = world.topic(at.project, name)?;
            Some(to_json(at.project, topic))
        })
        .ok_or_else(|| Refusal::resource_not_found(name))
}

fn create(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    let project = ResourceName::project(at.project);
    at.may("pubsub.topics.create", &project)?;
    let mut settings = at.fields(KEPT, REFUSED)?;
    for googles in ["name", "state", "satisfiesPzs", "tags"] {
        settings.remove(googles);
    }
    let count = at
        .google
        .read(|world| world.project(at.project).map_or(0, |it| it.topics.len()));
    at.check_new(resource, name, count)?;
    let topic = Topic {
        name: name.to_owned(),
        settings,
        ..Topic::default()
    };
    let answer = to_json(at.project, &topic);
    at.google.change(|world| {
        if let Some(project) = world.project_mut(at.project) {
            project.topics.push(topic);
        }
    });
    Ok(answer)
}

fn delete(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    at.may("pubsub.topics.delete", resource)?;
    find(at, name)?;
    let full = resource.to_string();
    at.google.change(|world| {
        if let Some(project) = world.project_mut(at.project) {
            project.topics.retain(|topic| topic.name != name);
        }
        let subscriptions = world
            .projects
            .iter_mut()
            .flat_map(|it| &mut it.subscriptions);
        for subscription in subscriptions.filter(|it| it.topic == full) {
            DELETED.clone_into(&mut subscription.topic);
        }
    });
    Ok(json!({}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Publish {
    messages: Vec<Draft>,
}

fn publish(at: &At<'_>, resource: &ResourceName, name: &str) -> Answer {
    at.may("pubsub.topics.publish", resource)?;
    find(at, name)?;
    let Publish { mut messages } = at.call.json()?;
    if messages.is_empty() || messages.len() > MOST_MESSAGES {
        let text = "Between 1 and 1000 messages can be published at once.";
        return Err(Refusal::invalid_field("messages", text));
    }
    for message in &mut messages {
        if message.data.is_empty() && message.attributes.is_empty() {
            return Err(Refusal::invalid_argument(
                "One or more messages in the publish request is empty. Each message must contain either non-empty data, or \
                 at least one attribute.",
            ));
        }
        // Bytes may come in either alphabet and go out in the usual one.
        let bytes = STANDARD
            .decode(&message.data)
            .or_else(|_| URL_SAFE.decode(&message.data))
            .map_err(|_| Refusal::invalid_field("messages.data", "Base64 decoding failed."))?;
        message.data = STANDARD.encode(bytes);
    }
    Ok(json!({ "messageIds": at.google.publish(resource, messages) }))
}

fn to_json(project: &str, topic: &Topic) -> Value {
    let mut fields: Map<String, Value> = topic.settings.clone();
    let name = ResourceName::topic(project, &topic.name).to_string();
    fields.insert("name".to_owned(), json!(name));
    Value::Object(fields)
}
