//! A metadata server that is there, late, wrong or gone.

use std::time::Duration;

use tokio::sync::Notify;

use super::*;
use crate::loopback::{Closed, Hands, Loopback, QUICK, Reply, granted, quick, say};

/// Gives up early, for what does not pass.
const BRIEF: Pace = Pace { tries: 2, ..QUICK };

fn metadata(url: &Url, pace: Pace) -> Metadata {
    Metadata::paced(url.clone(), Hands::new().clock(), quick(pace))
}

fn later() -> Instant {
    QUICK.deadline()
}

async fn token_error(reply: Reply) -> TokenError {
    let server = Loopback::start().await;
    server.answer("token", [reply]);
    let token = metadata(&server.url, BRIEF)
        .token(&of_gke(), Scope::ReadOnly, later())
        .await;
    token.expect_err("an error")
}

/// Whoever the server of GKE names.
fn of_gke() -> Account {
    Account {
        identity: Identity::parse("acme-gke.svc.id.goog").expect("a pool"),
        is_of_node: false,
    }
}

#[tokio::test]
async fn project_cluster_and_account_are_read_and_remembered() {
    let server = Loopback::start().await;
    server.answer_as_gke();
    let metadata = metadata(&server.url, QUICK);
    for _ in 0..2 {
        let project = metadata.project_id().await.expect("a project");
        assert_eq!(project.as_str(), "acme-gke");
        assert_eq!(metadata.project_number().await.expect("a number").0, 4_711);
        assert_eq!(metadata.cluster_name().await.expect("a name"), "one");
        assert_eq!(
            metadata.cluster_location().await.expect("a place"),
            "europe-west1"
        );
    }
    let account = metadata.account_until(later()).await;
    let account = account.expect("an account").identity;
    assert_eq!(account.to_string(), "acme-gke.svc.id.goog");
    let seen = server.seen("/computeMetadata/v1/");
    assert_eq!(seen.len(), 5);
    assert!(
        seen.iter()
            .all(|it| it.headers["metadata-flavor"] == "Google")
    );
}

#[tokio::test]
async fn an_account_has_three_shapes_and_no_fourth() {
    for (email, shown) in [
        ("acme-gke.svc.id.goog", "acme-gke.svc.id.goog"),
        (
            "a@acme-gke.iam.gserviceaccount.com",
            "serviceAccount:a@acme-gke.iam.gserviceaccount.com",
        ),
        (
            "principal://iam.googleapis.com/p/subject/ns/a/sa/b",
            "principal://iam.googleapis.com/p/subject/ns/a/sa/b",
        ),
    ] {
        let server = Loopback::start().await;
        server.answer("email", [Reply::metadata(email)]);
        let account = metadata(&server.url, BRIEF).account_until(later()).await;
        let account = account.expect("an account").identity;
        assert_eq!(account.to_string(), shown);
    }
    let server = Loopback::start().await;
    server.answer("email", [Reply::metadata("<html>")]);
    let error = metadata(&server.url, BRIEF)
        .account_until(later())
        .await
        .expect_err("no account");
    assert_eq!(error.label(), "malformed");
}

#[tokio::test]
async fn a_token_is_asked_for_with_its_scope() {
    let server = Loopback::start().await;
    server.answer("token", [Reply::metadata(&granted("a", 3_599))]);
    let token = metadata(&server.url, QUICK)
        .token(&of_gke(), Scope::ReadOnly, later())
        .await;
    assert!(token.is_ok());
    let seen = server.seen("instance/service-accounts/default/token");
    let query = seen[0].uri.query().expect("a query");
    assert_eq!(
        query,
        "scopes=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-platform.read-only"
    );
}

#[tokio::test]
async fn a_late_server_is_waited_for() {
    let (closed, attempts) = (Closed::new(), Arc::new(Notify::new()));
    let told = Arc::clone(&attempts);
    let http = Http::new(QUICK, Arc::new(move |_| told.notify_one()));
    let metadata = Metadata::paced(closed.url(), Hands::new().clock(), http);
    let asking =
        tokio::spawn(async move { metadata.token(&of_gke(), Scope::ReadOnly, later()).await });
    attempts.notified().await;
    let server = closed.open();
    server.answer(
        "token",
        [
            Reply::new(500, "GKE Metadata Server: Internal Server Error"),
            Reply::new(404, "Not Found\n"),
            Reply::new(499, ""),
            Reply::metadata(&granted("gone", 0)),
            Reply::metadata(&granted("a", 3_599)),
        ],
    );
    let token = asking.await.expect("no panic").expect("a token");
    let identity = Identity::Federated(String::new());
    assert_eq!(token.of(identity).access_token.expose(), "ya29.a");
}

