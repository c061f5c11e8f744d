//! Whose tokens are asked for, how often, and what is made of the answers.

mod answers;
mod external;
mod kubernetes;
mod node;
mod unanswered;

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::loopback::{Hands, Loopback, Reply, generated, granted, start};

const MISSING: &str = r#"{"error":{"code":404,"status":"NOT_FOUND","message":"Not found; Gaia id not found for email x"}}"#;
const STALE: &str = r#"{"error":{"code":401,"status":"UNAUTHENTICATED","message":"stale"}}"#;
const LONG: &str = r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","message":"Access tokens for service account x can not have lifetimes of more than 1 hour."}}"#;

async fn gke() -> (Loopback, Hands, Identities) {
    gke_with(|_| {}).await
}

async fn gke_with(change: impl FnOnce(&mut Settings)) -> (Loopback, Hands, Identities) {
    let (server, hands) = (Loopback::start().await, Hands::new());
    server.answer_as_gke();
    let mut settings = Settings::new(server.endpoints());
    change(&mut settings);
    let identities = crate::loopback::identities(settings, &hands);
    (server, hands, identities)
}

/// A token for an hour from some second of the test.
fn hour(name: &str, seconds: i64) -> Reply {
    generated(name, start() + jiff::SignedDuration::from_secs(seconds))
}

fn shown(token: &Token) -> (&str, String) {
    (token.access_token.expose(), token.identity.to_string())
}

#[tokio::test]
async fn a_project_acts_as_its_own_account() {
    let (server, _, identities) = gke().await;
    server.answer("generateAccessToken", [hour("web", 0)]);
    let token = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect("a token");
    let email = "kargo-project-web@acme-gke.iam.gserviceaccount.com";
    assert_eq!(
        shown(&token),
        ("ya29.web", format!("serviceAccount:{email}"))
    );
    let asked = server.seen("generateAccessToken");
    let path = format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
    assert_eq!(asked[0].uri.path(), path);
    assert_eq!(asked[0].headers["authorization"], "Bearer ya29.base");
    let body: Value = serde_json::from_str(&asked[0].body).expect("JSON");
    let scope = "https://www.googleapis.com/auth/cloud-platform.read-only";
    assert_eq!(
        body,
        serde_json::json!({"scope": [scope], "lifetime": "3600s"})
    );
}

#[tokio::test]
async fn the_project_of_the_account_may_have_a_scope() {
    for (project, host) in [
        (
            "example.com:acme",
            "acme.example.com.iam.gserviceaccount.com",
        ),
        ("eu0:acme", "acme.eu0.iam.gserviceaccount.com"),
    ] {
        let (server, _, identities) = gke().await;
        server.answer("project/project-id", [Reply::metadata(project)]);
        server.answer("generateAccessToken", [hour("web", 0)]);
        let token = identities
            .own("web", Scope::ReadOnly)
            .await
            .expect("a token");
        let member = format!("serviceAccount:kargo-project-web@{host}");
        assert_eq!(token.identity.to_string(), member);
    }
}

#[tokio::test]
async fn scopes_share_no_token() {
    let (server, _, identities) = gke().await;
    server.answer("generateAccessToken", [hour("read", 0), hour("push", 0)]);
    let read = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect("a token");
    let push = identities
        .own("web", Scope::CloudPlatform)
        .await
        .expect("a token");
    assert_eq!(read.access_token.expose(), "ya29.read");
    assert_eq!(push.access_token.expose(), "ya29.push");
}

#[tokio::test]
async fn a_thousand_callers_cost_one_call_to_each_service() {
    let (server, _, identities) = gke().await;
    server.answer(
        "generateAccessToken",
        [hour("web", 0).after(Duration::from_millis(50))],
    );
    let callers = (0..1_000).map(|_| {
        let identities = identities.clone();
        tokio::spawn(async move { identities.own("web", Scope::ReadOnly).await.is_ok() })
    });
    let callers: Vec<_> = callers.collect();
    for caller in callers {
        assert!(caller.await.expect("no panic"));
    }
    for part in ["generateAccessToken", "default/token", "project-id"] {
        let asked = server.seen(part).len();
        assert_eq!(asked, 1, "{part}");
    }
}

