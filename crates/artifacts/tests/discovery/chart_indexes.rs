//! Servers of chart indexes that do what nginx cannot be made to do.

use std::convert::Infallible;
use std::time::Duration;

use artifacts::Limits;
use artifacts::chart::Error;
use artifacts::egress::Policy;
use axum::body::{Body, Bytes};
use credentials::Login;
use futures::StreamExt as _;
use resources::ChartSubscription;
use secret::Secret;

use crate::charts::{Charts, in_index};
use crate::scripted::{Server, answer, ok};
use crate::{check_told, told};

const INDEX: &str = "entries: {web: [{version: 1.0.0}]}";

/// Limits with pauses that a test can wait for.
fn hurried() -> Limits {
    Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(10)),
        ..Limits::default()
    }
}

fn charts() -> Charts {
    Charts::new(Policy::new().with_loopback(), &hurried())
}

fn web(server: &Server) -> ChartSubscription {
    in_index(&format!("http://{}", server.host), "web")
}

async fn taken(charts: &Charts, subscription: &ChartSubscription) -> Vec<String> {
    let found = charts.find("acme", None, subscription).await;
    found.expect("versions").selected.taken
}

async fn failed(charts: &Charts, subscription: &ChartSubscription) -> Error {
    let found = charts.find("acme", None, subscription).await;
    found.expect_err("it cannot be read")
}

#[track_caller]
fn check(error: &Error, why: &str, next: &str) {
    let text = told(error);
    assert!(text.contains(why), "{text}");
    assert!(error.hint().contains(next), "{}", error.hint());
}

/// Checks that an error names the repository and the request.
#[track_caller]
fn check_named(error: &Error, server: &Server) {
    let request = format!("GET {}/index.yaml", server.host);
    check_told(error, &format!("://{}", server.host), &request, "");
}

