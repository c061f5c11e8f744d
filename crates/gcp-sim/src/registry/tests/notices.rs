//! What the topic `gcr` hears of pushes and deletions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::pushes::push_image;
use super::*;
use crate::resource::ResourceName;
use crate::world::{SeedImage, Subscription, Topic};

const IMAGE: &str = "europe-west1-docker.pkg.dev/acme/apps/api";

/// A registry whose project has the topic and a subscription.
fn front() -> Front {
    let front = Front::new();
    front
        .google
        .enable_api("acme", "pubsub.googleapis.com")
        .unwrap();
    front.google.change(|world| {
        let project = world.project_mut("acme").unwrap();
        let name = "gcr".to_owned();
        project.topics.push(Topic {
            name,
            ..Topic::default()
        });
        project.subscriptions.push(Subscription {
            name: "pushes".to_owned(),
            topic: "projects/acme/topics/gcr".to_owned(),
            ..Subscription::default()
        });
    });
    front
}

fn heard(front: &Front) -> Vec<Value> {
    let name = ResourceName::subscription("acme", "pushes");
    let subscription = front
        .google
        .read(|world| world.subscription("acme", "pushes").cloned())
        .unwrap();
    front
        .google
        .messages()
        .data_of_all(&name, &subscription, NOW)
        .iter()
        .map(|data| serde_json::from_slice(&STANDARD.decode(data).unwrap()).unwrap())
        .collect()
}

async fn delete(front: &Front, reference: &str) {
    let path = format!("/v2/acme/apps/api/manifests/{reference}");
    let seen = front
        .send(
            Method::DELETE,
            &path,
            Some(front.bearer("admin")),
            Bytes::new(),
        )
        .await;
    assert_eq!(seen.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_push_is_announced_by_digest_and_by_tag() {
    let front = front();
    let pushed = push_image(&front, "acme/apps/api", "v1", "2026-02-01T00:00:00Z").await;
    let digest = pushed.header("docker-content-digest").unwrap();
    let inserted = json!({"action": "INSERT", "digest": format!("{IMAGE}@{digest}")});
    let mut tagged = inserted.clone();
    tagged["tag"] = json!(format!("{IMAGE}:v1"));
    assert_eq!(heard(&front), [inserted, tagged]);
    push_image(&front, "acme/apps/api", "v2", "2026-02-01T00:00:00Z").await;
    let again = heard(&front);
    assert_eq!(again.len(), 1, "the digest is known: {again:?}");
    assert_eq!(again[0]["tag"], format!("{IMAGE}:v2"));
}

#[tokio::test]
async fn a_deletion_is_announced_by_what_is_gone() {
    let front = front();
    let pushed = push_image(&front, "acme/apps/api", "v1", "2026-02-01T00:00:00Z").await;
    let digest = pushed.header("docker-content-digest").unwrap().to_owned();
    push_image(&front, "acme/apps/api", "v2", "2026-02-01T00:00:00Z").await;
    heard(&front);
    delete(&front, "v1").await;
    assert_eq!(
        heard(&front),
        [json!({"action": "DELETE", "tag": format!("{IMAGE}:v1")})]
    );
    delete(&front, &digest).await;
    assert_eq!(
        heard(&front),
        [
            json!({"action": "DELETE", "tag": format!("{IMAGE}:v2")}),
            json!({"action": "DELETE", "digest": format!("{IMAGE}@{digest}")}),
        ]
    );
}

#[tokio::test]
async fn what_is_pushed_from_rust_is_announced_too() {
    let front = front();
    let repository = ("acme", "europe-west1", "apps");
    let seed = SeedImage {
        name: "api".to_owned(),
        tags: vec!["v1".to_owned(), "latest".to_owned()],
        ..SeedImage::default()
    };
    front.registry.push(repository, &seed);
    let told: Vec<Value> = heard(&front).iter().map(|it| it["tag"].clone()).collect();
    assert_eq!(
        told,
        [
            Value::Null,
            json!(format!("{IMAGE}:v1")),
            json!(format!("{IMAGE}:latest"))
        ]
    );
    assert!(front.registry.delete(repository, "api", "v1"));
    assert_eq!(heard(&front).len(), 3);
}

#[tokio::test]
async fn nobody_hears_without_the_topic_or_the_api() {
    let front = front();
    front
        .google
        .disable_api("acme", "pubsub.googleapis.com")
        .unwrap();
    push_image(&front, "acme/apps/api", "v1", "2026-02-01T00:00:00Z").await;
    assert!(heard(&front).is_empty());
    front
        .google
        .enable_api("acme", "pubsub.googleapis.com")
        .unwrap();
    front
        .google
        .change(|world| world.project_mut("acme").unwrap().topics.clear());
    push_image(&front, "acme/apps/api", "v2", "2026-02-01T00:00:00Z").await;
    assert!(heard(&front).is_empty());
}