#[tokio::test]
async fn a_name_that_no_account_can_have_is_absent_without_a_request() {
    let (server, _, identities) = gke().await;
    let error = identities.own("seventeen-letters", Scope::ReadOnly).await;
    match error.expect_err("no account") {
        TokenError::Absent { account, why } => {
            assert_eq!(account, "kargo-project-seventeen-letters");
            assert_eq!(why, crate::Absence::Name);
        }
        other => panic!("{other:?}"),
    }
    assert!(server.seen("/").is_empty());
}

#[tokio::test]
async fn an_absent_account_is_asked_for_once_in_five_minutes() {
    let (server, hands, identities) = gke().await;
    server.answer("generateAccessToken", [Reply::new(404, MISSING)]);
    for _ in 0..3 {
        let error = identities.own("web", Scope::ReadOnly).await;
        assert_eq!(error.expect_err("no account").label(), "absent");
    }
    assert_eq!(server.seen("generateAccessToken").len(), 1);
    hands.advance(301);
    drop(identities.own("web", Scope::ReadOnly).await);
    assert_eq!(server.seen("generateAccessToken").len(), 2);
}

#[tokio::test]
async fn a_base_token_that_is_not_taken_is_fetched_anew_once() {
    let (server, _, identities) = gke().await;
    let bases = ["stale", "new"].map(|name| Reply::metadata(&granted(name, 3_600)));
    server.answer("default/token", bases);
    server.answer(
        "generateAccessToken",
        [Reply::new(401, STALE), hour("web", 0)],
    );
    assert!(identities.own("web", Scope::ReadOnly).await.is_ok());
    let asked = server.seen("generateAccessToken");
    let shown: Vec<_> = asked
        .iter()
        .map(|it| it.headers["authorization"].clone())
        .collect();
    assert_eq!(shown, ["Bearer ya29.stale", "Bearer ya29.new"]);

    server.answer("generateAccessToken", [Reply::new(401, STALE)]);
    let error = identities
        .own("api", Scope::ReadOnly)
        .await
        .expect_err("not taken");
    assert_eq!(error.label(), "unauthenticated");
    assert_eq!(server.seen("generateAccessToken").len(), 4);
}

#[tokio::test]
async fn a_lifetime_that_is_too_long_is_asked_for_once_more_as_an_hour() {
    let (server, _, identities) = gke_with(|it| it.lifetime = Duration::from_hours(12)).await;
    server.answer(
        "generateAccessToken",
        [Reply::new(400, LONG), hour("web", 0)],
    );
    assert!(identities.own("web", Scope::ReadOnly).await.is_ok());
    let asked = server.seen("generateAccessToken");
    assert!(asked[0].body.contains("43200s") && asked[1].body.contains("3600s"));
    server.answer("generateAccessToken", [Reply::new(400, LONG)]);
    let error = identities
        .own("api", Scope::ReadOnly)
        .await
        .expect_err("too long");
    assert_eq!(error.label(), "lifetime");
    assert_eq!(server.seen("generateAccessToken").len(), 4);
}

#[tokio::test]
async fn trouble_is_tried_three_times_and_a_limit_is_respected() {
    let (server, _, identities) = gke().await;
    server.answer("generateAccessToken", [Reply::new(503, "<html>")]);
    let error = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect_err("trouble");
    assert_eq!(error.label(), "unavailable");
    assert_eq!(server.seen("generateAccessToken").len(), 3);
    let limited = Reply::new(429, "").header("retry-after", "600");
    server.answer("generateAccessToken", [limited]);
    for _ in 0..2 {
        let error = identities
            .own("web", Scope::ReadOnly)
            .await
            .expect_err("a limit");
        let ten = Some(Duration::from_mins(10));
        assert!(
            matches!(error, TokenError::RateLimited { retry_after, .. } if retry_after == ten),
            "{error:?}"
        );
    }
    assert_eq!(server.seen("generateAccessToken").len(), 4);
    let passing = [
        Reply::new(429, ""),
        Reply::new(502, "<html>"),
        hour("api", 0),
    ];
    server.answer("generateAccessToken", passing);
    assert!(identities.own("api", Scope::ReadOnly).await.is_ok());
}