#[tokio::test]
async fn what_is_no_index_says_what_to_do() {
    for (status, body, why, next) in [
        (
            404,
            "",
            "there is no index.yaml",
            "written oci://HOST/PATH/NAME",
        ),
        (
            410,
            "",
            "there is no index.yaml",
            "what helm repo add takes",
        ),
        (418, "", "418", "curl -sSL http://127.0.0.1:"),
        (204, "", "204", "curl -sSL"),
        (
            200,
            "<html>\n<p>Sign in</p></html>",
            "it is no map",
            "/index.yaml",
        ),
        (200, "entries: {web: [", "is not YAML", "curl -sSL"),
        (200, "errors: []", "it has no entries", "curl -sSL"),
        (
            200,
            "a: &a []\nentries: {web: *a}",
            "line 2",
            "helm repo index .",
        ),
        (304, "", "304", "curl -sSL"),
    ] {
        let server = Server::start(move |_, _| answer(status, &[], body)).await;
        let error = failed(&charts(), &web(&server)).await;
        check(&error, why, next);
        let text = told(&error);
        assert!(
            text.contains(&format!(
                "GET {}/index.yaml for chart repository",
                server.host
            )),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_subscription_that_means_nothing_is_refused_without_a_request() {
    let charts = charts();
    for (repo_url, name, why) in [
        (
            "https://charts.example.com",
            "",
            "name must say which chart",
        ),
        ("oci://ghcr.io/acme/charts/web", "web", "name must be empty"),
        (
            "oci://ghcr.io/Acme/web",
            "",
            "does not name an image repository",
        ),
        ("oci://", "", "does not name an image repository"),
        ("ftp://example.com", "web", "its scheme is not https or oci"),
        ("https://me:hunter2@example.com", "web", "it holds a login"),
    ] {
        let error = failed(&charts, &in_index(repo_url, name)).await;
        check(&error, why, "correct the Warehouse's chart subscription");
        assert!(!told(&error).contains("hunter2"));
    }
    let elsewhere = in_index("http://charts.example.com", "web");
    check(
        &failed(&charts, &elsewhere).await,
        "plain http is only for this machine",
        "serve charts.example.com over https",
    );
    let closed = Charts::new(Policy::new(), &hurried());
    let here = in_index("http://127.0.0.1:1/charts", "web");
    check(
        &failed(&closed, &here).await,
        "is this machine",
        "argosy up",
    );
    let metadata = in_index("https://169.254.169.254/charts", "web");
    check(
        &failed(&charts, &metadata).await,
        "metadata",
        "no setting opens",
    );
}

#[tokio::test]
async fn an_index_is_asked_for_by_its_tag_or_its_time() {
    for (set, asked, value) in [
        ("etag", "if-none-match", "W/\"1\""),
        (
            "last-modified",
            "if-modified-since",
            "Wed, 21 Oct 2026 07:28:00 GMT",
        ),
    ] {
        let server = Server::start(move |sent, _| match sent.header(asked) {
            Some(it) if it == value => answer(304, &[], ""),
            _ => answer(200, &[(set, value)], INDEX),
        })
        .await;
        let charts = charts();
        for _ in 0..3 {
            assert_eq!(taken(&charts, &web(&server)).await, ["1.0.0"]);
        }
        let conditions: Vec<bool> = server
            .sent()
            .iter()
            .map(|it| it.header(asked).is_some())
            .collect();
        assert_eq!(conditions, [false, true, true]);
    }
}

#[tokio::test]
async fn an_index_without_a_tag_is_read_every_time() {
    let server =
        Server::start(|_, before| ok(format!("entries: {{web: [{{version: 1.0.{before}}}]}}")))
            .await;
    let charts = charts();
    assert_eq!(taken(&charts, &web(&server)).await, ["1.0.0"]);
    assert_eq!(taken(&charts, &web(&server)).await, ["1.0.1"]);
}

#[tokio::test]
async fn an_index_that_breaks_off_is_asked_for_again_and_never_taken_for_whole() {
    let pieces = |end: Option<std::io::Error>| {
        let start = Ok(Bytes::from_static(
            b"entries:\n  web:\n  - version: 1.0.0\n",
        ));
        let rest = futures::stream::once(async move {
            // The pause lets the first half go out before the connection is torn down.
            tokio::time::sleep(Duration::from_millis(30)).await;
            end.map_or(Ok(Bytes::from_static(b"  - version: 2.0.0\n")), Err)
        });
        let start = futures::stream::once(std::future::ready(start));
        ok(Body::from_stream(start.chain(rest)))
    };
    let gone = || std::io::Error::other("gone");
    let server = Server::start(move |_, before| pieces((before < 2).then(gone))).await;
    assert_eq!(taken(&charts(), &web(&server)).await, ["2.0.0", "1.0.0"]);
    assert_eq!(server.count("/index.yaml"), 3);

    let server = Server::start(move |_, _| pieces(Some(gone()))).await;
    let error = failed(&charts(), &web(&server)).await;
    check(&error, "broke off", "argosy tries again");
    check_named(&error, &server);
}

#[tokio::test]
async fn a_busy_server_is_asked_again_and_a_dripping_one_is_left() {
    let server = Server::start(|_, before| match before {
        0 => answer(429, &[("retry-after", "0")], ""),
        1 => answer(503, &[], ""),
        _ => ok(INDEX),
    })
    .await;
    assert_eq!(taken(&charts(), &web(&server)).await, ["1.0.0"]);

    let dripping = || {
        let drops = futures::stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            Some((Ok::<_, Infallible>(Bytes::from_static(b"#\n")), ()))
        });
        ok(Body::from_stream(drops))
    };
    let server =
        Server::start(move |_, before| if before == 0 { dripping() } else { ok(INDEX) }).await;
    let impatient = Limits {
        timeout: Duration::from_millis(400),
        patience: Duration::from_secs(1),
        ..hurried()
    };
    let charts = Charts::new(Policy::new().with_loopback(), &impatient);
    let error = failed(&charts, &web(&server)).await;
    check(&error, "did not answer in time", "overloaded");
    check_named(&error, &server);
    // Nothing is left behind of it.
    assert_eq!(taken(&charts, &web(&server)).await, ["1.0.0"]);
}

#[tokio::test]
async fn whoever_stops_asking_does_not_stand_in_the_way() {
    let server = Server::start(|_, before| {
        if before > 0 {
            return ok(INDEX);
        }
        ok(Body::from_stream(futures::stream::pending::<
            Result<Bytes, Infallible>,
        >()))
    })
    .await;
    let (charts, subscription) = (Charts::here(), web(&server));
    let asking = charts.find("acme", None, &subscription);
    tokio::time::timeout(Duration::from_millis(100), asking)
        .await
        .expect_err("it never ends");
    assert_eq!(taken(&charts, &subscription).await, ["1.0.0"]);
}

#[tokio::test]
async fn a_login_stays_behind_when_the_origin_changes() {
    let other = Server::start(|_, _| ok(INDEX)).await;
    let target = format!("http://{}/elsewhere.yaml", other.host);
    let first = Server::start(move |_, _| answer(302, &[("location", target.as_str())], "")).await;
    let login = Login::Basic {
        username: "argosy".to_owned(),
        password: Secret::from("hunter2"),
    };
    let charts = charts();
    let found = charts.find("acme", Some(&login), &web(&first)).await;
    assert_eq!(found.expect("versions").selected.taken, ["1.0.0"]);
    assert!(first.sent()[0].authorization.is_some());
    assert_eq!(other.sent()[0].authorization, None);
    assert_eq!(other.sent()[0].target, "/elsewhere.yaml");

    let out =
        Server::start(|_, _| answer(302, &[("location", "http://169.254.169.254/")], "")).await;
    let error = failed(&charts, &web(&out)).await;
    check(&error, "plain http", "https");
    check_named(&error, &out);
    let round = Server::start(|_, _| answer(302, &[("location", "/index.yaml")], "")).await;
    let error = failed(&charts, &web(&round)).await;
    check(&error, "too many times", "the address that");
    check_named(&error, &round);
}

#[tokio::test]
async fn any_certificate_will_do_only_where_the_subscription_says_so() {
    let server = Server::start_tls(|_, _| ok(INDEX)).await;
    let charts = charts();
    let mut subscription = in_index(&format!("https://{}", server.host), "web");
    let error = failed(&charts, &subscription).await;
    check(&error, "certificate", "SSL_CERT_FILE");
    check_named(&error, &server);
    subscription.insecure_skip_tls_verify = true;
    assert_eq!(taken(&charts, &subscription).await, ["1.0.0"]);

    let registry = Server::start_tls(|_, _| ok(r#"{"name":"web","tags":["1.0.0"]}"#)).await;
    let mut subscription = in_index(&format!("oci://{}/charts/web", registry.host), "");
    let error = failed(&charts, &subscription).await;
    check(&error, "certificate", "SSL_CERT_FILE");
    let request = format!("GET {}/v2/charts/web/tags/list", registry.host);
    check_told(&error, &subscription.repo_url, &request, "");
    subscription.insecure_skip_tls_verify = true;
    assert_eq!(taken(&charts, &subscription).await, ["1.0.0"]);
}

#[tokio::test]
async fn a_query_goes_along_and_is_never_shown() {
    let server = Server::start(|sent, _| match sent.target.as_str() {
        "/charts/index.yaml?token=hunter2" => ok(INDEX),
        _ => answer(404, &[], ""),
    })
    .await;
    let charts = charts();
    let subscription = in_index(
        &format!("http://{}/charts/?token=hunter2", server.host),
        "web",
    );
    assert_eq!(taken(&charts, &subscription).await, ["1.0.0"]);
    let wrong = in_index(
        &format!("http://{}/other?token=hunter2", server.host),
        "web",
    );
    let error = failed(&charts, &wrong).await;
    let text = format!("{} {}", told(&error), error.hint());
    assert!(!text.contains("hunter2"), "{text}");
}
