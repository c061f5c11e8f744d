//! What a subscription of each kind says of trouble on the way: the repository, the request, and the next step.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use artifacts::chart::{self, Repositories};
use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{self, Mirrors};
use artifacts::image;
use artifacts::registry::Registries;
use artifacts::{Cost, Limits};
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::StreamExt as _;
use jiff::Timestamp;
use resources::subscription::ImageSelectionStrategy;
use resources::{GitSubscription, ImageSubscription};
use serde_json::json;

use crate::charts::in_index;
use crate::scripted::{Server, answer, digest, ok};
use crate::{ASKED, caller, check_told, told};

/// How errors name what a Git host is asked for first.
const REFS: &str = "for its branches and tags";

/// Patient with name servers, and with nobody else.
fn limits() -> Limits {
    Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        patience: Duration::from_millis(500),
        timeout: Duration::from_secs(20),
        ..Limits::default()
    }
}

fn policy() -> Arc<Policy> {
    Arc::new(Policy::new().with_loopback())
}

async fn image_error(repo_url: &str) -> image::Error {
    let subscription = ImageSubscription {
        repo_url: repo_url.to_owned(),
        image_selection_strategy: ImageSelectionStrategy::Lexical,
        ..ImageSubscription::default()
    };
    let (registries, cost) = (Registries::new(policy(), limits()), Cost::default());
    let asking = caller("acme", None, &cost);
    let found = image::discover(&registries, asking, &subscription, ASKED).await;
    found.expect_err(repo_url)
}

async fn chart_error(repo_url: &str, name: &str) -> chart::Error {
    let registries = Registries::new(policy(), limits());
    let repositories = Repositories::new(policy(), limits());
    let (subscription, cost) = (in_index(repo_url, name), Cost::default());
    let asking = caller("acme", None, &cost);
    let found = chart::discover(&repositories, &registries, asking, &subscription).await;
    found.expect_err(repo_url)
}

async fn git_error(folder: &Path, repo_url: &str) -> git::Error {
    let mirrors = Mirrors::new(folder.to_owned(), Mirrors::DISK);
    let repositories = git::Repositories::new(Launcher::direct(), policy(), limits(), mirrors);
    let subscription = GitSubscription {
        repo_url: repo_url.to_owned(),
        ..GitSubscription::default()
    };
    let cost = Cost::default();
    let asking = caller("acme", None, &cost);
    let now = Timestamp::UNIX_EPOCH;
    let found = git::discover(&repositories, asking, &subscription, None, now).await;
    found.expect_err(repo_url)
}

#[tokio::test]
async fn a_host_that_no_name_server_knows_is_told_with_the_request_for_images_and_charts() {
    // What helps is tried where argosy runs, since names may mean something else elsewhere.
    let next = "nowhere.invalid";
    let error = image_error("nowhere.invalid/acme/web").await;
    let request = "GET nowhere.invalid/v2/acme/web/tags/list";
    check_told(&error, "repository nowhere.invalid/acme/web", request, next);
    assert!(error.hint().contains("from where argosy runs"));
    assert!(told(&error).contains("failed to reach"), "{}", told(&error));

    let error = chart_error("https://nowhere.invalid/charts", "web").await;
    let request = "GET nowhere.invalid/charts/index.yaml";
    check_told(&error, "https://nowhere.invalid/charts", request, next);
    assert!(error.hint().contains("from where argosy runs"));

    let error = chart_error("oci://nowhere.invalid/charts/web", "").await;
    let request = "GET nowhere.invalid/v2/charts/web/tags/list";
    check_told(&error, "oci://nowhere.invalid/charts/web", request, next);
    assert!(error.hint().contains("from where argosy runs"));
}