#[tokio::test]
async fn a_server_that_is_later_than_one_request_waits_is_never_given_up() {
    let closed = Closed::new();
    let metadata = metadata(&closed.url(), BRIEF);
    let error = metadata.project_id().await.expect_err("nobody is there");
    assert_eq!(error.label(), "unreachable");
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let waiting = tokio::spawn(async move {
        let tell = |error: &TokenError| told.send(error.label()).expect("a listener");
        metadata.wait(tell).await
    });
    assert_eq!(heard.recv().await, Some("unreachable"));
    let server = closed.open();
    server.answer("project-id", [Reply::metadata("acme-gke")]);
    assert_eq!(waiting.await.expect("no panic").as_str(), "acme-gke");
}

#[tokio::test]
async fn all_who_wait_share_an_attempt_and_its_failure_and_the_next_ask_anew() {
    let server = Loopback::start().await;
    server.answer(
        "project-id",
        [Reply::new(503, "").after(Duration::from_millis(50))],
    );
    let metadata = metadata(&server.url, BRIEF);
    let asked = (0..5).map(|_| metadata.project_id());
    for project in futures::future::join_all(asked).await {
        assert_eq!(project.expect_err("trouble").label(), "unavailable");
    }
    assert_eq!(
        server.seen("project-id").len(),
        2,
        "one attempt of two tries"
    );
    server.answer("project-id", [Reply::metadata("acme-gke")]);
    assert!(metadata.project_id().await.is_ok(), "it is not believed");
}

#[tokio::test]
async fn silence_is_not_waited_for_longer_than_a_request_may_take() {
    let server = Loopback::start().await;
    server.answer(
        "token",
        [Reply::metadata("").after(Duration::from_hours(1))],
    );
    let pace = Pace {
        request: Duration::from_millis(50),
        ..BRIEF
    };
    let token = metadata(&server.url, pace)
        .token(&of_gke(), Scope::ReadOnly, later())
        .await;
    assert!(matches!(token, Err(TokenError::Silent { .. })));
    let soon = Instant::now() + Duration::from_millis(50);
    let token = metadata(&server.url, QUICK)
        .token(&of_gke(), Scope::ReadOnly, soon)
        .await;
    assert!(matches!(token, Err(TokenError::Silent { .. })));
}

#[tokio::test]
async fn every_failure_has_its_meaning() {
    let annotated = "Unable to generate access token; IAM returned ";
    for (reply, label) in [
        (Reply::new(404, "Not Found\n"), "unavailable"),
        (
            Reply::new(500, "GKE Metadata Server: Internal Server Error"),
            "unavailable",
        ),
        (Reply::new(503, ""), "unavailable"),
        (Reply::new(499, ""), "unavailable"),
        (Reply::new(429, ""), "rate-limited"),
        (
            Reply::new(
                403,
                "Missing required header \"Metadata-Flavor\": \"Google\"",
            ),
            "unexpected",
        ),
        (Reply::new(301, ""), "unexpected"),
        (
            Reply::new(
                404,
                &format!("{annotated}404 Not Found: Not found; Gaia id not found\n"),
            ),
            "annotated",
        ),
        (
            Reply::new(
                403,
                &format!("{annotated}403 Forbidden: Permission denied.\n\tsee\n"),
            ),
            "annotated",
        ),
        (Reply::new(500, &format!("{annotated}500")), "unavailable"),
        (Reply::new(200, &granted("a", 3_599)), "malformed"),
        (Reply::metadata("null"), "malformed"),
        (Reply::metadata("<html>sign in</html>"), "malformed"),
        (
            Reply::metadata(r#"{"access_token":"ya29.a","expires_"#),
            "malformed",
        ),
        (Reply::metadata(&granted("a", 0)), "malformed"),
        (Reply::metadata(&granted("a", -5)), "malformed"),
        (
            Reply::metadata(r#"{"access_token":"","expires_in":9}"#),
            "malformed",
        ),
        (Reply::metadata(&"x".repeat(300_000)), "malformed"),
    ] {
        let shown = format!("{} {:.60}", reply.status, format!("{reply:?}"));
        let error = token_error(reply).await;
        assert_eq!(error.label(), label, "{shown}: {error:?}");
        assert!(!format!("{error} {error:?} {}", error.hint()).contains("ya29"));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_failure_to_reach() {
    for bytes in [
        "",
        "no HTTP at all\r\n\r\n",
        "HTTP/1.1 200 OK\r\nMetadata-Flavor: Google\r\nContent-Length: 90\r\n\r\n{\"access_token\":\"ya29",
    ] {
        let url = say(bytes).await;
        let error = metadata(&url, BRIEF)
            .token(&of_gke(), Scope::ReadOnly, later())
            .await
            .expect_err("no answer");
        assert_eq!(error.label(), "unreachable", "{bytes}: {error:?}");
    }
}
