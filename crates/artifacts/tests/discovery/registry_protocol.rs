//! The registry client against answers that a real registry gives only on a bad day.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use artifacts::egress::Policy;
use artifacts::image;
use artifacts::registry::{Error, Registries, Repository};
use artifacts::{Cost, Limits};
use credentials::Login;
use resources::ImageSubscription;
use secret::Secret;

use crate::scripted::{Server, answer, broken, digest, not_found, ok};
use crate::{ASKED, caller, told};

const PASSWORD: &str = "hunter2-hunter2";
const BASIC: &str = "Basic bWU6aHVudGVyMi1odW50ZXIy";

fn registries() -> Registries {
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

fn login() -> Login {
    Login::Basic {
        username: "me".to_owned(),
        password: Secret::from(PASSWORD),
    }
}

/// Lists the tags of `web` as `project`.
async fn tags_of(
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
    reader.tags().await
}

async fn tags(server: &Server) -> Result<Vec<String>, Error> {
    tags_of(&registries(), "acme", server, None).await
}

fn page(tags: &[&str]) -> String {
    serde_json::json!({"name": "web", "tags": tags}).to_string()
}

#[tokio::test]
async fn pages_are_followed_by_their_links_whatever_host_they_name() {
    let server = Server::start(|sent, _| match sent.target.as_str() {
        "/v2/web/tags/list?n=1000" => answer(
            200,
            &[("link", "</v2/web/tags/list?n=2&last=b>; rel=\"next\"")],
            page(&["a", "b"]),
        ),
        "/v2/web/tags/list?n=2&last=b" => answer(
            200,
            &[(
                "link",
                "<http://inside.corp:8080/v2/web/tags/list?last=c&n=2>; rel=next",
            )],
            page(&["c", "b"]),
        ),
        "/v2/web/tags/list?last=c&n=2" => answer(
            200,
            &[("link", "<?n=2&last=x>; rel=\"prev\"")],
            page(&["d", "not a tag", "../../x"]),
        ),
        _ => not_found(),
    })
    .await;
    assert_eq!(
        tags(&server).await.expect("all pages"),
        ["a", "b", "c", "d"]
    );
    assert_eq!(server.sent().len(), 3);
}

#[tokio::test]
async fn a_full_page_without_a_link_is_asked_for_more() {
    let all: Vec<String> = (0..1500).map(|it| format!("t{it:04}")).collect();
    let server = Server::start(move |sent, _| {
        let after = sent.target.split_once("last=").map_or("", |(_, last)| last);
        let rest = all
            .iter()
            .filter(|it| it.as_str() > after)
            .take(1000)
            .map(String::as_str);
        ok(page(&rest.collect::<Vec<_>>()))
    })
    .await;
    assert_eq!(tags(&server).await.expect("all pages").len(), 1500);
    assert_eq!(server.sent().len(), 2);

    // This one knows neither links nor `last`: the same page twice is the end.
    let all: Vec<String> = (0..1000).map(|it| format!("t{it:04}")).collect();
    let server =
        Server::start(move |_, _| ok(page(&all.iter().map(String::as_str).collect::<Vec<_>>())))
            .await;
    assert_eq!(tags(&server).await.expect("the page").len(), 1000);
    assert_eq!(server.sent().len(), 2);
}

#[tokio::test]
async fn pages_that_go_round_come_to_an_end() {
    let server = Server::start(|sent, _| {
        let next = if sent.target.contains("last=b") {
            "a"
        } else {
            "b"
        };
        answer(
            200,
            &[(
                "link",
                &format!("</v2/web/tags/list?last={next}>; rel=\"next\""),
            )],
            page(&[next]),
        )
    })
    .await;
    let error = tags(&server).await.expect_err("no end");
    assert!(
        told(&error).contains("go round in circles"),
        "{}",
        told(&error)
    );
    assert!(
        error.repository.ends_with("/web") && error.request.starts_with("GET 127.0.0.1:"),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_empty_repository_has_no_tags() {
    let server = Server::start(|_, _| ok(r#"{"name":"web","tags":null}"#)).await;
    assert_eq!(tags(&server).await.expect("an empty list"), [""; 0]);
}

/// Asks for a token until a good one comes, and gives these tokens in turn to who knows the password.
async fn guarded_server(tokens: &[&'static str]) -> Server {
    let tokens = Mutex::new(tokens.to_vec());
    Server::start(move |sent, _| {
        let authorization = sent.authorization.as_deref();
        if sent.target.starts_with("/token") {
            assert_eq!(
                sent.target,
                "/token?service=loopback&scope=repository%3Aweb%3Apull"
            );
            if authorization != Some(BASIC) {
                let errors =
                    r#"{"errors":[{"code":"UNAUTHORIZED","message":"hunter2-hunter2 is wrong"}]}"#;
                return answer(401, &[], errors);
            }
            let token = tokens.lock().expect("a lock").remove(0);
            return ok(format!(r#"{{"token":"{token}","expires_in":300}}"#));
        }
        if matches!(authorization, Some("Bearer good" | "Bearer better")) {
            return ok(page(&["a"]));
        }
        let challenge = format!(
            r#"Bearer realm="http://{}/token",service="loopback",scope="repository:web:pull""#,
            sent.host
        );
        answer(401, &[("www-authenticate", &challenge)], "{}")
    })
    .await
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_kept() {
    let server = guarded_server(&["good"]).await;
    let registries = registries();
    let login = login();
    let asks = (0..20).map(|_| tags_of(&registries, "acme", &server, Some(&login)));
    for tags in futures::future::join_all(asks).await {
        assert_eq!(tags.expect("the tags"), ["a"]);
    }
    assert_eq!(server.count("/token"), 1);
    assert!(
        server
            .sent()
            .iter()
            .filter(|it| it.target.starts_with("/v2"))
            .all(|it| !it.authorization.iter().any(|it| it.starts_with("Basic")))
    );
}

#[tokio::test]
async fn a_token_that_is_turned_down_is_replaced_once() {
    let server = guarded_server(&["stale", "better"]).await;
    assert_eq!(
        tags_of(&registries(), "acme", &server, Some(&login()))
            .await
            .expect("the tags"),
        ["a"]
    );
    assert_eq!(server.count("/token"), 2);

    let server = guarded_server(&["stale", "stale", "stale"]).await;
    let error = tags_of(&registries(), "acme", &server, Some(&login()))
        .await
        .expect_err("never let in");
    assert!(
        server.count("/token") <= 2 && server.count("/v2") <= 4,
        "{:?}",
        server.sent()
    );
    assert!(!told(&error).contains("stale"), "{}", told(&error));
}

#[tokio::test]
async fn projects_and_logins_share_nothing() {
    let server = guarded_server(&["good", "good", "good"]).await;
    let registries = registries();
    for project in ["acme", "other"] {
        tags_of(&registries, project, &server, Some(&login()))
            .await
            .expect("the tags");
    }
    assert_eq!(server.count("/token"), 2);
    let wrong = Login::Basic {
        username: "me".to_owned(),
        password: Secret::from("wrong-password"),
    };
    for login in [None, Some(&wrong)] {
        let error = tags_of(&registries, "acme", &server, login)
            .await
            .expect_err("not let in");
        let told = told(&error);
        assert!(
            told.contains("401") && told.contains("UNAUTHORIZED"),
            "{told}"
        );
        assert!(
            !told.contains("hunter2") && !told.contains("wrong-password"),
            "{told}"
        );
        assert!(!error.hint().is_empty());
    }
}

#[tokio::test]
async fn a_login_is_not_sent_to_a_foreign_realm() {
    for realm in [
        "https://evil.test/token",
        "http://evil.test/token",
        "https://127.0.0.1.evil.test/token",
        "https://169.254.169.254/token",
    ] {
        let server = Server::start(move |_, _| {
            answer(
                401,
                &[("www-authenticate", &format!(r#"Bearer realm="{realm}""#))],
                "{}",
            )
        })
        .await;
        let error = tags_of(&registries(), "acme", &server, Some(&login()))
            .await
            .expect_err(realm);
        assert!(
            told(&error).contains("sends for a token to http"),
            "{}",
            told(&error)
        );
        assert!(server.sent().iter().all(|it| it.authorization.is_none()));
    }
}

#[tokio::test]
async fn a_password_is_sent_only_when_asked_for() {
    let server = Server::start(|sent, _| {
        if sent.authorization.as_deref() == Some(BASIC) {
            return ok(page(&["a"]));
        }
        answer(
            401,
            &[("www-authenticate", "Basic realm=\"loopback\"")],
            "{}",
        )
    })
    .await;
    let registries = registries();
    assert_eq!(
        tags_of(&registries, "acme", &server, Some(&login()))
            .await
            .expect("the tags"),
        ["a"]
    );
    assert_eq!(server.sent().len(), 2);
    tags_of(&registries, "acme", &server, Some(&login()))
        .await
        .expect("the tags");
    assert_eq!(server.sent().len(), 3);
    let error = tags_of(&registries, "acme", &server, None)
        .await
        .expect_err("not let in");
    assert!(
        error.hint().contains("kargo.akuity.io/cred-type=image"),
        "{}",
        error.hint()
    );
}

#[tokio::test]
async fn pauses_and_faults_are_waited_out() {
    let server = Server::start(|_, before| match before {
        0 => answer(429, &[("retry-after", "1")], "slow down"),
        1 => answer(503, &[], "later"),
        2 => answer(
            500,
            &[
                ("date", "Wed, 21 Oct 2026 07:28:00 GMT"),
                ("retry-after", "Wed, 21 Oct 2026 07:28:01 GMT"),
            ],
            "oops",
        ),
        3 => broken(),
        _ => ok(page(&["a"])),
    })
    .await;
    let start = Instant::now();
    assert_eq!(tags(&server).await.expect("the tags at last"), ["a"]);
    assert!(
        start.elapsed() >= Duration::from_secs(2),
        "Retry-After counts, in seconds and as a time by the server's clock"
    );
    assert_eq!(server.sent().len(), 5);

    let server = Server::start(|_, _| answer(429, &[("retry-after", "3600")], "tomorrow")).await;
    let error = tags(&server).await.expect_err("too long a wait");
    assert!(
        told(&error).contains("429") && told(&error).contains("3600 s"),
        "{}",
        told(&error)
    );
    assert_eq!(server.sent().len(), 1);

    let server = Server::start(|_, _| answer(502, &[], "")).await;
    let error = tags(&server).await.expect_err("never well");
    assert!(
        told(&error).contains("502") && server.sent().len() == 7,
        "{} {}",
        told(&error),
        server.sent().len()
    );

    let server = Server::start(|_, _| broken()).await;
    let error = told(&tags(&server).await.expect_err("broken"));
    assert!(error.contains("broke off"), "{error}");
    let server = Server::start(|_, _| ok("<html>")).await;
    assert!(told(&tags(&server).await.expect_err("no JSON")).contains("not a list of tags"));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let registries = registries();
    let repository = Repository::parse("127.0.0.1:1/web").expect("a repository");
    let error = registries
        .reader(caller("acme", None, &Cost::default()), &repository, false)
        .await
        .tags()
        .await
        .expect_err("nobody there");
    assert!(
        told(&error).contains("127.0.0.1:1/web") && error.hint().contains("curl"),
        "{} {}",
        told(&error),
        error.hint()
    );
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
    for (location, why) in [
        ("http://169.254.169.254/latest/meta-data", "plain http"),
        ("https://169.254.169.254/latest/meta-data", "metadata"),
        ("https://metadata.google.internal/", "metadata"),
        ("http://evil.test/config", "plain http"),
        ("http://me:pw@127.0.0.1/config", "holds a login"),
        ("file:///etc/passwd", "scheme"),
        ("https://0.0.0.0/", "no address of one host"),
    ] {
        let server = one_image(move |_| answer(302, &[("location", location)], "")).await;
        let error = discover(&server, Some(&login())).await.expect_err(location);
        assert!(told(&error).contains(why), "{location}: {}", told(&error));
    }
    let server = Server::start(|sent, _| answer(302, &[("location", &sent.target)], "")).await;
    assert!(told(&tags(&server).await.expect_err("no end")).contains("too many times"));
}

#[tokio::test]
async fn content_is_what_its_digest_says() {
    let server = one_image(|_| ok(r#"{"created":"1999-01-01T00:00:00Z"}"#)).await;
    let error = discover(&server, Some(&login()))
        .await
        .expect_err("a poisoned config");
    assert!(
        told(&error).contains("the content is sha256:"),
        "{}",
        told(&error)
    );

    let (manifest, _) = image();
    let server = Server::start(move |sent, _| {
        if sent.target.contains("/tags/") {
            ok(page(&["1.0.0"]))
        } else {
            answer(
                200,
                &[("docker-content-digest", &digest("another"))],
                manifest.clone(),
            )
        }
    })
    .await;
    let error = discover(&server, None)
        .await
        .expect_err("a poisoned manifest");
    assert!(
        told(&error).contains("the content is sha256:"),
        "{}",
        told(&error)
    );
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

    // What may be well a moment later must not let an older image pass for the newest.
    let busy = Server::start(|sent, _| match sent.target.as_str() {
        target if target.contains("/tags/") => ok(page(&["1.0.0", "2.0.0"])),
        "/v2/web/manifests/2.0.0" => answer(503, &[], ""),
        "/v2/web/manifests/1.0.0" => ok(image().0),
        _ => ok(image().1),
    })
    .await;
    assert!(told(&discover(&busy, None).await.expect_err("busy")).contains("503"));
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
async fn a_certificate_is_checked_unless_the_subscription_says_otherwise() {
    let server = Server::start_tls(|_, _| ok(page(&["a"]))).await;
    let registries = registries();
    let repository = Repository::parse(&format!("{}/web", server.host)).expect("a repository");
    let cost = Cost::default();
    let caller = caller("acme", None, &cost);
    let insecure = registries.reader(caller, &repository, true).await;
    assert_eq!(insecure.tags().await.expect("the tags"), ["a"]);
    // The other client of the same project has learnt nothing from the first.
    let careful = registries.reader(caller, &repository, false).await;
    let error = careful.tags().await.expect_err("an unknown certificate");
    assert!(told(&error).contains("ertificate"), "{}", told(&error));
    assert!(error.hint().contains("SSL_CERT_FILE"), "{}", error.hint());
    assert_eq!(server.sent().len(), 1);
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
async fn while_a_host_wants_to_be_left_alone_nobody_of_the_project_asks() {
    let server = Server::start(|sent, before| match (sent.target.as_str(), before) {
        ("/v2/web/tags/list?n=1000", 0) => answer(429, &[("retry-after", "2")], "slow down"),
        _ => ok(page(&["a"])),
    })
    .await;
    let registries = registries();
    let host = &server.host;
    let list = async |project: &str, name: &str| {
        let repository = Repository::parse(&format!("{host}/{name}")).expect("a repository");
        let cost = Cost::default();
        let reader = registries
            .reader(caller(project, None, &cost), &repository, false)
            .await;
        let asked = Instant::now();
        reader.tags().await.expect("the tags");
        (asked.elapsed(), cost.spent().waited)
    };
    let refused = list("acme", "web");
    let after = async {
        while server.count("/v2/web/") == 0 {
            tokio::task::yield_now().await;
        }
        // The answer may still be on its way to the client.
        tokio::time::sleep(Duration::from_millis(300)).await;
        futures::future::join(list("acme", "api"), list("other", "api")).await
    };
    let both = Box::pin(futures::future::join(refused, after));
    let (refused, (same, other)) = both.await;
    assert!(refused.0 >= Duration::from_secs(2), "{refused:?}");
    assert!(same.0 >= Duration::from_millis(1_200), "{same:?}");
    assert!(same.1 >= Duration::from_millis(1_200), "{same:?}");
    assert!(other.0 < Duration::from_secs(1), "{other:?}");
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
    let error = reader.tags().await.expect_err("nobody speaks");
    assert!(
        told(&error).contains("did not answer in time"),
        "{}",
        told(&error)
    );
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}