#[tokio::test]
async fn a_host_that_no_name_server_knows_is_told_with_the_request_for_commits() {
    let folder = tempfile::tempdir().expect("a folder");
    for repo_url in [
        "https://nowhere.invalid/acme/app.git",
        "ssh://git@nowhere.invalid/acme/app.git",
        "git@nowhere.invalid:acme/app.git",
    ] {
        let error = git_error(folder.path(), repo_url).await;
        check_told(&error, repo_url, REFS, "nowhere.invalid");
        assert!(error.hint().contains("from where argosy runs"));
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_told_with_the_request_for_images() {
    let server = Server::start_tls(|_, _| ok(r#"{"name":"web","tags":["1.0.0"]}"#)).await;
    let repository = format!("{}/web", server.host);
    let error = image_error(&repository).await;
    let request = format!("GET {}/v2/web/tags/list", server.host);
    check_told(&error, &repository, &request, "SSL_CERT_FILE=FILE");
    assert!(told(&error).contains("certificate"), "{}", told(&error));
}

/// Sends some of a body and breaks off.
fn broken() -> Response {
    let start = futures::stream::once(std::future::ready(Ok(Bytes::from_static(b"{\"tags\":["))));
    let rest = futures::stream::once(async {
        // The pause lets the first part go out before the connection is torn down.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Err(std::io::Error::other("gone"))
    });
    ok(Body::from_stream(start.chain(rest)))
}

#[tokio::test]
async fn a_git_host_on_its_bad_days_is_told_with_the_request() {
    type Day = fn() -> Response;
    let days: [(Day, &str, &str); 4] = [
        (
            || answer(429, &[("retry-after", "3600")], ""),
            "3600 s",
            "ask for a higher quota at 127.0.0.1:",
        ),
        (
            || answer(503, &[], ""),
            "503",
            "ask for a higher quota at 127.0.0.1:",
        ),
        (broken, "broke off", "see whether 127.0.0.1:"),
        (
            || ok("<html>hello</html>"),
            "smart protocol",
            "git ls-remote http://127.0.0.1:",
        ),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    for (day, why, next) in days {
        let server = Server::start(move |_, _| day()).await;
        let repo_url = format!("http://{}/app.git", server.host);
        let error = git_error(folder.path(), &repo_url).await;
        check_told(&error, &repo_url, REFS, next);
        assert!(told(&error).contains(why), "{}", told(&error));
    }
}

#[tokio::test]
async fn a_list_of_more_than_two_million_tags_is_told_with_the_request() {
    const PAGE: usize = 100_000;
    const LIST: &str = "/v2/web/tags/list";
    // Each page has a name of its own; all others are the same, which is enough to count.
    let rest = r#","a""#.repeat(PAGE - 1);
    let server = Server::start(move |sent, _| {
        let query = sent.target.split_once("last=p").map(|(_, number)| number);
        let number: usize = query.map_or(0, |it| it.parse().expect("a page"));
        let link = format!("<{LIST}?n={PAGE}&last=p{}>; rel=\"next\"", number + 1);
        let page = format!(r#"{{"name":"web","tags":["p{number}"{rest}]}}"#);
        answer(200, &[("link", &link)], page)
    })
    .await;
    let repository = format!("{}/web", server.host);
    let error = image_error(&repository).await;
    let request = format!("GET {}{LIST}", server.host);
    check_told(&error, &repository, &request, "skopeo --debug list-tags");
    let told = told(&error);
    assert!(told.contains("more than two million tags"), "{told}");
    assert_eq!(server.count(LIST), 2_000_000 / PAGE + 1);
}

#[tokio::test]
async fn where_all_tags_are_unusable_one_is_told_with_the_request_that_shows_it() {
    let index = "application/vnd.oci.image.index.v1+json";
    let inner = json!({"mediaType": index, "manifests": []}).to_string();
    let nested = json!({"mediaType": index, "manifests": [
        {"mediaType": index, "digest": digest(&inner), "platform": {"os": "linux", "architecture": "amd64"}},
    ]});
    let empty = json!({"mediaType": index, "manifests": []});
    for (manifest, why) in [
        (nested.to_string(), "lists another index"),
        (empty.to_string(), "lists no image"),
        ("no JSON".to_owned(), "is not"),
    ] {
        let server = Server::start(move |sent, _| {
            if sent.target.contains("/tags/list") {
                ok(r#"{"tags":["latest"]}"#)
            } else {
                ok(manifest.clone())
            }
        })
        .await;
        let repository = format!("{}/web", server.host);
        let error = image_error(&repository).await;
        let request = format!("GET {}/v2/web/manifests/latest", server.host);
        let next = format!("skopeo inspect docker://{repository}:latest");
        check_told(&error, &repository, &request, &next);
        assert!(told(&error).contains(why), "{}", told(&error));
    }
}
