//! Sending messages to where subscriptions want them, one after the other, until the other side takes them.
//!
//! Source: <https://cloud.google.com/pubsub/docs/push>

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::CONTENT_TYPE;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backlog::{Delivery, Message};
use crate::google::Google;
use crate::iam_credentials::IdClaims;
use crate::resource::ResourceName;
use crate::world::{PushConfig, Subscription};

/// How long the other side may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long until a message is sent again that was not taken: from this, doubled each time, to that.
///
/// Source: <https://cloud.google.com/pubsub/docs/push#push_backoff>
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// How often it is looked whether something is due of which nothing rings.
const TICK: Duration = Duration::from_secs(1);

/// Says whether a URL leads to this machine.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    matches!(url.scheme(), "http" | "https")
        && (host == "localhost" || address.is_ok_and(|address| address.is_loopback()))
}

/// Sends messages until `stop`.
pub(crate) async fn run(google: Google, stop: CancellationToken) {
    let mut sender = Sender::default();
    loop {
        let arrival = google.messages().arrival();
        sender.send_what_is_due(&google);
        let next_look = sender.next_look();
        tokio::select! {
            () = stop.cancelled() => return,
            () = arrival => {}
            Some(sent) = sender.running.join_next() => {
                if let Ok((subscription, taken)) = sent {
                    sender.note(&subscription, taken);
                }
            }
            () = tokio::time::sleep_until(next_look) => {}
        }
    }
}

/// What is on its way, and whom to leave alone for how long.
#[derive(Default)]
struct Sender {
    client: Option<reqwest::Client>,
    running: JoinSet<(String, bool)>,
    busy: HashSet<String>,
    paused: HashMap<String, Pause>,
}

#[derive(Clone, Copy)]
struct Pause {
    until: Instant,
    length: Duration,
}

impl Sender {
    fn send_what_is_due(&mut self, google: &Google) {
        let now = Instant::now();
        for (name, subscription) in pushed(google) {
            let key = name.to_string();
            let is_paused = self.paused.get(&key).is_some_and(|it| it.until > now);
            if is_paused || self.busy.contains(&key) {
                continue;
            }
            let Some(client) = self.client() else {
                return;
            };
            let taken = google
                .messages()
                .take(&name, &subscription, 1, google.now());
            let (Some(delivery), Some(push)) = (taken.into_iter().next(), subscription.push_config)
            else {
                continue;
            };
            self.busy.insert(key.clone());
            let google = google.clone();
            self.running.spawn(async move {
                let taken = deliver(&client, &google, &name, &push, &delivery).await;
                settle(&google, &name, &delivery, taken);
                (key, taken)
            });
        }
    }

    /// The client, made when it is first needed.
    fn client(&mut self) -> Option<reqwest::Client> {
        if self.client.is_none() {
            let builder = reqwest::Client::builder()
                .timeout(PATIENCE)
                .redirect(reqwest::redirect::Policy::none());
            let built = builder.no_proxy().build();
            self.client = built
                .inspect_err(|error| tracing::warn!(%error, "failed to make a client to push with"))
                .ok();
        }
        self.client.clone()
    }

    fn note(&mut self, subscription: &str, taken: bool) {
        self.busy.remove(subscription);
        if taken {
            self.paused.remove(subscription);
            return;
        }
        let length = self
            .paused
            .get(subscription)
            .map_or(SHORTEST_PAUSE, |it| (it.length * 2).min(LONGEST_PAUSE));
        let until = Instant::now() + length;
        self.paused
            .insert(subscription.to_owned(), Pause { until, length });
    }

    fn next_look(&self) -> Instant {
        let now = Instant::now();
        let pauses = self.paused.values().map(|it| it.until);
        let next = pauses.filter(|until| *until > now).min();
        next.unwrap_or(now + TICK).min(now + TICK)
    }
}

/// The subscriptions whose messages are sent.
fn pushed(google: &Google) -> Vec<(ResourceName, Subscription)> {
    google.read(|world| {
        let all = world.projects.iter().flat_map(|project| {
            let own = project.subscriptions.iter();
            own.filter(|it| it.push_config.is_some()).map(|it| {
                let name = ResourceName::subscription(&project.id, &it.name);
                (name, it.clone())
            })
        });
        all.collect()
    })
}

fn settle(google: &Google, name: &ResourceName, delivery: &Delivery, taken: bool) {
    let ack_ids = std::slice::from_ref(&delivery.ack_id);
    if taken {
        google.messages().acknowledge(name, ack_ids);
    } else {
        let none = SignedDuration::ZERO;
        google.messages().extend(name, ack_ids, google.now(), none);
    }
}

/// Sends a message; says whether the other side took it.
async fn deliver(
    client: &reqwest::Client,
    google: &Google,
    name: &ResourceName,
    push: &PushConfig,
    delivery: &Delivery,
) -> bool {
    let message = &delivery.message;
    let mut request = client.post(&push.push_endpoint);
    if let Some(token) = &push.oidc_token {
        let audience = match token.audience.as_str() {
            "" => &push.push_endpoint,
            audience => audience,
        };
        let claims = IdClaims {
            audience,
            include_email: true,
        };
        request = request.bearer_auth(claims.sign(google, &token.service_account_email));
    }
    request = match push.no_wrapper {
        None => request
            .header(CONTENT_TYPE, "application/json")
            .body(wrapped(name, message).to_string()),
        Some(bare) => {
            let data = STANDARD.decode(&message.data).unwrap_or_default();
            let request = request.body(data);
            if bare.write_metadata {
                with_metadata(request, name, message)
            } else {
                request
            }
        }
    };
    match request.send().await {
        Ok(response) => response.status().is_success(),
        Err(error) => {
            tracing::debug!(error = %error.without_url(), subscription = %name, "failed to push");
            false
        }
    }
}

/// The message in JSON; ids and times are spelled in both ways.
fn wrapped(name: &ResourceName, message: &Message) -> Value {
    let mut json = message.to_json();
    json["message_id"] = json["messageId"].clone();
    json["publish_time"] = json["publishTime"].clone();
    if json.get("attributes").is_none() {
        json["attributes"] = json!({});
    }
    json!({ "message": json, "subscription": name.to_string() })
}

/// Source: <https://cloud.google.com/pubsub/docs/payload-unwrapping>
fn with_metadata(
    request: reqwest::RequestBuilder,
    name: &ResourceName,
    message: &Message,
) -> reqwest::RequestBuilder {
    let own = [
        ("x-goog-pubsub-subscription-name", name.to_string()),
        ("x-goog-pubsub-message-id", message.id.clone()),
        ("x-goog-pubsub-publish-time", message.published.to_string()),
    ];
    let request = own.into_iter().fold(request, |request, (name, value)| {
        request.header(name, value)
    });
    message
        .attributes
        .iter()
        .fold(request, |request, (name, value)| {
            request.header(name, value)
        })
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_this_machine_is_pushed_to() {
        for (url, loopback) in [
            ("http://127.0.0.1:8080/push?token=x", true),
            ("https://localhost/push", true),
            ("http://[::1]:80/", true),
            ("http://127.0.0.1.example.com/", false),
            ("https://example.com/", false),
            ("ftp://127.0.0.1/", false),
            ("127.0.0.1:8080", false),
        ] {
            assert_eq!(is_loopback(url), loopback, "{url}");
        }
    }
}
