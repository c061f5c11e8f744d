//! One golden file per refusal: status, content type and body.

use std::path::Path;

use super::*;

const EMAIL: &str = "kargo-project-web@acme-prod.iam.gserviceaccount.com";
const CREDENTIALS: &str = "iamcredentials.googleapis.com";
const MINT: &str = "google.iam.credentials.v1.IAMCredentials.GenerateAccessToken";

fn table() -> Vec<(&'static str, Refusal)> {
    vec![
        ("account-not-found", Refusal::account_not_found(EMAIL)),
        (
            "permission-denied",
            Refusal::permission_denied("iam.serviceAccounts.getAccessToken"),
        ),
        (
            "permission-denied-on",
            Refusal::permission_denied_on(
                "artifactregistry.repositories.get",
                "//artifactregistry.googleapis.com/projects/acme-prod/locations/europe/repositories/apps",
            ),
        ),
        (
            "caller-does-not-have-permission",
            Refusal::caller_does_not_have_permission(),
        ),
        (
            "service-disabled",
            Refusal::service_disabled(CREDENTIALS, "IAM Service Account Credentials API", 7),
        ),
        (
            "credentials-missing",
            Refusal::credentials_missing().in_method(CREDENTIALS, MINT),
        ),
        (
            "token-expired",
            Refusal::token_expired().in_method(CREDENTIALS, MINT),
        ),
        (
            "token-not-known",
            Refusal::token_not_known().in_method(CREDENTIALS, MINT),
        ),
        (
            "account-state-invalid",
            Refusal::account_state_invalid(EMAIL).in_method(CREDENTIALS, MINT),
        ),
        (
            "scope-insufficient",
            Refusal::scope_insufficient().in_method(CREDENTIALS, MINT),
        ),
        (
            "invalid-field",
            Refusal::invalid_field("scope", "Scope required."),
        ),
        (
            "unknown-field",
            Refusal::unknown_field("bindigns", "policy"),
        ),
        ("lifetime-not-positive", Refusal::lifetime_not_positive()),
        ("lifetime-too-long", Refusal::lifetime_too_long(EMAIL)),
        (
            "quota-exceeded",
            Refusal::quota_exceeded(CREDENTIALS, 7, Some(3)),
        ),
        (
            "security-policy-violated",
            Refusal::security_policy_violated(CREDENTIALS, "abc-1"),
        ),
        (
            "user-project-denied",
            Refusal::user_project_denied("acme-prod", CREDENTIALS),
        ),
        ("account-disabled", Refusal::account_disabled(EMAIL)),
        ("etag-conflict", Refusal::etag_conflict()),
        ("member-not-permitted", Refusal::member_not_permitted()),
        ("unavailable", Refusal::unavailable()),
        ("bad-gateway-page", Refusal::bad_gateway_page()),
        ("no-such-route", Refusal::no_such_route("/v9/<nothing>")),
        ("not-simulated", Refusal::not_simulated("no such thing")),
    ]
}

#[tokio::test]
async fn every_refusal_is_as_its_golden_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/refusals");
    let mut wrong = Vec::new();
    for (name, refusal) in table() {
        let found = written(refusal.into_response()).await;
        let file = folder.join(format!("{name}.http"));
        let expected = std::fs::read_to_string(&file).unwrap_or_default();
        if found != expected {
            wrong.push(format!(
                "{}: expected\n{expected}\nfound\n{found}",
                file.display()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Spells a response as it would stand on the wire, without what depends on the day.
async fn written(response: Response) -> String {
    use std::fmt::Write as _;
    let (head, body) = response.into_parts();
    let mut text = format!("{}\n", head.status);
    for name in [
        header::CONTENT_TYPE,
        header::WWW_AUTHENTICATE,
        header::RETRY_AFTER,
    ] {
        if let Some(value) = head.headers.get(&name) {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    writeln!(text, "\n{}", String::from_utf8_lossy(&body).trim_end()).unwrap();
    text
}
