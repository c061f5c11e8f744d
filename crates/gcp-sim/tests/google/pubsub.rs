//! Pub/Sub: publish, pull, acknowledge, push with a token, and what can go wrong on the way.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gcp_sim::{Effect, ResourceName};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::talk::{Reply, Talk, WEB, send};

const PUBSUB: &str = "pubsub.googleapis.com";
const TOPIC: &str = "v1/projects/acme-prod/topics/gcr";
const PULLED: &str = "v1/projects/acme-prod/subscriptions/pulled";

/// A Google with the API on, the topic, and a subscription to pull from.
async fn start() -> Result<(Talk, String)> {
    let talk = Talk::start().await?;
    talk.google().enable_api("acme-prod", PUBSUB)?;
    let ops = talk.operator()?;
    assert_eq!(talk.put(&ops, TOPIC, &json!({})).await?.status, 200);
    let body = json!({"topic": "projects/acme-prod/topics/gcr"});
    let made = talk.put(&ops, PULLED, &body).await?;
    assert_eq!(made.status, 200, "{}", made.text);
    Ok((talk, ops))
}

async fn publish(talk: &Talk, ops: &str, texts: &[&str]) -> Result<Vec<Value>> {
    let data = |text: &&str| json!({"data": STANDARD.encode(text), "attributes": {"n": text}});
    let messages: Vec<Value> = texts.iter().map(data).collect();
    let body = json!({ "messages": messages });
    let reply = talk.post(ops, &format!("{TOPIC}:publish"), &body).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let ids = reply.json()?["messageIds"].as_array().cloned();
    ids.context("ids")
}

/// Pulls and gives what came: the texts, and the ids to acknowledge by.
async fn pull(talk: &Talk, token: &str) -> Result<(Vec<String>, Vec<Value>)> {
    let body = json!({"maxMessages": 10, "returnImmediately": true});
    let reply = talk.post(token, &format!("{PULLED}:pull"), &body).await?;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let received = reply.json()?["receivedMessages"].as_array().cloned();
    let received = received.unwrap_or_default();
    let text = |it: &Value| {
        let data = STANDARD.decode(it["message"]["data"].as_str().unwrap_or_default());
        String::from_utf8(data.unwrap_or_default()).unwrap_or_default()
    };
    let ack_ids = received.iter().map(|it| it["ackId"].clone()).collect();
    Ok((received.iter().map(text).collect(), ack_ids))
}

#[tokio::test]
async fn a_message_is_pulled_until_it_is_acknowledged() -> Result<()> {
    let (talk, ops) = start().await?;
    let shown = talk.get(&ops, PULLED).await?.json()?;
    assert_eq!(
        (
            &shown["ackDeadlineSeconds"],
            &shown["state"],
            &shown["topic"]
        ),
        (
            &json!(10),
            &json!("ACTIVE"),
            &json!("projects/acme-prod/topics/gcr")
        )
    );
    let ids = publish(&talk, &ops, &["a", "b"]).await?;
    assert_eq!(ids.len(), 2);
    let (texts, ack_ids) = pull(&talk, &ops).await?;
    assert_eq!(texts, ["a", "b"]);
    assert!(pull(&talk, &ops).await?.0.is_empty(), "somebody has them");
    let first = json!({"ackIds": [ack_ids[0]]});
    talk.post(&ops, &format!("{PULLED}:acknowledge"), &first)
        .await?;
    let back = json!({"ackIds": ack_ids, "ackDeadlineSeconds": 0});
    let back = talk
        .post(&ops, &format!("{PULLED}:modifyAckDeadline"), &back)
        .await?;
    assert_eq!(back.status, 200, "{}", back.text);
    assert_eq!(pull(&talk, &ops).await?.0, ["b"]);
    Ok(())
}

#[tokio::test]
async fn a_pull_waits_a_moment_for_the_first_message() -> Result<()> {
    let (talk, ops) = start().await?;
    let pull_path = format!("{PULLED}:pull");
    let body = json!({"maxMessages": 1});
    let (pulled, published) = tokio::join!(talk.post(&ops, &pull_path, &body), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        publish(&talk, &ops, &["late"]).await
    });
    published?;
    let pulled = pulled?.json()?;
    assert_eq!(
        pulled["receivedMessages"][0]["message"]["data"],
        STANDARD.encode("late")
    );
    Ok(())
}