#[tokio::test]
async fn a_grant_that_flaps_keeps_the_token_and_one_that_is_gone_takes_it() {
    let (server, hands, identities) = gke().await;
    server.answer("generateAccessToken", [hour("web", 0)]);
    assert!(identities.own("web", Scope::ReadOnly).await.is_ok());
    server.answer("generateAccessToken", [Reply::new(404, MISSING)]);
    server.answer("default/token", [Reply::metadata(&granted("base", 90_000))]);
    hands.advance(3_310);
    let token = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect("the old token");
    assert_eq!(token.access_token.expose(), "ya29.web");
    assert_eq!(
        token.doubt.as_ref().map(TokenError::label),
        Some("unconfirmed")
    );
    hands.advance(31);
    let error = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect_err("said twice");
    assert_eq!(error.label(), "absent");
}

#[tokio::test]
async fn a_token_is_renewed_while_callers_still_get_the_old_one() {
    let (server, hands, identities) = gke().await;
    server.answer("generateAccessToken", [hour("old", 0), hour("new", 3_200)]);
    assert!(identities.own("web", Scope::ReadOnly).await.is_ok());
    hands.advance(3_200);
    let token = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect("a token");
    assert_eq!(token.access_token.expose(), "ya29.old");
    let renewed = async {
        loop {
            let token = identities
                .own("web", Scope::ReadOnly)
                .await
                .expect("a token");
            if token.access_token.expose() == "ya29.new" {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    let renewed = tokio::time::timeout(Duration::from_secs(20), renewed).await;
    assert!(renewed.is_ok());
    assert_eq!(server.seen("generateAccessToken").len(), 2);
}

#[tokio::test]
async fn a_token_that_a_registry_turned_down_is_asked_for_once_more() {
    let (server, _, identities) = gke().await;
    server.answer("generateAccessToken", [hour("old", 0), hour("new", 0)]);
    let token = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect("a token");
    assert!(identities.invalidate(&token));
    assert!(!identities.invalidate(&token));
    let token = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect("a token");
    assert_eq!(token.access_token.expose(), "ya29.new");
}

#[tokio::test]
async fn a_token_that_is_held_for_both_scopes_is_forgotten_for_both() {
    let (server, _, identities) = gke().await;
    let scopes = [Scope::ReadOnly, Scope::CloudPlatform];
    let base = async |scope| identities.base(scope).await.expect("a token");
    let old = base(scopes[0]).await;
    assert!(base(scopes[1]).await.is(&old), "the server gives the same");
    server.answer("default/token", [Reply::metadata(&granted("new", 3_600))]);
    assert!(identities.invalidate(&old));
    for scope in scopes {
        assert_eq!(base(scope).await.access_token.expose(), "ya29.new");
    }
}

#[tokio::test]
async fn the_controller_is_named_exactly_where_its_account_is_known() {
    let (_server, _, identities) = gke().await;
    let token = identities.base(Scope::ReadOnly).await.expect("a token");
    assert_eq!(
        shown(&token),
        ("ya29.base", "acme-gke.svc.id.goog".to_owned())
    );
    let account = KubernetesAccount::new("argosy", "controller");
    let (_server, _, identities) = gke_with(|it| it.account = Some(account)).await;
    let token = identities.base(Scope::ReadOnly).await.expect("a token");
    assert_eq!(
        token.identity.to_string(),
        "principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/\
         acme-gke.svc.id.goog/subject/ns/argosy/sa/controller"
    );
}

#[tokio::test]
async fn nothing_that_is_printed_holds_a_token() {
    let (server, _, identities) = gke().await;
    server.answer("generateAccessToken", [hour("web", 0)]);
    let token = identities
        .own("web", Scope::ReadOnly)
        .await
        .expect("a token");
    let printed = format!(
        "{token:?} {:?} {identities:?} {:?}",
        token.access_token,
        identities.metadata()
    );
    assert!(!printed.contains("ya29"), "{printed}");
    assert!(printed.contains("****"), "{printed}");
}
