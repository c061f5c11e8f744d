//! The token service, and what its tokens are worth.

use super::*;

const TOKEN: &str =
    "/v2/token?service=europe-west1-docker.pkg.dev&scope=repository:acme/apps/web:pull";

async fn fetch(front: &Front, authorization: Option<String>) -> String {
    let seen = front
        .send(Method::GET, TOKEN, authorization, Bytes::new())
        .await;
    assert_eq!(
        (seen.status, seen.json()["expires_in"].clone()),
        (StatusCode::OK, json!(43200))
    );
    seen.json()["token"].as_str().unwrap().to_owned()
}

async fn pull(front: &Front, path: &str, token: &str) -> u16 {
    let seen = front
        .send(
            Method::GET,
            path,
            Some(format!("Bearer {token}")),
            Bytes::new(),
        )
        .await;
    seen.status.as_u16()
}

#[tokio::test]
async fn a_login_gets_a_token_that_holds_an_access_token() {
    let front = Front::new();
    let token = fetch(
        &front,
        Some(basic("oauth2accesstoken", &front.token_of("reader"))),
    )
    .await;
    let inner: Value = serde_json::from_slice(&STANDARD.decode(&token).unwrap()).unwrap();
    assert_eq!(inner["product"], "artifactregistry");
    assert!(
        inner["access_token"]
            .as_str()
            .unwrap()
            .starts_with(crate::TOKEN_PREFIX)
    );
    assert_eq!(
        pull(&front, "/v2/acme/apps/web/manifests/v1", &token).await,
        200
    );
}

#[tokio::test]
async fn a_token_is_not_bound_to_its_scope_but_to_what_iam_allows() {
    let front = Front::new();
    let token = fetch(
        &front,
        Some(basic("oauth2accesstoken", &front.token_of("reader"))),
    )
    .await;
    assert_eq!(
        pull(&front, "/v2/acme/open/web/manifests/v1", &token).await,
        200
    );
    assert_eq!(
        pull(&front, "/v2/acme/frozen/web/manifests/v1", &token).await,
        403
    );
}

#[tokio::test]
async fn a_token_dies_with_the_access_token_in_it() {
    let front = Front::new();
    let token = fetch(&front, Some(basic("_token", &front.token_of("reader")))).await;
    front.google.clock().advance(SignedDuration::from_mins(61));
    let seen = front
        .send(
            Method::GET,
            "/v2/",
            Some(format!("Bearer {token}")),
            Bytes::new(),
        )
        .await;
    assert_eq!(
        (seen.status.as_u16(), seen.header("www-authenticate")),
        (401, None)
    );
}

#[tokio::test]
async fn what_a_policy_says_counts_at_the_next_request() {
    let front = Front::new();
    let token = fetch(
        &front,
        Some(basic("oauth2accesstoken", &front.token_of("reader"))),
    )
    .await;
    let apps = crate::resource::ResourceName::repository("acme", "europe-west1", "apps");
    front
        .google
        .revoke(
            "roles/artifactregistry.reader",
            "user:reader@acme.example",
            &apps,
        )
        .unwrap();
    assert_eq!(
        pull(&front, "/v2/acme/apps/web/manifests/v1", &token).await,
        403
    );
}

#[tokio::test]
async fn a_login_that_fails_says_so_in_other_words() {
    let seen = Front::new()
        .send(
            Method::GET,
            TOKEN,
            Some(basic("oauth2accesstoken", "bogus")),
            Bytes::new(),
        )
        .await;
    assert_eq!(
        seen.refusal(),
        (
            401,
            "UNAUTHORIZED".to_owned(),
            "authentication failed".to_owned()
        )
    );
    assert_eq!(seen.header("www-authenticate"), None);
}

#[tokio::test]
async fn tokens_are_fetched_not_posted() {
    let seen = Front::new()
        .send(Method::POST, "/v2/token", None, Bytes::new())
        .await;
    assert_eq!(seen.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn nobody_gets_a_token_only_for_what_is_public() {
    let front = Front::new();
    let ask = async |scope: &str| {
        let seen = front
            .send(
                Method::GET,
                &format!("/v2/token?scope={scope}"),
                None,
                Bytes::new(),
            )
            .await;
        (seen.status.as_u16(), seen.refusal().2)
    };
    assert_eq!(ask("").await.0, 200);
    assert_eq!(ask("registry:catalog:*").await.0, 200);
    assert_eq!(ask("repository:acme/open/web:pull").await.0, 200);
    let (status, message) = ask("repository:acme/apps/web:pull").await;
    assert_eq!(status, 403);
    assert!(
        message.starts_with(
            "Unauthenticated request. Unauthenticated requests do not have permission"
        ),
        "{message}"
    );
    assert!(
        ask("repository:acme/open/web:pull,push")
            .await
            .1
            .contains("uploadArtifacts")
    );
}

#[tokio::test]
async fn an_access_token_is_taken_as_it_is() {
    let front = Front::new();
    let token = front.token_of("reader");
    assert_eq!(
        pull(&front, "/v2/acme/apps/web/manifests/v1", &token).await,
        200
    );
    let seen = front
        .send(
            Method::GET,
            "/v2/",
            Some(basic("oauth2accesstoken", &token)),
            Bytes::new(),
        )
        .await;
    assert_eq!(seen.status, StatusCode::OK);
}

#[tokio::test]
async fn a_loopback_name_is_sent_back_to_itself() {
    let seen = Front::new()
        .send_to("127.0.0.1:5000", Method::GET, "/v2/", None, Bytes::new())
        .await;
    assert_eq!(
        seen.header("www-authenticate"),
        Some(r#"Bearer realm="http://127.0.0.1:5000/v2/token""#)
    );
}
