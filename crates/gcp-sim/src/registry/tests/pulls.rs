//! Manifests and blobs on their way out.

use super::*;

#[tokio::test]
async fn a_manifest_comes_by_tag_and_by_digest() {
    let front = Front::new();
    let by_tag = front.get("/v2/acme/apps/web/manifests/v1", "reader").await;
    let digest = by_tag.header("docker-content-digest").unwrap();
    assert_eq!(
        digest,
        crate::registry::digest::Digest::of(&by_tag.body).to_string()
    );
    let by_digest = front
        .get(&format!("/v2/acme/apps/web/manifests/{digest}"), "reader")
        .await;
    assert_eq!(by_digest.body, by_tag.body);
    assert_eq!(
        by_digest.header("content-type"),
        Some("application/vnd.oci.image.manifest.v1+json")
    );
}

#[tokio::test]
async fn a_head_has_the_length_and_no_body() {
    let front = Front::new();
    let path = "/v2/acme/apps/web/manifests/v1";
    let length = front.get(path, "reader").await.body.len().to_string();
    let head = front
        .send(
            Method::HEAD,
            path,
            Some(front.bearer("reader")),
            Bytes::new(),
        )
        .await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    assert_eq!(head.header("content-length"), Some(length.as_str()));
}

#[tokio::test]
async fn a_blob_is_fetched_from_an_address_that_needs_no_credential() {
    let front = Front::new();
    let manifest = front
        .get("/v2/acme/apps/web/manifests/v1", "reader")
        .await
        .json();
    let config = manifest["config"]["digest"].as_str().unwrap();
    let seen = front
        .get(&format!("/v2/acme/apps/web/blobs/{config}"), "reader")
        .await;
    assert_eq!(seen.status, StatusCode::FOUND);
    let address = seen.header("location").unwrap();
    assert!(
        address.starts_with("/artifacts-downloads/namespaces/acme/repositories/apps/downloads/")
    );
    let blob = front.send(Method::GET, address, None, Bytes::new()).await;
    assert_eq!(blob.json()["created"], "2026-01-01T00:00:00Z");
    front.google.clock().advance(SignedDuration::from_hours(1));
    let late = front.send(Method::GET, address, None, Bytes::new()).await;
    assert_eq!(late.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_blob_of_one_repository_is_not_read_through_another() {
    let front = Front::new();
    let manifest = front
        .get("/v2/acme/frozen/web/manifests/v1", "admin")
        .await
        .json();
    let config = manifest["config"]["digest"].as_str().unwrap();
    let seen = front
        .get(&format!("/v2/acme/apps/web/blobs/{config}"), "reader")
        .await;
    assert_eq!(seen.refusal().1, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn an_index_leads_to_the_image_of_a_platform() {
    let front = Front::new();
    let index = front
        .get("/v2/acme/apps/web/front/manifests/v1", "reader")
        .await
        .json();
    let arm = &index["manifests"][1];
    assert_eq!(
        arm["platform"],
        json!({"os": "linux", "architecture": "arm", "variant": "v7"})
    );
    let path = format!(
        "/v2/acme/apps/web/front/manifests/{}",
        arm["digest"].as_str().unwrap()
    );
    assert_eq!(front.get(&path, "reader").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_made_image_is_pulled_like_any_other() {
    let front = Front::new();
    let manifest = front
        .get("/v2/acme/apps/many/manifests/1.1011.1999", "reader")
        .await;
    assert_eq!(manifest.status, StatusCode::OK);
    for blob in ["/config/digest", "/layers/0/digest"] {
        let digest = manifest
            .json()
            .pointer(blob)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned();
        let seen = front
            .get(&format!("/v2/acme/apps/many/blobs/{digest}"), "reader")
            .await;
        let bytes = front
            .send(
                Method::GET,
                seen.header("location").unwrap(),
                None,
                Bytes::new(),
            )
            .await
            .body;
        assert_eq!(
            crate::registry::digest::Digest::of(&bytes).to_string(),
            digest
        );
    }
}

#[tokio::test]
async fn hosts_of_container_registry_serve_the_repository_of_their_name() {
    let front = Front::new();
    let pull = async |host: &str, path: &str| {
        front
            .send_to(
                host,
                Method::GET,
                path,
                Some(front.bearer("admin")),
                Bytes::new(),
            )
            .await
    };
    assert_eq!(
        pull("gcr.io", "/v2/acme/web/manifests/v1").await.status,
        StatusCode::OK
    );
    assert_eq!(
        pull("us-docker.pkg.dev", "/v2/acme/gcr.io/web/manifests/v1")
            .await
            .status,
        StatusCode::OK
    );
    let other = pull("eu.gcr.io", "/v2/acme/web/manifests/v1").await;
    assert_eq!(other.refusal().2, "Repository \"eu.gcr.io\" not found");
    let other = pull("us-docker.pkg.dev", "/v2/acme/apps/web/manifests/v1").await;
    assert_eq!(
        other.refusal().1,
        "NAME_UNKNOWN",
        "the host names the location"
    );
}

#[tokio::test]
async fn a_loopback_name_serves_repositories_of_every_location() {
    let front = Front::new();
    for path in [
        "/v2/acme/apps/web/manifests/v1",
        "/v2/acme/gcr.io/web/manifests/v1",
    ] {
        let seen = front
            .send_to(
                "127.0.0.1:5000",
                Method::GET,
                path,
                Some(front.bearer("admin")),
                Bytes::new(),
            )
            .await;
        assert_eq!(seen.status, StatusCode::OK, "{path}");
    }
}
