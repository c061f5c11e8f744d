//! Kubernetes accounts, exchanged at STS.

use super::*;

/// Reads one field of a form.
pub(super) fn field(body: &str, name: &str) -> String {
    let pairs = url::form_urlencoded::parse(body.as_bytes());
    let mut found = pairs.filter(|(key, _)| key == name);
    found
        .next()
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

async fn exchange(identities: &Identities) -> Result<Arc<Token>, TokenError> {
    let account = KubernetesAccount::new("web", "argosy-gcp");
    let request = |audience: String| async move {
        Ok::<_, std::io::Error>(Secret::new(format!("jwt for {audience}")))
    };
    identities
        .kubernetes(&account, "u-1", Scope::ReadOnly, request)
        .await
}

#[tokio::test]
async fn a_kubernetes_account_is_exchanged_as_gke_has_it() {
    let (server, _, identities) = gke().await;
    server.answer("/v1/token", [Reply::new(200, &granted("web", 3_599))]);
    for _ in 0..2 {
        let token = exchange(&identities).await.expect("a token");
        let (name, identity) = shown(&token);
        assert_eq!(name, "ya29.web");
        assert!(
            identity.ends_with("/acme-gke.svc.id.goog/subject/ns/web/sa/argosy-gcp"),
            "{identity}"
        );
    }
    let asked = server.seen("/v1/token");
    assert_eq!(asked.len(), 1);
    let body = &asked[0].body;
    assert_eq!(
        field(body, "audience"),
        "identitynamespace:acme-gke.svc.id.goog:https://container.googleapis.com/v1/projects/acme-gke/locations/europe-west1/clusters/one"
    );
    assert_eq!(field(body, "subject_token"), "jwt for acme-gke.svc.id.goog");
    assert_eq!(
        field(body, "subject_token_type"),
        "urn:ietf:params:oauth:token-type:jwt"
    );
    assert_eq!(
        field(body, "grant_type"),
        "urn:ietf:params:oauth:grant-type:token-exchange"
    );
    assert!(field(body, "scope").ends_with("cloud-platform.read-only"));
}

#[tokio::test]
async fn what_sts_refuses_is_told_apart() {
    let oauth = |error: &str, description: &str| {
        format!(r#"{{"error":"{error}","error_description":"{description}"}}"#)
    };
    for (status, body, label) in [
        (
            400,
            oauth("invalid_target", "The target service … doesn't exist."),
            "rejected",
        ),
        (
            400,
            oauth("invalid_grant", "ID Token issued at 1 is stale to sign-in."),
            "rejected",
        ),
        (
            400,
            oauth(
                "unauthorized_client",
                "rejected by the attribute condition.",
            ),
            "rejected",
        ),
        (
            400,
            oauth("x", "The request was throttled due to rate limit."),
            "rate-limited",
        ),
        (401, oauth("invalid_client", ""), "rejected"),
        (429, oauth("quota", ""), "rate-limited"),
        (500, oauth("internal", ""), "unavailable"),
        (400, "<html>".to_owned(), "unexpected"),
        (404, "<html>".to_owned(), "unexpected"),
        (200, "null".to_owned(), "malformed"),
        (
            200,
            r#"{"access_token":"ya29.a","token_type":"Bearer"}"#.to_owned(),
            "malformed",
        ),
    ] {
        let (server, _, identities) = gke().await;
        server.answer("/v1/token", [Reply::new(status, &body)]);
        let error = exchange(&identities).await.expect_err("a refusal");
        assert_eq!(error.label(), label, "{status} {body}");
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn a_kubernetes_token_that_is_not_to_be_had_names_the_account() {
    let (server, _, identities) = gke().await;
    let account = KubernetesAccount::new("web", "argosy-gcp");
    let request = |_| async { Err(std::io::Error::other("forbidden")) };
    let token = identities
        .kubernetes(&account, "u-1", Scope::ReadOnly, request)
        .await;
    let error = token.expect_err("no token");
    assert_eq!(
        error.to_string(),
        "failed to get a token of the Kubernetes account web/argosy-gcp"
    );
    assert!(server.seen("/v1/token").is_empty());
}