#[tokio::test]
async fn refusals_are_in_the_words_of_pubsub() -> Result<()> {
    let (talk, ops) = start().await?;
    let eve = talk
        .simulator
        .token_of("user:eve@acme.example")
        .context("a token")?;
    let check = |reply: Reply, status: u16, message: &str| {
        assert_eq!(
            (reply.status.as_u16(), reply.reason().as_str()),
            (status, message)
        );
    };
    let denied = "User not authorized to perform this action.";
    check(talk.get(&eve, TOPIC).await?, 403, denied);
    let pull_path = format!("{PULLED}:pull");
    check(
        talk.post(&eve, &pull_path, &json!({"maxMessages": 1}))
            .await?,
        403,
        denied,
    );
    let again = "Resource already exists in the project (resource=gcr).";
    check(talk.put(&ops, TOPIC, &json!({})).await?, 409, again);
    let missing = talk
        .get(&ops, "v1/projects/acme-prod/subscriptions/none")
        .await?;
    check(missing, 404, "Resource not found (resource=none).");
    let body = json!({"topic": "projects/acme-prod/topics/none"});
    let other = "v1/projects/acme-prod/subscriptions/other";
    check(
        talk.put(&ops, other, &body).await?,
        404,
        "Resource not found (resource=none).",
    );
    let odd = talk
        .put(&ops, "v1/projects/acme-prod/topics/1st", &json!({}))
        .await?;
    assert!(
        odd.reason()
            .starts_with("Invalid resource name given (name=projects/acme-prod/topics/1st).")
    );
    let empty = json!({"messages": [{}]});
    let empty = talk.post(&ops, &format!("{TOPIC}:publish"), &empty).await?;
    assert!(
        empty
            .reason()
            .starts_with("One or more messages in the publish request is empty.")
    );
    talk.google().disable_api("acme-prod", PUBSUB)?;
    check(talk.get(&ops, TOPIC).await?, 403, "SERVICE_DISABLED");
    Ok(())
}

#[tokio::test]
async fn what_would_have_to_be_guessed_is_refused() -> Result<()> {
    let (talk, ops) = start().await?;
    let other = "v1/projects/acme-prod/subscriptions/other";
    let body = json!({"topic": "projects/acme-prod/topics/gcr", "ackDeadlineSeconds": 601});
    assert_eq!(talk.put(&ops, other, &body).await?.status, 400);
    let body = json!({"topic": "projects/acme-prod/topics/gcr", "filter": "attributes.n = \"a\""});
    assert_eq!(
        talk.put(&ops, other, &body).await?.status,
        501,
        "it would have to guess"
    );
    let body = json!({"topic": "projects/acme-prod/topics/gcr",
        "pushConfig": {"pushEndpoint": "https://example.com/push"}});
    assert_eq!(
        talk.put(&ops, other, &body).await?.status,
        501,
        "nothing leaves this machine"
    );
    Ok(())
}

#[tokio::test]
async fn a_workload_pulls_where_the_subscription_itself_lets_it() -> Result<()> {
    let (talk, ops) = start().await?;
    publish(&talk, &ops, &["a"]).await?;
    let pod = talk.pod_token("controller").await?;
    let path = format!("{PULLED}:pull");
    assert_eq!(
        talk.post(&pod, &path, &json!({"maxMessages": 1}))
            .await?
            .status,
        403
    );
    let member = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/\
        acme-prod.svc.id.goog/subject/ns/argosy/sa/controller";
    let bindings = json!([{"role": "roles/pubsub.subscriber", "members": [member]}]);
    let policy = json!({"policy": {"bindings": bindings}});
    let set = talk
        .post(&ops, &format!("{PULLED}:setIamPolicy"), &policy)
        .await?;
    assert_eq!(set.status, 200, "{}", set.text);
    let read = talk
        .get(&ops, &format!("{PULLED}:getIamPolicy"))
        .await?
        .json()?;
    assert_eq!(read["bindings"], bindings);
    assert_eq!(pull(&talk, &pod).await?.0, ["a"]);
    assert_eq!(talk.get(&pod, TOPIC).await?.status, 403, "and nothing else");
    Ok(())
}

/// What an endpoint got: the headers and the body.
type Got = (HeaderMap, Value);

