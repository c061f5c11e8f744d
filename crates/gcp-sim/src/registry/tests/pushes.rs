//! Blobs and manifests on their way in.

use super::*;
use crate::registry::digest::Digest;
use crate::registry::manifest::{IMAGE, INDEX};

async fn send(front: &Front, method: Method, path: &str, body: impl Into<Bytes>) -> Seen {
    front
        .send(method, path, Some(front.bearer("admin")), body.into())
        .await
}

/// Pushes a blob as container tools do, following each address that the registry gives.
async fn push_blob(front: &Front, image: &str, bytes: &[u8]) -> String {
    let digest = Digest::of(bytes).to_string();
    let begun = send(
        front,
        Method::POST,
        &format!("/v2/{image}/blobs/uploads/"),
        "",
    )
    .await;
    assert_eq!(begun.status, StatusCode::ACCEPTED);
    let part = send(
        front,
        Method::PATCH,
        begun.header("location").unwrap(),
        bytes.to_vec(),
    )
    .await;
    assert_eq!(part.status, StatusCode::ACCEPTED);
    let end = format!("{}?digest={digest}", part.header("location").unwrap());
    let done = send(front, Method::PUT, &end, "").await;
    assert_eq!(
        (done.status, done.header("docker-content-digest")),
        (StatusCode::CREATED, Some(digest.as_str()))
    );
    digest
}

