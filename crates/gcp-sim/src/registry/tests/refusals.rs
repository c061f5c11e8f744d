//! Every refusal of the Docker API that was recorded, word for word.
//!
//! Sources: recorded answers in <https://github.com/e6qu/sockerless-cloud>,
//! <https://github.com/google/go-containerregistry>

use super::*;

const PULL: &str = "artifactregistry.repositories.downloadArtifacts";

#[track_caller]
fn assert_refused(seen: &Seen, status: u16, code: &str, message: &str, challenge: Option<&str>) {
    let expected = json!({"errors": [{"code": code, "message": message}]});
    assert_eq!((seen.status.as_u16(), seen.json()), (status, expected));
    assert_eq!(seen.header("www-authenticate"), challenge);
    assert_eq!(
        seen.header("docker-distribution-api-version"),
        Some("registry/2.0")
    );
    assert_eq!(seen.header("content-type"), Some("application/json"));
}

async fn check_nobody(method: Method, path: &str, message: &str, challenge: &str) {
    let seen = Front::new().send(method, path, None, Bytes::new()).await;
    assert_refused(&seen, 401, "UNAUTHORIZED", message, Some(challenge));
}

#[tokio::test]
async fn nobody_is_told_where_tokens_are() {
    let challenge = r#"Bearer realm="https://europe-west1-docker.pkg.dev/v2/token""#;
    check_nobody(
        Method::GET,
        "/v2/",
        "not authenticated: No credential was supplied.",
        challenge,
    )
    .await;
}

#[tokio::test]
async fn nobody_is_told_what_to_ask_a_token_for() {
    let message = "not authenticated: No valid credential was supplied.";
    let start = r#"Bearer realm="https://europe-west1-docker.pkg.dev/v2/token",service="europe-west1-docker.pkg.dev",scope="#;
    for (method, path, scope) in [
        (
            Method::GET,
            "/v2/acme/apps/web/manifests/v1",
            "repository:acme/apps/web:pull",
        ),
        (
            Method::GET,
            "/v2/acme/apps/web/tags/list",
            "repository:acme/apps/web:pull",
        ),
        (
            Method::PUT,
            "/v2/acme/apps/web/manifests/v1",
            "repository:acme/apps/web:pull,push",
        ),
        (
            Method::POST,
            "/v2/acme/apps/web/blobs/uploads/",
            "repository:acme/apps/web:pull,push",
        ),
        (
            Method::DELETE,
            "/v2/acme/apps/web/manifests/v1",
            "repository:acme/apps/web:pull,push",
        ),
        (
            Method::GET,
            "/v2/acme/apps/manifests/v1",
            "repository:acme/apps/pkg:pull",
        ),
    ] {
        check_nobody(method, path, message, &format!("{start}\"{scope}\"")).await;
    }
}

#[tokio::test]
async fn a_credential_that_is_no_good_gets_no_challenge() {
    let front = Front::new();
    let expired = front.bearer("reader");
    front.google.clock().advance(SignedDuration::from_mins(61));
    let bogus = || Some("Bearer bogus".to_owned());
    for authorization in [
        bogus(),
        Some(basic("oauth2accesstoken", "bogus")),
        Some(basic("somebody", "x")),
        Some(expired),
    ] {
        let seen = front
            .send(
                Method::GET,
                "/v2/acme/apps/web/manifests/v1",
                authorization,
                Bytes::new(),
            )
            .await;
        assert_refused(
            &seen,
            401,
            "UNAUTHORIZED",
            "No valid credential was supplied.",
            None,
        );
    }
    let seen = front.send(Method::GET, "/v2/", bogus(), Bytes::new()).await;
    assert_refused(
        &seen,
        401,
        "UNAUTHORIZED",
        "No valid credential was supplied.",
        None,
    );
}

#[tokio::test]
async fn a_path_of_one_component_is_refused_before_anything_else() {
    let seen = Front::new()
        .send(Method::GET, "/v2/acme/manifests/v1", None, Bytes::new())
        .await;
    assert_refused(
        &seen,
        400,
        "NAME_INVALID",
        "invalid number of path components: 1",
        None,
    );
}

