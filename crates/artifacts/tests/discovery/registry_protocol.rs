//! The registry client against answers that no registry of ours gives: redirects, broken images, silence.

use std::sync::Arc;
use std::time::{Duration, Instant};

use artifacts::egress::Policy;
use artifacts::image;
use artifacts::registry::{Error, Registries, Repository};
use artifacts::{Cost, Limits};
use credentials::Login;
use resources::ImageSubscription;
use secret::Secret;

use crate::scripted::{Server, answer, digest, not_found, ok};
use crate::{ASKED, Failure, caller, check_told, told};

const PASSWORD: &str = "hunter2-hunter2";

pub(crate) fn registries() -> Registries {
    registries_at(10_000)
}

/// Asks at most `rate` times a second.
fn registries_at(rate: u32) -> Registries {
    let limits = Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        patience: Duration::from_secs(3),
        timeout: Duration::from_secs(2),
        rate: rate.try_into().expect("not zero"),
        ..Limits::default()
    };
    Registries::new(Arc::new(Policy::new().with_loopback()), limits)
}

pub(crate) fn login() -> Login {
    Login::Basic {
        username: "me".to_owned(),
        password: Secret::from(PASSWORD),
    }
}

/// Lists the tags of `web` as `project`.
pub(crate) async fn tags_of(
    registries: &Registries,
    project: &str,
    server: &Server,
    login: Option<&Login>,
) -> Result<Vec<String>, Error> {
    let repository = Repository::parse(&format!("{}/web", server.host)).expect("a repository");
    let cost = Cost::default();
    let reader = registries
        .reader(caller(project, login, &cost), &repository, false)
        .await;
    let mut tags = Vec::new();
    let listed = reader.each_tag(&mut |tag| tags.push(tag.to_owned())).await;
    listed.map(|()| tags)
}

async fn tags(server: &Server) -> Result<Vec<String>, Error> {
    tags_of(&registries(), "acme", server, None).await
}

pub(crate) fn page(tags: &[&str]) -> String {
    serde_json::json!({"name": "web", "tags": tags}).to_string()
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let registries = registries();
    let repository = Repository::parse("127.0.0.1:1/web").expect("a repository");
    let error = registries
        .reader(caller("acme", None, &Cost::default()), &repository, false)
        .await
        .each_tag(&mut |_| {})
        .await
        .expect_err("nobody there");
    let request = "GET 127.0.0.1:1/v2/web/tags/list";
    check_told(&error, "repository 127.0.0.1:1/web", request, "curl");
}

/// Checks that an error names the repository `web`, the request for a part of it, and the next step.
#[track_caller]
fn check(error: &impl Failure, server: &Server, part: &str, next: &str) {
    let repository = format!("{}/web", server.host);
    let request = format!("GET {}/v2/web/{part}", server.host);
    check_told(error, &repository, &request, next);
}

/// An image's manifest and config as a registry has them.
fn image() -> (String, String) {
    let config =
        r#"{"created":"2026-01-02T03:04:05Z","os":"linux","architecture":"amd64"}"#.to_owned();
    let manifest = serde_json::json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len()}, "layers": [],
    });
    (manifest.to_string(), config)
}

async fn discover(
    server: &Server,
    login: Option<&Login>,
) -> Result<Vec<resources::DiscoveredImageReference>, image::Error> {
    let subscription = ImageSubscription {
        repo_url: format!("{}/web", server.host),
        ..ImageSubscription::default()
    };
    let cost = Cost::default();
    image::discover(
        &registries(),
        caller("acme", login, &cost),
        &subscription,
        ASKED,
    )
    .await
}

/// Serves one image as tag 1.0.0; `blob` answers for its config.
async fn one_image(
    blob: impl Fn(&str) -> axum::response::Response + Send + Sync + 'static,
) -> Server {
    let (manifest, config) = image();
    Server::start(move |sent, _| match sent.target.as_str() {
        target if target.contains("/tags/list") => ok(page(&["1.0.0"])),
        "/v2/web/manifests/1.0.0" => answer(
            200,
            &[("docker-content-digest", &digest(&manifest))],
            manifest.clone(),
        ),
        target if target.contains("/blobs/") && sent.authorization.is_none() => answer(
            401,
            &[("www-authenticate", "Basic realm=\"loopback\"")],
            "{}",
        ),
        _ => blob(&config),
    })
    .await
}

