//! Every answer to a request for a Project's token: what it means, whether others may act then, how long it is believed.

use serde_json::json;

use super::*;

const MINT: &str = "generateAccessToken";
const PAGE: &str = "<!DOCTYPE html><html><title>Error</title></html>";
const PERMISSION: &str =
    "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).";

/// What an answer comes to.
#[derive(Debug, Clone, Copy)]
struct Meaning {
    /// What metrics call it.
    label: &'static str,
    /// Whether somebody else may act for the Project then, where the policy lets them.
    others_may_act: bool,
    /// A second at which it is surely still believed, and one at which it surely is not any more.
    believed: Option<(i64, i64)>,
    /// What it costs to find out.
    requests: usize,
    /// Whether a token that is still good serves meanwhile.
    token_serves: bool,
}

/// Google's word that the account is not to be had.
const fn definite(label: &'static str, believed: (i64, i64)) -> Meaning {
    Meaning {
        label,
        others_may_act: true,
        believed: Some(believed),
        requests: 1,
        token_serves: true,
    }
}

/// What somebody has to mend: believed for a minute, less up to a fifth.
const fn to_mend(label: &'static str) -> Meaning {
    Meaning {
        label,
        others_may_act: false,
        believed: Some((47, 60)),
        requests: 1,
        token_serves: false,
    }
}

/// What is wrong with the request or with whoever answers.
const fn wrong(label: &'static str, requests: usize) -> Meaning {
    Meaning {
        label,
        others_may_act: false,
        believed: None,
        requests,
        token_serves: false,
    }
}

/// What may be over a moment later.
const fn passing(label: &'static str) -> Meaning {
    Meaning {
        label,
        others_may_act: false,
        believed: None,
        requests: 3,
        token_serves: true,
    }
}

/// An answer in the form of all of Google's APIs.
fn refused(status: u16, canonical: &str, message: &str, details: &[Value]) -> Reply {
    let mut error = json!({"code": status, "status": canonical, "message": message});
    if !details.is_empty() {
        error["details"] = json!(details);
    }
    Reply::new(status, &json!({ "error": error }).to_string())
}

fn denied(message: &str) -> Reply {
    refused(403, "PERMISSION_DENIED", message, &[])
}

/// A denial with one reason.
fn denied_for(reason: &str) -> Reply {
    let metadata = json!({
        "permission": "iam.serviceAccounts.getAccessToken", "service": "iamcredentials.googleapis.com",
        "consumer": "projects/4711", "uid": "a1B2",
    });
    let info = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
        "metadata": metadata,
    });
    refused(403, "PERMISSION_DENIED", PERMISSION, &[info])
}

/// Asks, and says what came of it: the label of a failure and whether it is definite.
async fn ask(identities: &Identities) -> Result<Arc<Token>, (&'static str, bool)> {
    let token = identities.own("web", Scope::ReadOnly).await;
    token.map_err(|error| (error.label(), error.is_definite()))
}

/// Lets IAM Credentials give an answer until it is no longer believed, then a token, and in the end the answer again.
async fn check(answer: Reply, meaning: Meaning) {
    let case = format!("{meaning:?}: {answer:?}");
    // So long a life that one that is refused is asked for again.
    let (server, hands, identities) = gke_with(|it| it.lifetime = Duration::from_hours(12)).await;
    let requests = || server.seen(MINT).len();
    let failure = (meaning.label, meaning.others_may_act);

    server.answer(MINT, [answer.clone()]);
    assert_eq!(ask(&identities).await.err(), Some(failure), "{case}");
    assert_eq!(requests(), meaning.requests, "{case}");
    let mut passed = 0;
    if let Some((still, no_more)) = meaning.believed {
        hands.advance(still);
        assert_eq!(ask(&identities).await.err(), Some(failure), "{case}");
        assert_eq!(requests(), meaning.requests, "it is believed: {case}");
        hands.advance(no_more - still);
        passed = no_more;
    }

    server.answer(MINT, [hour("web", passed)]);
    let token = ask(&identities).await.expect(&case);
    assert_eq!(shown(&token).0, "ya29.web", "{case}");
    assert_eq!(requests(), meaning.requests + 1, "{case}");

    server.answer(MINT, [answer]);
    hands.advance(3_310);
    let again = ask(&identities).await;
    assert_eq!(requests(), 2 * meaning.requests + 1, "{case}");
    match again {
        Ok(token) => {
            assert!(meaning.token_serves, "{case}");
            assert_eq!(shown(&token).0, "ya29.web", "{case}");
            // One definite word after a success is none yet.
            let expected = if meaning.others_may_act {
                "unconfirmed"
            } else {
                meaning.label
            };
            let doubt = token.doubt.as_ref().map(TokenError::label);
            assert_eq!(doubt, Some(expected), "{case}");
        }
        Err(found) => {
            assert!(!meaning.token_serves, "{case}");
            assert_eq!(found, failure, "{case}");
        }
    }
}

