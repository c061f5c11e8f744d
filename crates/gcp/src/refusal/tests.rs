//! The table of refusals: status and body, and what they mean.

use serde_json::{Value, json};

use super::*;

const ACCOUNT: &str = "kargo-project-web@acme-gke.iam.gserviceaccount.com";
const CALLER: &str = "principal://iam.googleapis.com/x";

fn info(reason: &str, metadata: &Value) -> Value {
    json!({"@type": ERROR_INFO, "reason": reason, "domain": "googleapis.com", "metadata": metadata})
}

fn envelope(code: u16, status: &str, message: &str, details: &[Value]) -> String {
    let mut error = json!({"code": code, "status": status, "message": message});
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    json!({ "error": error }).to_string()
}

fn denied(message: &str, details: &[Value]) -> String {
    envelope(403, "PERMISSION_DENIED", message, details)
}

fn read(status: u16, headers: &[(&'static str, &str)], body: &str) -> TokenError {
    let asked = Asked {
        account: Some(ACCOUNT),
        caller: CALLER,
    };
    classify(&Answer::of(status, headers, body), asked)
}

/// Checks label and message: what metrics count and what people read.
fn check(status: u16, body: &str, label: &str, message: &str) {
    let error = read(status, &[], body);
    assert_eq!(error.label(), label, "{status} {body}");
    assert_eq!(error.to_string(), message, "{status} {body}");
    assert!(!error.hint().is_empty());
}

const PERMISSION: &str =
    "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).";
const HTML: &str = "<!DOCTYPE html><html><title>Error 404 (Not Found)!!1</title></html>";

#[test]
fn an_account_is_absent_only_by_googles_own_not_found() {
    let absent =
        r#"there is no service account "kargo-project-web@acme-gke.iam.gserviceaccount.com""#;
    for message in [
        "Not found; Gaia id not found for email kargo-project-web@acme-gke.iam.gserviceaccount.com",
        "Requested entity was not found.",
    ] {
        check(
            404,
            &envelope(404, "NOT_FOUND", message, &[]),
            "absent",
            absent,
        );
    }
    let unexpected = "google answered HTTP 404 in a way Google does not";
    for body in [
        HTML,
        "Not Found",
        "",
        "null",
        "{}",
        r#"{"error":"not_found"}"#,
        &envelope(404, "", "Requested entity was not found.", &[]),
        &envelope(403, "NOT_FOUND", "another code within", &[]),
        &envelope(404, "NOT_FOUND", "Method not found.", &[]),
    ] {
        check(404, body, "unexpected", unexpected);
    }
}

#[test]
fn an_account_is_forbidden_only_by_the_one_permission() {
    let forbidden = "not allowed to act as \"kargo-project-web@acme-gke.iam.gserviceaccount.com\": \
         principal://iam.googleapis.com/x lacks iam.serviceAccounts.getAccessToken";
    let permission = json!({"permission": GET_ACCESS_TOKEN});
    let missing = [info("IAM_PERMISSION_DENIED", &permission)];
    for body in [
        denied(PERMISSION, &missing),
        denied("words that nobody knows", &missing),
        denied(PERMISSION, &[]),
        denied("The caller does not have permission", &[]),
    ] {
        check(403, &body, "forbidden", forbidden);
    }
    let other = json!({"permission": "iam.serviceAccounts.actAs"});
    for body in [
        denied(PERMISSION, &[info("IAM_PERMISSION_DENIED", &other)]),
        denied(PERMISSION, &[info("IAM_PERMISSION_DENIED", &json!({}))]),
        denied(PERMISSION, &[info("A_NEW_REASON", &permission)]),
        denied(PERMISSION, &[missing[0].clone(), missing[0].clone()]),
        denied(
            PERMISSION,
            &[json!({"@type": "type.googleapis.com/google.rpc.Help"})],
        ),
        denied("This service account is disabled.", &[]),
        envelope(403, "FAILED_PRECONDITION", PERMISSION, &[]),
    ] {
        assert_eq!(read(403, &[], &body).label(), "refused", "{body}");
    }
    for body in [HTML, "Forbidden", "", "null"] {
        assert_eq!(read(403, &[], body).label(), "unexpected", "{body}");
    }
}

#[test]
fn a_disabled_api_is_named_with_its_project() {
    let metadata = json!({"consumer": "projects/4711", "service": "iamcredentials.googleapis.com"});
    let body = denied(
        "IAM Service Account Credentials API has not been used in project 4711 before or it is disabled.",
        &[info("SERVICE_DISABLED", &metadata)],
    );
    check(
        403,
        &body,
        "api-disabled",
        "the API iamcredentials.googleapis.com is disabled in project 4711",
    );
    assert_eq!(
        read(403, &[], &body).hint(),
        "gcloud services enable iamcredentials.googleapis.com --project=4711"
    );
}

#[test]
fn policies_scopes_and_consumers_are_no_missing_grants() {
    let uid = json!({"uid": "a1B2"});
    let consumer = json!({"consumer": "projects/4711"});
    let perimeter =
        "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: a1B2";
    let violation =
        json!({"@type": PRECONDITION_FAILURE, "violations": [{"type": "VPC_SERVICE_CONTROLS"}]});
    let policy = "a policy of the organization forbids the request to google: ";
    for (details, message, label, said) in [
        (
            vec![info("SECURITY_POLICY_VIOLATED", &uid)],
            "",
            "policy",
            format!("{policy}VPC Service Controls"),
        ),
        (
            vec![],
            perimeter,
            "policy",
            format!("{policy}VPC Service Controls"),
        ),
        (
            vec![violation],
            "",
            "policy",
            format!("{policy}VPC Service Controls"),
        ),
        (
            vec![info("ORG_RESTRICTION_VIOLATION", &consumer)],
            "",
            "policy",
            format!("{policy}ORG_RESTRICTION_VIOLATION"),
        ),
        (
            vec![info("LOCATION_ORG_POLICY_VIOLATED", &consumer)],
            "",
            "policy",
            format!("{policy}LOCATION_ORG_POLICY_VIOLATED"),
        ),
        (
            vec![info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", &json!({}))],
            "Request had insufficient authentication scopes.",
            "scope",
            "the scope of the token that was shown to google is too narrow".to_owned(),
        ),
        (
            vec![info("BILLING_DISABLED", &consumer)],
            "",
            "consumer",
            "google does not serve 4711: BILLING_DISABLED".to_owned(),
        ),
        (
            vec![info("CONSUMER_SUSPENDED", &consumer)],
            "",
            "consumer",
            "google does not serve 4711: CONSUMER_SUSPENDED".to_owned(),
        ),
        (
            vec![info("CONSUMER_INVALID", &consumer)],
            "",
            "consumer",
            "google does not serve 4711: CONSUMER_INVALID".to_owned(),
        ),
        (
            vec![info("USER_PROJECT_DENIED", &consumer)],
            "",
            "consumer",
            "google does not serve 4711: USER_PROJECT_DENIED".to_owned(),
        ),
    ] {
        check(403, &denied(message, &details), label, &said);
    }
    let error = read(403, &[], &denied(perimeter, &[]));
    assert!(error.hint().contains("a1B2"), "{}", error.hint());
    let scope = [info("ACCESS_TOKEN_SCOPE_INSUFFICIENT", &json!({}))];
    let hint = read(403, &[], &denied("", &scope)).hint();
    // A token of the controller's has all scopes, unless a node's are narrower.
    assert!(hint.ends_with("argosy gcp doctor"), "{hint}");
    assert!(!hint.contains("--gcp-token-scope"), "{hint}");
}

#[test]
fn what_is_asked_for_wrongly_is_refused_and_a_lifetime_is_told_apart() {
    let long = "Access tokens for service account x can not have lifetimes of more than 1 hour. Use the Org Policy \
        Constraint constraints/iam.allowServiceAccountCredentialLifetimeExtension to allow up to 12 hours.";
    let body = envelope(400, "INVALID_ARGUMENT", long, &[]);
    assert_eq!(read(400, &[], &body).label(), "lifetime");
    let zero = "Lifetime of access token must be larger then zero.";
    check(
        400,
        &envelope(400, "INVALID_ARGUMENT", zero, &[]),
        "refused",
        "google refused with HTTP 400: Lifetime of access token must be larger then zero.",
    );
    assert_eq!(read(400, &[], HTML).label(), "unexpected");
}

#[test]
fn a_token_that_is_not_taken_is_said_with_the_reason() {
    let expired = envelope(
        401,
        "UNAUTHENTICATED",
        "Request had …",
        &[info("ACCESS_TOKEN_EXPIRED", &json!({}))],
    );
    let said = "google does not take the token that was shown: ";
    check(
        401,
        &expired,
        "unauthenticated",
        &format!("{said}ACCESS_TOKEN_EXPIRED"),
    );
    check(401, HTML, "unauthenticated", &format!("{said}HTTP 401"));
}

#[test]
fn limits_say_how_long_to_wait() {
    let retry = json!({"@type": RETRY_INFO, "retryDelay": "7.5s"});
    let body = envelope(429, "RESOURCE_EXHAUSTED", "Quota exceeded", &[retry]);
    let after = |headers: &[_], body: &str| match read(429, headers, body) {
        TokenError::RateLimited { retry_after, .. } => retry_after,
        other => panic!("{other:?}"),
    };
    assert_eq!(after(&[], &body), Some(Duration::from_millis(7_500)));
    assert_eq!(
        after(&[("retry-after", "3")], &body),
        Some(Duration::from_secs(3))
    );
    for body in [
        HTML,
        "",
        "null",
        &envelope(429, "RESOURCE_EXHAUSTED", "", &[]),
    ] {
        assert_eq!(after(&[], body), None);
    }
    let odd = json!({"@type": RETRY_INFO, "retryDelay": "-1e999s"});
    assert_eq!(after(&[], &envelope(429, "", "", &[odd])), None);
}

#[test]
fn trouble_of_the_server_is_never_a_decision() {
    for status in [499, 500, 502, 503, 504, 599] {
        for body in [
            HTML,
            "",
            &envelope(404, "NOT_FOUND", "Requested entity was not found.", &[]),
            &envelope(status, "UNAVAILABLE", "later", &[]),
        ] {
            assert_eq!(
                read(status, &[], body).label(),
                "unavailable",
                "{status} {body}"
            );
        }
    }
}

#[test]
fn redirects_and_wrong_methods_come_from_something_else() {
    for status in [301, 302, 307, 405, 418] {
        assert_eq!(read(status, &[], HTML).label(), "unexpected", "{status}");
    }
    let body = envelope(405, "", "", &[]);
    assert_eq!(read(405, &[], &body).label(), "unexpected");
}

#[test]
fn without_an_account_nothing_is_absent_or_forbidden() {
    let asked = Asked {
        account: None,
        caller: CALLER,
    };
    for (status, body) in [
        (
            404,
            envelope(404, "NOT_FOUND", "Requested entity was not found.", &[]),
        ),
        (403, denied(PERMISSION, &[])),
    ] {
        let error = classify(&Answer::of(status, &[], &body), asked);
        assert_eq!(error.label(), "refused", "{body}");
    }
}

#[test]
fn what_google_echoes_is_not_shown() {
    let message = "Token ya29.c.secret is bad, so is eyJhbGciOi.eyJpc3Mi.c2ln";
    let details = [info(
        "ya29.c.secret",
        &json!({"uid": "ya29.c.secret", "consumer": "ya29.c.secret"}),
    )];
    for code in [400, 401, 403, 404, 409, 429, 500] {
        for details in [&[] as &[Value], &details] {
            let error = read(
                code,
                &[],
                &envelope(code, "PERMISSION_DENIED", message, details),
            );
            let shown = format!("{error} {error:?} {}", error.hint());
            assert!(!shown.contains("ya29"), "{shown}");
            assert!(!shown.contains("eyJ"), "{shown}");
        }
    }
}