/// An endpoint that refuses the first request.
async fn endpoint() -> Result<(String, mpsc::Receiver<Got>)> {
    let (told, got) = mpsc::channel(16);
    let refused = Arc::new(Mutex::new(false));
    let take = async |State((told, refused)): State<(mpsc::Sender<Got>, Arc<Mutex<bool>>)>,
                      headers: HeaderMap,
                      body: String| {
        if !std::mem::replace(&mut *refused.lock(), true) {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        told.send((headers, serde_json::from_str(&body).unwrap_or_default()))
            .await
            .ok();
        StatusCode::NO_CONTENT
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}/push", listener.local_addr()?);
    let router = axum::Router::new()
        .route("/push", post(take))
        .with_state((told, refused));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok((url, got))
}

#[tokio::test]
async fn a_message_is_pushed_with_a_token_of_an_account_until_it_is_taken() -> Result<()> {
    let (talk, ops) = start().await?;
    let (url, mut got) = endpoint().await?;
    let path = "v1/projects/acme-prod/subscriptions/pushed";
    let body = json!({"topic": "projects/acme-prod/topics/gcr", "pushConfig": {
        "pushEndpoint": url, "oidcToken": {"serviceAccountEmail": WEB, "audience": "argosy"}}});
    let made = talk.put(&ops, path, &body).await?;
    assert_eq!(made.status, 200, "{}", made.text);
    let ids = publish(&talk, &ops, &["hello"]).await?;
    let (headers, body) = tokio::time::timeout(Duration::from_secs(20), got.recv())
        .await?
        .context("a message")?;
    let message = &body["message"];
    assert_eq!(
        body["subscription"],
        "projects/acme-prod/subscriptions/pushed"
    );
    assert_eq!(
        (
            &message["data"],
            &message["attributes"],
            &message["messageId"]
        ),
        (
            &json!(STANDARD.encode("hello")),
            &json!({"n": "hello"}),
            &ids[0]
        )
    );
    let token = headers["authorization"]
        .to_str()?
        .strip_prefix("Bearer ")
        .context("a token")?;
    let keys = talk.get("", "oauth2/v3/certs").await?.json()?;
    let keys: JwkSet = serde_json::from_value(keys)?;
    let kid = jsonwebtoken::decode_header(token)?.kid.context("a key")?;
    let key = DecodingKey::from_jwk(keys.find(&kid).context("a published key")?)?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&["argosy"]);
    validation.set_issuer(&["https://accounts.google.com"]);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &validation)?.claims;
    assert_eq!(
        (&claims["email"], &claims["email_verified"]),
        (&json!(WEB), &json!(true))
    );
    let pull_it = talk
        .post(&ops, &format!("{path}:pull"), &json!({"maxMessages": 1}))
        .await?;
    assert_eq!(pull_it.status, 400, "it is pushed");
    Ok(())
}

#[tokio::test]
async fn only_who_may_act_as_an_account_lets_it_push() -> Result<()> {
    let (talk, _) = start().await?;
    let project = ResourceName::project("acme-prod");
    talk.google()
        .grant("roles/pubsub.editor", "user:bob@acme.example", &project)?;
    let bob = talk
        .simulator
        .token_of("user:bob@acme.example")
        .context("a token")?;
    let path = "v1/projects/acme-prod/subscriptions/pushed";
    let body = json!({"topic": "projects/acme-prod/topics/gcr", "pushConfig": {
        "pushEndpoint": "http://127.0.0.1:1/", "oidcToken": {"serviceAccountEmail": WEB}}});
    assert_eq!(talk.put(&bob, path, &body).await?.status, 403);
    let account = ResourceName::service_account("acme-prod", WEB);
    talk.google().grant(
        "roles/iam.serviceAccountUser",
        "user:bob@acme.example",
        &account,
    )?;
    assert_eq!(talk.put(&bob, path, &body).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn messages_come_twice_in_another_order_or_never() -> Result<()> {
    let (talk, ops) = start().await?;
    let inject = |effect: Effect| {
        let fault = effect.on(PUBSUB).where_path_has("subscriptions/pulled");
        talk.google().inject(fault.times(1));
    };
    inject(Effect::PubsubDup);
    publish(&talk, &ops, &["a"]).await?;
    assert_eq!(pull(&talk, &ops).await?.0, ["a", "a"]);
    inject(Effect::PubsubReorder);
    publish(&talk, &ops, &["b", "c"]).await?;
    assert_eq!(pull(&talk, &ops).await?.0, ["c", "b"]);
    inject(Effect::PubsubDrop);
    publish(&talk, &ops, &["d", "e"]).await?;
    assert_eq!(pull(&talk, &ops).await?.0, ["e"]);
    Ok(())
}

#[tokio::test]
async fn a_topic_that_goes_leaves_its_subscriptions() -> Result<()> {
    let (talk, ops) = start().await?;
    let names = talk
        .get(&ops, &format!("{TOPIC}/subscriptions"))
        .await?
        .json()?;
    assert_eq!(
        names["subscriptions"],
        json!(["projects/acme-prod/subscriptions/pulled"])
    );
    let delete = async |path: &str| {
        let url = format!("http://{}/{path}", talk.simulator.apis);
        send(talk.http.delete(url).bearer_auth(&ops)).await
    };
    assert_eq!(delete(TOPIC).await?.status, 200);
    let shown = talk.get(&ops, PULLED).await?.json()?;
    assert_eq!(shown["topic"], "_deleted-topic_");
    assert_eq!(delete(PULLED).await?.status, 200);
    assert_eq!(talk.get(&ops, PULLED).await?.status, 404);
    let lists = talk
        .get(&ops, "v1/projects/acme-prod/topics")
        .await?
        .json()?;
    assert_eq!(lists, json!({}));
    Ok(())
}