#[tokio::test]
async fn an_account_that_is_not_to_be_had_lets_others_act_and_is_believed_for_minutes() {
    let absent = definite("absent", (239, 300));
    for message in [
        "Not found; Gaia id not found for email kargo-project-web@acme-gke.iam.gserviceaccount.com",
        "Requested entity was not found.",
    ] {
        check(refused(404, "NOT_FOUND", message, &[]), absent).await;
    }
    let forbidden = definite("forbidden", (95, 120));
    for answer in [
        denied_for("IAM_PERMISSION_DENIED"),
        denied(PERMISSION),
        denied("The caller does not have permission"),
    ] {
        check(answer, forbidden).await;
    }
}

#[tokio::test]
async fn what_somebody_has_to_mend_lets_nobody_act_and_is_believed_for_a_minute() {
    for (reason, label) in [
        ("SERVICE_DISABLED", "api-disabled"),
        ("SECURITY_POLICY_VIOLATED", "policy"),
        ("ORG_RESTRICTION_VIOLATION", "policy"),
        ("LOCATION_ORG_POLICY_VIOLATED", "policy"),
        ("ACCESS_TOKEN_SCOPE_INSUFFICIENT", "scope"),
        ("BILLING_DISABLED", "consumer"),
        ("CONSUMER_SUSPENDED", "consumer"),
        ("CONSUMER_INVALID", "consumer"),
        ("USER_PROJECT_DENIED", "consumer"),
        // Nobody knows these, whatever they sound like.
        ("CONSUMER_ON_HOLIDAY", "refused"),
        ("A_NEW_REASON", "refused"),
    ] {
        check(denied_for(reason), to_mend(label)).await;
    }
    let perimeter =
        "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: a1B2";
    check(denied(perimeter), to_mend("policy")).await;
    check(denied("words that nobody knows"), to_mend("refused")).await;
}

#[tokio::test]
async fn what_is_wrong_lets_nobody_act_and_is_asked_for_again_at_once() {
    let bad = refused(400, "INVALID_ARGUMENT", "Scope required.", &[]);
    check(bad, wrong("refused", 1)).await;
    let disabled = "Service account x is disabled.";
    let disabled = refused(400, "FAILED_PRECONDITION", disabled, &[]);
    check(disabled, wrong("refused", 1)).await;
    check(Reply::new(400, LONG), wrong("lifetime", 2)).await;
    check(Reply::new(401, STALE), wrong("unauthenticated", 2)).await;
    for (status, body) in [
        (404, PAGE),
        (404, "Not Found"),
        (404, ""),
        (403, PAGE),
        (405, PAGE),
        (301, PAGE),
        (302, ""),
        (307, ""),
    ] {
        check(Reply::new(status, body), wrong("unexpected", 1)).await;
    }
    let no_method = refused(405, "", "Method not allowed", &[]);
    check(no_method, wrong("unexpected", 1)).await;
}

#[tokio::test]
async fn trouble_lets_nobody_act_is_tried_three_times_and_spares_the_token() {
    for status in [499, 500, 502, 503, 504] {
        check(Reply::new(status, PAGE), passing("unavailable")).await;
        // Whatever it says: the status is of trouble.
        let says_absent = refused(status, "NOT_FOUND", "Requested entity was not found.", &[]);
        check(says_absent, passing("unavailable")).await;
    }
    let quota = refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded", &[]);
    check(quota, passing("rate-limited")).await;
    for body in ["null", PAGE, r#"{"accessToken":"ya29."#, "{}"] {
        check(Reply::new(200, body), passing("malformed")).await;
    }
}

#[tokio::test]
async fn a_limit_lets_nobody_act_and_nobody_asks_earlier_than_it_says() {
    let limited = |seconds| Meaning {
        believed: Some((seconds - 1, seconds)),
        requests: 1,
        ..passing("rate-limited")
    };
    let retry = |delay: &str| json!({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay});
    // Nothing longer than an hour is believed.
    for (asked, seconds) in [
        ("40", 40),
        ("600", 600),
        ("3601", 3_600),
        ("18446744073709551615", 3_600),
        ("99999999999999999999999", 3_600),
    ] {
        let header = Reply::new(429, "").header("retry-after", asked);
        check(header, limited(seconds)).await;
        let quota = [retry(&format!("{asked}s"))];
        let quota = refused(429, "RESOURCE_EXHAUSTED", "Quota exceeded", &quota);
        check(quota, limited(seconds)).await;
    }
}