pub(super) async fn push_image(front: &Front, image: &str, tag: &str, created: &str) -> Seen {
    let config = format!(r#"{{"created":"{created}","os":"linux","architecture":"amd64"}}"#);
    let (config, size) = (
        push_blob(front, image, config.as_bytes()).await,
        config.len(),
    );
    let layer = push_blob(front, image, b"layer").await;
    let manifest = json!({"schemaVersion": 2, "mediaType": IMAGE, "config": {"digest": config, "size": size}, "layers": [{"digest": layer, "size": 5}]});
    send(
        front,
        Method::PUT,
        &format!("/v2/{image}/manifests/{tag}"),
        manifest.to_string(),
    )
    .await
}

#[tokio::test]
async fn a_pushed_image_is_pulled_and_listed() {
    let front = Front::new();
    let pushed = push_image(&front, "acme/apps/api", "v1", "2026-02-01T00:00:00Z").await;
    assert_eq!(pushed.status, StatusCode::CREATED);
    let digest = pushed.header("docker-content-digest").unwrap();
    let listing = front
        .get("/v2/acme/apps/api/tags/list", "reader")
        .await
        .json();
    assert_eq!(
        listing["manifest"][digest]["timeCreatedMs"],
        "1769904000000"
    );
    assert_eq!(
        listing["manifest"][digest]["timeUploadedMs"],
        NOW.as_millisecond().to_string()
    );
    assert_eq!(listing["tags"], json!(["v1"]));
}

#[tokio::test]
async fn an_upload_goes_on_where_google_sends_it() {
    let front = Front::new();
    let begun = send(&front, Method::POST, "/v2/acme/apps/api/blobs/uploads/", "").await;
    let first = begun.header("location").unwrap();
    assert!(
        first.starts_with("/artifacts-uploads/namespaces/acme/repositories/apps/uploads/"),
        "{first}"
    );
    let part = front
        .send(Method::PATCH, first, None, Bytes::from_static(b"layer"))
        .await;
    let second = part.header("location").unwrap();
    assert!(
        second.starts_with("/v2/acme/apps/pkg/blobs/uploads/"),
        "{second}"
    );
    assert_eq!(part.header("range"), Some("0-4"));
    let again = front
        .send(Method::PATCH, second, None, Bytes::from_static(b"more"))
        .await;
    assert_eq!(
        again.refusal().1,
        "BLOB_UPLOAD_INVALID",
        "a blob comes in one piece"
    );
}

#[tokio::test]
async fn a_blob_that_is_not_what_it_says_is_refused() {
    let front = Front::new();
    let path = format!(
        "/v2/acme/apps/api/blobs/uploads/?digest={}",
        Digest::of(b"other")
    );
    assert_eq!(
        send(&front, Method::POST, &path, "layer").await.refusal().1,
        "DIGEST_INVALID"
    );
    let path = format!(
        "/v2/acme/apps/api/blobs/uploads/?digest={}",
        Digest::of(b"layer")
    );
    assert_eq!(
        send(&front, Method::POST, &path, "layer").await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_blob_is_mounted_only_from_where_the_caller_may_pull() {
    let front = Front::new();
    let layer = push_blob(&front, "acme/frozen/web", b"secret").await;
    let path = format!("/v2/acme/apps/web/blobs/uploads/?mount={layer}&from=acme/frozen/web");
    let refused = front
        .send(
            Method::POST,
            &path,
            Some(front.bearer("writer")),
            Bytes::new(),
        )
        .await;
    assert_eq!(
        refused.status,
        StatusCode::ACCEPTED,
        "an upload begins instead"
    );
    assert_eq!(
        send(&front, Method::POST, &path, "").await.status,
        StatusCode::CREATED
    );
}

#[tokio::test]
async fn a_manifest_is_refused_before_what_it_refers_to() {
    let front = Front::new();
    let missing = Digest::of(b"missing").to_string();
    let image = json!({"mediaType": IMAGE, "config": {"digest": missing, "size": 7}, "layers": []});
    let index = json!({"mediaType": INDEX, "manifests": [{"digest": missing, "size": 7}]});
    for manifest in [image, index] {
        let seen = send(
            &front,
            Method::PUT,
            "/v2/acme/apps/api/manifests/v1",
            manifest.to_string(),
        )
        .await;
        assert_eq!(seen.refusal().1, "MANIFEST_BLOB_UNKNOWN");
    }
    let seen = send(
        &front,
        Method::PUT,
        "/v2/acme/apps/api/manifests/v1",
        "not json",
    )
    .await;
    assert_eq!(seen.refusal().1, "MANIFEST_INVALID");
}

#[tokio::test]
async fn an_immutable_tag_neither_moves_nor_goes() {
    let front = Front::new();
    let seen = push_image(&front, "acme/frozen/web", "v1", "2026-02-01T00:00:00Z").await;
    let message = "cannot update tag v1. The repository has enabled tag immutability";
    assert_eq!(
        seen.refusal(),
        (400, "MANIFEST_INVALID".to_owned(), message.to_owned())
    );
    let seen = send(
        &front,
        Method::DELETE,
        "/v2/acme/frozen/web/manifests/v1",
        "",
    )
    .await;
    assert_eq!(seen.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        push_image(&front, "acme/frozen/web", "v2", "2026-02-01T00:00:00Z")
            .await
            .status,
        StatusCode::CREATED
    );
    let again = push_image(&front, "acme/frozen/web", "v2", "2026-02-01T00:00:00Z").await;
    assert_eq!(again.status, StatusCode::CREATED, "the same content");
}

#[tokio::test]
async fn deleting_a_tag_leaves_the_manifest_and_deleting_that_leaves_nothing() {
    let front = Front::new();
    let digest = push_image(&front, "acme/apps/api", "v1", "2026-02-01T00:00:00Z").await;
    let digest = digest.header("docker-content-digest").unwrap().to_owned();
    let by_digest = format!("/v2/acme/apps/api/manifests/{digest}");
    assert_eq!(
        send(&front, Method::DELETE, "/v2/acme/apps/api/manifests/v1", "")
            .await
            .status,
        StatusCode::ACCEPTED
    );
    assert_eq!(front.get(&by_digest, "reader").await.status, StatusCode::OK);
    assert_eq!(
        send(&front, Method::DELETE, &by_digest, "").await.status,
        StatusCode::ACCEPTED
    );
    assert_eq!(
        front
            .get("/v2/acme/apps/api/tags/list", "reader")
            .await
            .refusal()
            .1,
        "NAME_UNKNOWN"
    );
}

#[tokio::test]
async fn what_refers_to_a_manifest_is_found_by_it() {
    let front = Front::new();
    let subject = front.get("/v2/acme/apps/web/manifests/v1", "reader").await;
    let subject = subject.header("docker-content-digest").unwrap().to_owned();
    let config = push_blob(&front, "acme/apps/web", b"{}").await;
    let signature = json!({"mediaType": IMAGE, "artifactType": "application/vnd.dev.signature", "config": {"digest": config, "size": 2},
        "layers": [], "subject": {"digest": subject, "size": 1}, "annotations": {"by": "ann"}});
    let digest = Digest::of(signature.to_string().as_bytes()).to_string();
    let pushed = send(
        &front,
        Method::PUT,
        &format!("/v2/acme/apps/web/manifests/{digest}"),
        signature.to_string(),
    )
    .await;
    assert_eq!(pushed.header("oci-subject"), Some(subject.as_str()));
    let list = async |query: &str| {
        front
            .get(
                &format!("/v2/acme/apps/web/referrers/{subject}{query}"),
                "reader",
            )
            .await
    };
    let all = list("").await;
    assert_eq!(all.header("content-type"), Some(INDEX));
    assert_eq!(
        all.json()["manifests"][0]["artifactType"],
        "application/vnd.dev.signature"
    );
    assert_eq!(
        all.json()["manifests"][0]["annotations"],
        json!({"by": "ann"})
    );
    let other = list("?artifactType=application/other").await;
    assert_eq!(
        (
            other.json()["manifests"].clone(),
            other.header("oci-filters-applied")
        ),
        (json!([]), Some("artifactType"))
    );
}