#[tokio::test]
async fn a_redirect_to_another_server_leaves_the_login_behind() {
    let (_, config) = image();
    let storage = Server::start(move |_, _| ok(config.clone())).await;
    let location = format!("http://{}/bucket/config?signature=abc", storage.host);
    let server = one_image(move |_| answer(307, &[("location", &location)], "")).await;
    let found = discover(&server, Some(&login())).await.expect("the image");
    assert_eq!(
        found[0]
            .created_at
            .as_ref()
            .map(|it| it.0.to_string())
            .as_deref(),
        Some("2026-01-02T03:04:05Z")
    );
    assert_eq!(
        storage.sent().len(),
        1,
        "{:?} {:?}",
        storage.sent(),
        server.sent()
    );
    assert!(
        storage.sent()[0].authorization.is_none(),
        "{:?}",
        storage.sent()
    );
    assert!(server.sent().iter().any(|it| it.authorization.is_some()));
}

#[tokio::test]
async fn a_redirect_leads_nowhere_it_should_not() {
    let closed = "no setting opens this address";
    for (location, why, next) in [
        (
            "http://169.254.169.254/latest/meta-data",
            "plain http",
            "serve 169.254.169.254 over https",
        ),
        (
            "https://169.254.169.254/latest/meta-data",
            "metadata",
            closed,
        ),
        ("https://metadata.google.internal/", "metadata", closed),
        (
            "http://evil.test/config",
            "plain http",
            "serve evil.test over https",
        ),
        (
            "http://me:pw@127.0.0.1/config",
            "holds a login",
            "use the address that 127.0.0.1:",
        ),
        ("file:///etc/passwd", "scheme", "use https://"),
        ("https://0.0.0.0/", "no address of one host", closed),
    ] {
        let server = one_image(move |_| answer(302, &[("location", location)], "")).await;
        let error = discover(&server, Some(&login())).await.expect_err(location);
        assert!(told(&error).contains(why), "{location}: {}", told(&error));
        check(&error, &server, "blobs/sha256:", next);
    }
    let server = Server::start(|sent, _| answer(302, &[("location", &sent.target)], "")).await;
    let error = tags(&server).await.expect_err("no end");
    assert!(told(&error).contains("too many times"), "{}", told(&error));
    check(&error, &server, "tags/list", "use the address that");
}

