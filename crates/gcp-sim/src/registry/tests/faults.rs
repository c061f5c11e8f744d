//! What goes wrong on purpose.

use super::*;
use crate::faults::Effect;
use crate::registry::REGISTRY;

const MANIFEST: &str = "/v2/acme/apps/web/manifests/v1";

#[tokio::test]
async fn a_burst_of_too_many_requests_is_worded_by_the_registry() {
    let front = Front::new();
    front.google.inject(
        Effect::TooManyRequests {
            retry_after: Some(7),
        }
        .on(REGISTRY)
        .times(1),
    );
    let seen = front.get(MANIFEST, "reader").await;
    let message = "Quota exceeded for quota metric 'Requests per project per region' and limit 'Requests per project per region per minute per region' of service 'artifactregistry.googleapis.com' for consumer 'project_number:123456789012'.";
    assert_eq!(
        seen.refusal(),
        (429, "TOOMANYREQUESTS".to_owned(), message.to_owned())
    );
    assert_eq!(seen.header("retry-after"), Some("7"));
    assert_eq!(front.get(MANIFEST, "reader").await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_access_token_may_end_within_a_registry_token_that_goes_on() {
    let front = Front::new();
    front
        .google
        .inject(Effect::RegistryNoChallenge.on(REGISTRY).times(1));
    let seen = front.get(MANIFEST, "reader").await;
    assert_eq!(
        (seen.status.as_u16(), seen.header("www-authenticate")),
        (401, None)
    );
    assert_eq!(seen.refusal().2, "No valid credential was supplied.");
    assert_eq!(front.get(MANIFEST, "reader").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_long_list_may_end_without_a_link() {
    let front = Front::new();
    front.google.inject(Effect::TagsWithoutLink.on(REGISTRY));
    let seen = front
        .get("/v2/acme/apps/many/tags/list?n=10000", "reader")
        .await;
    assert_eq!(seen.json()["tags"].as_array().unwrap().len(), 10_000);
    assert_eq!(seen.header("link"), None);
}

#[tokio::test]
async fn an_answer_may_be_cut_off_and_the_service_be_down() {
    let front = Front::new();
    let whole = front.get(MANIFEST, "reader").await.body;
    front
        .google
        .inject(Effect::TruncatedJson.on(REGISTRY).times(1));
    assert_eq!(
        front.get(MANIFEST, "reader").await.body,
        whole.slice(..whole.len() / 2)
    );
    front
        .google
        .inject(Effect::Unavailable.on(REGISTRY).times(1));
    assert_eq!(front.get(MANIFEST, "reader").await.refusal().0, 503);
}

#[tokio::test]
async fn a_fault_hits_only_whom_it_is_for() {
    let front = Front::new();
    let mut fault = Effect::Unavailable.on(REGISTRY);
    fault.scope.principal = Some("user:reader@acme.example".to_owned());
    front.google.inject(fault);
    assert_eq!(
        front.get(MANIFEST, "reader").await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    assert_eq!(front.get(MANIFEST, "writer").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn the_list_of_a_whole_host_may_be_slow() {
    let front = Front::new();
    let slow = Effect::RegistrySlowCatalog {
        milliseconds: 20_000,
    };
    front.google.inject(slow.on(REGISTRY));
    let start = tokio::time::Instant::now();
    assert_eq!(
        front.get("/v2/_catalog", "reader").await.status,
        StatusCode::OK
    );
    assert!(start.elapsed() >= std::time::Duration::from_secs(20));
}

#[tokio::test]
async fn a_list_of_tags_may_be_the_standards() {
    let front = Front::new();
    front
        .google
        .inject(Effect::TagsWithoutExtension.on(REGISTRY).times(1));
    let plain = front.get("/v2/acme/apps/web/tags/list", "reader").await;
    assert_eq!(
        plain.json(),
        json!({"name": "acme/apps/web", "tags": ["latest", "v1"]})
    );
    let whole = front.get("/v2/acme/apps/web/tags/list", "reader").await;
    assert!(whole.json()["manifest"].is_object());
}
