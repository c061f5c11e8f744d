//! Pub/Sub: topics, subscriptions, and messages until they are acknowledged; messages are pulled, or pushed to loopback.
//!
//! Source: <https://cloud.google.com/pubsub/docs/reference/rest>

mod backlog;
mod messages;
mod push;
mod subscriptions;
mod topics;

use http::Method;
use serde_json::{Map, Value, json};

use crate::apis::Answer;
use crate::call::{self, Call};
use crate::google::{CLOUD_PLATFORM, Caller, Google};
use crate::policies::{self, GetRequest, SetRequest, TestRequest};
use crate::refusal::Refusal;
use crate::resource::ResourceName;

pub(crate) use messages::{Draft, Messages};
pub(crate) use push::{is_loopback, run as push};

/// What a token must be good for to be allowed here at all.
const SCOPES: &[&str] = &[CLOUD_PLATFORM, "https://www.googleapis.com/auth/pubsub"];

/// Topics, and subscriptions, that a project may have.
///
/// Source: <https://cloud.google.com/pubsub/quotas>
const MOST: usize = 10_000;

pub(crate) async fn answer(google: &Google, call: &Call) -> Answer {
    let parts = call.parts();
    let ["v1", "projects", project, kind, rest @ ..] = parts.as_slice() else {
        return Err(Refusal::no_such_route(&call.path));
    };
    let caller = call.caller(google, SCOPES)?;
    let id = google
        .read(|world| world.project(project).map(|it| it.id.clone()))
        .unwrap_or_else(|| (*project).to_owned());
    call.require_api(google, &caller, &id)?;
    let at = At {
        google,
        call,
        caller: &caller,
        project: &id,
    };
    match (*kind, rest) {
        ("topics", []) => topics::list(&at),
        ("topics", [topic]) => topics::answer(&at, topic),
        ("topics", [topic, "subscriptions"]) => topics::subscriptions(&at, topic),
        ("subscriptions", []) => subscriptions::list(&at),
        ("subscriptions", [subscription]) => subscriptions::answer(&at, subscription).await,
        _ => Err(Refusal::no_such_route(&call.path)),
    }
}

/// A project, and who asks there.
struct At<'a> {
    google: &'a Google,
    call: &'a Call,
    caller: &'a Caller,
    project: &'a str,
}

impl At<'_> {
    /// Refuses a caller without a permission, in Pub/Sub's words.
    fn may(&self, permission: &str, resource: &ResourceName) -> Result<(), Refusal> {
        if self.google.lets(self.caller, permission, resource) {
            return Ok(());
        }
        Err(Refusal::not_authorized())
    }

    /// Answers the three methods of policies; `kind` is `topics` or `subscriptions`.
    fn policy(&self, resource: &ResourceName, kind: &str, name: &str) -> Answer {
        let exists = || self.google.read(|world| world.policy(resource).is_some());
        let (google, call) = (self.google, self.call);
        match (&call.method, call.verb.as_deref()) {
            (&Method::GET, Some("getIamPolicy")) => {
                self.may(&format!("pubsub.{kind}.getIamPolicy"), resource)?;
                if !exists() {
                    return Err(Refusal::resource_not_found(name));
                }
                let version =
                    GetRequest::default().version(call.query("options.requestedPolicyVersion"));
                Ok(policies::get(google, resource, version))
            }
            (&Method::POST, Some("setIamPolicy")) => {
                self.may(&format!("pubsub.{kind}.setIamPolicy"), resource)?;
                if !exists() {
                    return Err(Refusal::resource_not_found(name));
                }
                policies::set(google, resource, call.json::<SetRequest>()?)
            }
            (&Method::POST, Some("testIamPermissions")) => {
                let body: TestRequest = call.json()?;
                Ok(policies::test(google, self.caller, resource, &body))
            }
            _ => Err(Refusal::no_such_route(&call.path)),
        }
    }

    /// One page of a list; nothing at all is an empty object.
    fn page(&self, member: &str, all: Vec<Value>) -> Answer {
        let (items, next) = call::page(all, self.call.page(100, 1000)?);
        let mut answer = json!({});
        if !items.is_empty() {
            answer[member] = json!(items);
        }
        if let Some(next) = next {
            answer["nextPageToken"] = json!(next);
        }
        Ok(answer)
    }

    /// The fields of a resource that a client writes. Those in `kept` are shown again, those in `refused` would change what
    /// happens and are not simulated.
    fn fields(&self, kept: &[&str], refused: &[&str]) -> Result<Map<String, Value>, Refusal> {
        let fields: Map<String, Value> = self.call.json()?;
        let told = |value: &Value| {
            !matches!(value, Value::Null | Value::Bool(false)) && *value != json!("")
        };
        for (name, value) in &fields {
            if refused.contains(&name.as_str()) && told(value) {
                return Err(Refusal::not_simulated(&format!(
                    "cannot do what {name} asks for"
                )));
            }
            let known = kept.contains(&name.as_str()) || refused.contains(&name.as_str());
            if !known {
                return Err(Refusal::unknown_field(name, ""));
            }
        }
        Ok(fields)
    }

    /// Refuses a name that Pub/Sub would not take, and one too many.
    fn check_new(&self, resource: &ResourceName, name: &str, count: usize) -> Result<(), Refusal> {
        if !is_valid_name(name) {
            return Err(Refusal::resource_name_invalid(&resource.to_string()));
        }
        if self.google.read(|world| world.policy(resource).is_some()) {
            return Err(Refusal::resource_exists(name));
        }
        if count >= MOST {
            let number = self
                .google
                .read(|world| world.project(self.project).map_or(0, |it| it.number));
            return Err(Refusal::quota_exceeded(
                self.call.service.host(),
                number,
                None,
            ));
        }
        Ok(())
    }
}

/// Source: <https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names>
fn is_valid_name(name: &str) -> bool {
    let inner = |it: char| it.is_ascii_alphanumeric() || "-_.~+%".contains(it);
    (3..=255).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(inner)
        && !name.starts_with("goog")
}

#[cfg(test)]
mod tests {
    use super::is_valid_name;

    #[test]
    fn a_name_begins_with_a_letter_and_not_with_google() {
        for (name, valid) in [
            ("gcr", true),
            ("a-b_c.d~e+f%20", true),
            ("ab", false),
            ("1abc", false),
            ("a b", false),
            ("google", false),
            (&"a".repeat(256), false),
        ] {
            assert_eq!(is_valid_name(name), valid, "{name}");
        }
    }
}