#[tokio::test]
async fn whoever_may_not_pull_is_not_told_whether_the_repository_exists() {
    let front = Front::new();
    for repository in ["apps", "missing"] {
        let seen = front
            .get(
                &format!("/v2/acme/{repository}/web/manifests/v1"),
                "stranger",
            )
            .await;
        let message = format!(
            "Permission \"{PULL}\" denied on resource \"projects/acme/locations/europe-west1/repositories/{repository}\" (or it may not exist)"
        );
        assert_refused(&seen, 403, "DENIED", &message, None);
    }
    let seen = front
        .get("/v2/nobodys/apps/web/manifests/v1", "admin")
        .await;
    assert_eq!(
        (seen.status.as_u16(), seen.refusal().1.as_str()),
        (403, "DENIED")
    );
}

#[tokio::test]
async fn whoever_may_pull_may_not_push() {
    let front = Front::new();
    let path = "/v2/acme/apps/web/blobs/uploads/";
    let seen = front
        .send(
            Method::POST,
            path,
            Some(front.bearer("reader")),
            Bytes::new(),
        )
        .await;
    let message = "Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource \"projects/acme/locations/europe-west1/repositories/apps\" (or it may not exist)";
    assert_refused(&seen, 403, "DENIED", message, None);
    let path = "/v2/acme/apps/web/manifests/v1";
    let seen = front
        .send(
            Method::DELETE,
            path,
            Some(front.bearer("writer")),
            Bytes::new(),
        )
        .await;
    assert!(
        seen.refusal()
            .2
            .contains("artifactregistry.repositories.deleteArtifacts")
    );
}

#[tokio::test]
async fn nobody_with_a_token_is_called_unauthenticated() {
    let front = Front::new();
    let token = front
        .send(Method::GET, "/v2/token", None, Bytes::new())
        .await
        .json();
    let bearer = Some(format!("Bearer {}", token["token"].as_str().unwrap()));
    let seen = front
        .send(
            Method::GET,
            "/v2/acme/apps/web/manifests/v1",
            bearer.clone(),
            Bytes::new(),
        )
        .await;
    let message = format!(
        "Unauthenticated request. Unauthenticated requests do not have permission \"{PULL}\" on resource \"projects/acme/locations/europe-west1/repositories/apps\" (or it may not exist)"
    );
    assert_refused(&seen, 403, "DENIED", &message, None);
    let seen = front
        .send(
            Method::GET,
            "/v2/acme/open/web/manifests/v1",
            bearer,
            Bytes::new(),
        )
        .await;
    assert_eq!(seen.status, StatusCode::OK, "a public repository");
}

#[tokio::test]
async fn whoever_may_know_is_told_what_is_missing() {
    let front = Front::new();
    let blob = format!("sha256:{}", "0".repeat(64));
    for (path, code, message) in [
        (
            "/v2/acme/missing/web/manifests/v1",
            "NAME_UNKNOWN",
            "Repository \"missing\" not found",
        ),
        (
            "/v2/acme/apps/web/manifests/v9",
            "MANIFEST_UNKNOWN",
            "Failed to fetch \"v9\"",
        ),
        (
            "/v2/acme/apps/other/manifests/v1",
            "MANIFEST_UNKNOWN",
            "Failed to fetch \"v1\"",
        ),
        (
            &format!("/v2/acme/apps/web/blobs/{blob}"),
            "BLOB_UNKNOWN",
            &format!("Failed to fetch \"{blob}\""),
        ),
    ] {
        assert_refused(&front.get(path, "admin").await, 404, code, message, None);
    }
}

#[tokio::test]
async fn a_disabled_api_is_named_with_its_project() {
    let seen = Front::new()
        .get("/v2/closed/apps/web/manifests/v1", "admin")
        .await;
    let (status, code, message) = seen.refusal();
    assert_eq!((status, code.as_str()), (403, "DENIED"));
    assert!(
        message.starts_with(
            "Artifact Registry API has not been used in project 999 before or it is disabled."
        ),
        "{message}"
    );
}

#[tokio::test]
async fn a_token_may_be_too_narrow() {
    let front = Front::new();
    let send = async |scope: &str, method: Method, path: &str| {
        let token = front.token_with_scope("writer", scope);
        front
            .send(method, path, Some(format!("Bearer {token}")), Bytes::new())
            .await
            .status
            .as_u16()
    };
    let (manifest, upload) = (
        "/v2/acme/apps/web/manifests/v1",
        "/v2/acme/apps/web/blobs/uploads/",
    );
    let read_only = "https://www.googleapis.com/auth/devstorage.read_only";
    assert_eq!(send(read_only, Method::GET, manifest).await, 200);
    assert_eq!(send(read_only, Method::POST, upload).await, 403);
    assert_eq!(
        send(
            "https://www.googleapis.com/auth/userinfo.email",
            Method::GET,
            manifest
        )
        .await,
        403
    );
}