#[tokio::test]
async fn a_broken_tag_does_not_fail_the_others() {
    let (manifest, config) = image();
    let server = Server::start(move |sent, _| match sent.target.as_str() {
        target if target.contains("/tags/list") => ok(page(&["1.0.0", "2.0.0", "3.0.0", "4.0.0", "5.0.0", "6.0.0"])),
        "/v2/web/manifests/1.0.0" => ok(manifest.clone()),
        "/v2/web/manifests/2.0.0" => not_found(),
        "/v2/web/manifests/3.0.0" => ok(r#"{"schemaVersion":1,"mediaType":"application/vnd.docker.distribution.manifest.v1+json"}"#),
        "/v2/web/manifests/4.0.0" => ok(r#"{"manifests":[{"digest":"sha256:00","platform":{"os":"unknown","architecture":"unknown"}}]}"#),
        "/v2/web/manifests/5.0.0" => ok("no JSON"),
        "/v2/web/manifests/6.0.0" => ok("x".repeat(5 << 20)),
        _ => ok(config.clone()),
    })
    .await;
    let found = discover(&server, None)
        .await
        .expect("the image that is well");
    assert_eq!(
        found.iter().map(|it| it.tag.as_str()).collect::<Vec<_>>(),
        ["1.0.0"]
    );

    let only_broken = Server::start(|sent, _| {
        if sent.target.contains("/tags/") {
            ok(page(&["1.0.0", "2.0.0"]))
        } else {
            ok(r#"{"manifests":[]}"#)
        }
    })
    .await;
    let error = discover(&only_broken, None)
        .await
        .expect_err("nothing usable");
    assert!(
        error.to_string().contains("none of the 2 matching tags"),
        "{error}"
    );
    check(&error, &only_broken, "manifests/", "skopeo inspect docker:");

    // What may be well a moment later must not let an older image pass for the newest.
    let busy = Server::start(|sent, _| match sent.target.as_str() {
        target if target.contains("/tags/") => ok(page(&["1.0.0", "2.0.0"])),
        "/v2/web/manifests/2.0.0" => answer(503, &[], ""),
        "/v2/web/manifests/1.0.0" => ok(image().0),
        _ => ok(image().1),
    })
    .await;
    let error = discover(&busy, None).await.expect_err("busy");
    assert!(told(&error).contains("503"), "{}", told(&error));
    check(&error, &busy, "manifests/2.0.0", "ask for a higher quota");
}

#[tokio::test]
async fn an_index_is_read_down_to_its_images() {
    let (manifest, config) = image();
    let child = digest(&manifest);
    let index = serde_json::json!({
        "mediaType": "application/vnd.oci.image.index.v1+json", "annotations": {"a": "index", "b": "index"},
        "manifests": [
            {"digest": child, "platform": {"os": "linux", "architecture": "amd64"}, "annotations": {"a": "amd64"}},
            {"digest": digest("attestation"), "platform": {"os": "unknown", "architecture": "unknown"}},
            {"digest": digest("nested")},
        ],
    })
    .to_string();
    let server = Server::start(move |sent, _| match sent.target.as_str() {
        target if target.contains("/tags/list") => ok(page(&["1.0.0"])),
        "/v2/web/manifests/1.0.0" => answer(
            200,
            &[("docker-content-digest", &digest(&index))],
            index.clone(),
        ),
        target if target.ends_with(&child) => ok(manifest.clone()),
        target if target.contains("/blobs/") => ok(config.clone()),
        _ => not_found(),
    })
    .await;
    let mut subscription = ImageSubscription {
        repo_url: format!("{}/web", server.host),
        ..ImageSubscription::default()
    };
    let registries = registries();
    for (platform, expected) in [
        ("", Some("index")),
        ("linux/amd64", Some("amd64")),
        ("linux/arm64", None),
    ] {
        platform.clone_into(&mut subscription.platform);
        let cost = Cost::default();
        let found = image::discover(
            &registries,
            caller("acme", None, &cost),
            &subscription,
            ASKED,
        )
        .await
        .expect("an answer");
        assert_eq!(
            found.first().map(|it| it.annotations["a"].as_str()),
            expected,
            "{platform}"
        );
        if let Some(found) = found.first() {
            assert_eq!(
                found
                    .created_at
                    .as_ref()
                    .map(|it| it.0.to_string())
                    .as_deref(),
                Some("2026-01-02T03:04:05Z")
            );
            assert_eq!(found.annotations["b"], "index");
        }
    }
    // The second and third time: the list, and one question whether the tag still names the same.
    assert_eq!(server.sent().len(), 4 + 2 + 2, "{:?}", server.sent());
}

#[tokio::test]
async fn this_machine_is_closed_unless_opened() {
    let server = Server::start(|_, _| ok(page(&["a"]))).await;
    let closed = Registries::new(Arc::new(Policy::new()), Limits::default());
    let error = tags_of(&closed, "acme", &server, None)
        .await
        .expect_err("closed");
    assert!(
        told(&error).contains("it is this machine") && error.hint().contains("argosy up"),
        "{}",
        told(&error)
    );
    assert!(server.sent().is_empty());
}

#[tokio::test]
async fn a_project_keeps_to_its_pace_and_holds_up_no_other() {
    let server = Server::start(|_, _| ok(page(&["a"]))).await;
    let registries = registries_at(80);
    let start = Instant::now();
    let asks = (0..40).map(|_| tags_of(&registries, "acme", &server, None));
    let asks = futures::future::join_all(asks);
    let other = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let asked = Instant::now();
        tags_of(&registries, "other", &server, None)
            .await
            .expect("the tags");
        asked.elapsed()
    };
    let (_, other) = futures::future::join(asks, other).await;
    // Ten go at once, thirty more at a quarter of the rate and then a little faster.
    assert!(
        start.elapsed() > Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
    assert!(other < Duration::from_millis(500), "{other:?}");
}

#[tokio::test]
async fn silence_comes_to_an_end() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let host = silent.local_addr().expect("an address");
    let limits = Limits {
        timeout: Duration::from_millis(200),
        patience: Duration::from_millis(500),
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        ..Limits::default()
    };
    let registries = Registries::new(Arc::new(Policy::new().with_loopback()), limits);
    let repository = Repository::parse(&format!("{host}/web")).expect("a repository");
    let cost = Cost::default();
    let caller = caller("acme", None, &cost);
    let reader = registries.reader(caller, &repository, false).await;
    let start = Instant::now();
    let listed = reader.each_tag(&mut |_| {}).await;
    let error = listed.expect_err("nobody speaks");
    assert!(
        told(&error).contains("did not answer in time"),
        "{}",
        told(&error)
    );
    let request = format!("GET {host}/v2/web/tags/list");
    check_told(&error, &format!("{host}/web"), &request, "see whether");
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
