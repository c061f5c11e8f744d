//! What a discovery costs after another one, on a real registry and on scripted ones.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use artifacts::egress::Policy;
use artifacts::image;
use artifacts::registry::{Memory, Registries};
use artifacts::{Cost, Limits, Spent};
use credentials::Login;
use domain::CacheByTagPolicy;
use http::Method;
use resources::subscription::ImageSelectionStrategy;
use resources::{DiscoveredImageReference, ImageSubscription};
use secret::Secret;
use tempfile::TempDir;

use crate::filled::{Filled, Push};
use crate::scripted::{Server, answer, digest, ok};
use crate::{ASKED, caller, told};

const TAGS: usize = 200;

/// Discovers as one process does; dropping it is its end.
struct Process {
    registries: Registries,
}

impl Process {
    fn start(folder: &Path) -> Self {
        Self::with(Memory::open(&folder.join("discovery.redb"), 64 << 20))
    }

    fn with(memory: Memory) -> Self {
        let limits = Limits {
            rate: 20_000.try_into().expect("not zero"),
            ..Limits::default()
        };
        let policy = Arc::new(Policy::new().with_loopback());
        let registries = Registries::new(policy, limits).with_memory(memory);
        Self { registries }
    }

    /// Discovers for a project; gives what was found and what it cost.
    async fn discover_as(
        &self,
        project: &str,
        login: Option<&Login>,
        subscription: &ImageSubscription,
    ) -> (Vec<DiscoveredImageReference>, Spent) {
        let cost = Cost::default();
        let caller = caller(project, login, &cost);
        let found = image::discover(&self.registries, caller, subscription, ASKED).await;
        (found.expect("images"), cost.spent())
    }

    async fn discover(
        &self,
        subscription: &ImageSubscription,
    ) -> (Vec<DiscoveredImageReference>, Spent) {
        self.discover_as("acme", None, subscription).await
    }
}

fn newest_build(repo_url: String) -> ImageSubscription {
    ImageSubscription {
        repo_url,
        image_selection_strategy: ImageSelectionStrategy::NewestBuild,
        discovery_limit: 5,
        ..ImageSubscription::default()
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).expect("a small number")
}

#[tokio::test]
async fn a_known_tag_costs_one_request_and_a_new_one_two_also_after_a_restart() {
    let (filled, folder) = (Filled::start(), TempDir::new().expect("a folder"));
    filled.push_many(TAGS).await;
    let subscription = newest_build(filled.registry.repository("web"));
    let tags = count(TAGS);

    // One request finds out that the registry speaks plain http, one lists.
    let process = Process::start(folder.path());
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!((found[0].tag.as_str(), found.len()), ("t199", 5));
    assert_eq!((spent.total(), spent.remembered), (1 + 1 + 2 * tags, 0));

    let (again, spent) = process.discover(&subscription).await;
    assert_eq!((spent.total(), spent.remembered), (1 + tags, 2 * tags));
    assert_eq!(again, found);

    drop(process);
    let process = Process::start(folder.path());
    let (again, spent) = process.discover(&subscription).await;
    assert_eq!((spent.total(), spent.remembered), (1 + 1 + tags, 2 * tags));
    assert_eq!(again, found);

    // A push: the manifest and the config of the new one. Its date may stand in the manifest: then that is all.
    let push = |tag, minute, is_annotated| Push {
        tag,
        minute,
        is_annotated,
    };
    let new = filled.push(push("new", 300, false)).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!((&found[0].tag, &found[0].digest), (&"new".to_owned(), &new));
    assert_eq!(spent.total(), 1 + tags + 2);
    filled.push(push("newer", 301, true)).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!(found[0].tag, "newer");
    assert_eq!(spent.total(), 1 + tags + 1 + 1);

    // A tag that moved is noticed, here and after a restart.
    let moved = filled.push(push("t0", 302, false)).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!(
        (&found[0].tag, &found[0].digest),
        (&"t0".to_owned(), &moved)
    );
    assert_eq!(spent.total(), 1 + tags + 2 + 2);
    drop(process);
    let process = Process::start(folder.path());
    let (again, spent) = process.discover(&subscription).await;
    assert_eq!(again, found);
    assert_eq!(spent.total(), 1 + 1 + tags + 2);

    // A tag that is gone is gone.
    filled.delete(&moved).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!(found[0].tag, "newer");
    assert_eq!(spent.total(), 1 + tags + 1);
}

#[tokio::test]
async fn tags_that_are_taken_never_to_move_cost_nothing_once_they_are_known() {
    let (filled, folder) = (Filled::start(), TempDir::new().expect("a folder"));
    filled.push_many(TAGS).await;
    let subscription = ImageSubscription {
        cache_by_tag: true,
        ..newest_build(filled.registry.repository("web"))
    };
    let process = Process::start(folder.path());
    let (_, spent) = process.discover(&subscription).await;
    assert_eq!(spent.total(), 1 + 1 + 2 * count(TAGS));
    let (_, spent) = process.discover(&subscription).await;
    assert_eq!(spent.total(), 1);
    drop(process);

    let process = Process::start(folder.path());
    let (_, spent) = process.discover(&subscription).await;
    assert_eq!(spent.total(), 1 + 1);
    let push = Push {
        tag: "new",
        minute: 300,
        is_annotated: false,
    };
    filled.push(push).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!((found[0].tag.as_str(), spent.total()), ("new", 1 + 2));
    // Whoever moves a tag all the same is not noticed, which is what was asked for.
    let push = Push {
        tag: "t0",
        minute: 301,
        ..push
    };
    filled.push(push).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!((found[0].tag.as_str(), spent.total()), ("new", 1));

    // A tag that is followed by its digest is always asked for.
    let digest = ImageSubscription {
        image_selection_strategy: ImageSelectionStrategy::Digest,
        constraint: "t0".to_owned(),
        ..subscription.clone()
    };
    let (found, spent) = process.discover(&digest).await;
    assert_ne!(found[0].created_at, None);
    assert_eq!(spent.total(), 3, "it has moved");
    let (_, spent) = process.discover(&digest).await;
    assert_eq!(spent.total(), 1);
}

#[tokio::test]
async fn the_operator_decides_whether_tags_are_taken_never_to_move() {
    let filled = Filled::start();
    filled.push_many(3).await;
    let plain = newest_build(filled.registry.repository("web"));
    let cached = ImageSubscription {
        cache_by_tag: true,
        ..plain.clone()
    };
    let cost_of = async |policy, subscription: &ImageSubscription| {
        let Process { registries } = Process::with(Memory::new());
        let process = Process {
            registries: registries.with_cache_by_tag(policy),
        };
        process.discover(subscription).await;
        process.discover(subscription).await.1.total()
    };
    assert_eq!(cost_of(CacheByTagPolicy::Forbid, &cached).await, 4);
    assert_eq!(cost_of(CacheByTagPolicy::Allow, &plain).await, 4);
    assert_eq!(cost_of(CacheByTagPolicy::Allow, &cached).await, 1);
    assert_eq!(cost_of(CacheByTagPolicy::Require, &cached).await, 1);
    assert_eq!(cost_of(CacheByTagPolicy::Force, &plain).await, 1);

    let registries = Process::with(Memory::new())
        .registries
        .with_cache_by_tag(CacheByTagPolicy::Require);
    let cost = Cost::default();
    let error = image::discover(&registries, caller("acme", None, &cost), &plain, ASKED)
        .await
        .expect_err("it is required");
    assert!(
        told(&error).contains("the operator requires it")
            && error.hint().contains("cacheByTag: true"),
        "{}",
        told(&error)
    );
    assert_eq!(cost.spent().total(), 0);
}

#[tokio::test]
async fn nobody_gets_what_another_project_or_credential_was_shown() {
    let (filled, folder) = (Filled::start(), TempDir::new().expect("a folder"));
    filled.push_many(20).await;
    let subscription = newest_build(filled.registry.repository("web"));
    let process = Process::start(folder.path());
    process.discover(&subscription).await;
    drop(process);
    let process = Process::start(folder.path());
    let login = Login::Basic {
        username: "me".to_owned(),
        password: Secret::from("hunter2-hunter2"),
    };
    let insecure = ImageSubscription {
        insecure_skip_tls_verify: true,
        ..subscription.clone()
    };
    for (project, login, subscription) in [
        ("other", None, &subscription),
        ("acme", Some(&login), &subscription),
        ("acme", None, &insecure),
    ] {
        let (_, spent) = process.discover_as(project, login, subscription).await;
        let expected = (1 + 1 + 2 * 20, 0);
        assert_eq!((spent.total(), spent.remembered), expected, "{project}");
    }
}

/// A repository with two tags of one image, whose manifests come with these headers unless `answer` says otherwise.
fn two_tags(
    headers: fn(&str) -> Vec<(&'static str, String)>,
    answer_first: impl Fn(&crate::scripted::Sent, usize) -> Option<axum::response::Response>
    + Send
    + Sync
    + 'static,
) -> impl Fn(&crate::scripted::Sent, usize) -> axum::response::Response + Send + Sync + 'static {
    move |sent, before| {
        if let Some(answer) = answer_first(sent, before) {
            return answer;
        }
        let config = r#"{"created":"2026-01-01T00:00:00Z","os":"linux","architecture":"amd64"}"#;
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"digest":"{}"}}}}"#,
            digest(config)
        );
        if sent.target.contains("/tags/list") {
            return ok(r#"{"tags":["1.0.0","2.0.0"]}"#);
        }
        if sent.target.contains("/blobs/") {
            return ok(config);
        }
        let headers = headers(&manifest);
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        match &sent.if_none_match {
            Some(etag) if headers.contains(&("etag", etag.as_str())) => answer(304, &headers, ""),
            _ => answer(200, &headers, manifest),
        }
    }
}

/// The methods by which manifests were asked for since so many requests ago.
fn methods(server: &Server, skip: usize) -> Vec<String> {
    let sent = server.sent().into_iter().skip(skip);
    sent.filter(|it| it.target.contains("/manifests/"))
        .map(|it| it.method)
        .collect()
}

async fn check_warm(
    server: &Server,
    subscription: &ImageSubscription,
    expected: &[&Method],
    folder: &Path,
) {
    for restarts in 0..2 {
        let process = Process::start(folder);
        process.discover(subscription).await;
        let before = server.sent().len();
        process.discover(subscription).await;
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        let mut methods = methods(server, before);
        methods.sort();
        expected.sort();
        assert_eq!(methods, expected, "{restarts}");
        let blobs = server
            .sent()
            .iter()
            .skip(before)
            .any(|it| it.target.contains("/blobs/"));
        assert!(!blobs, "the config is remembered");
    }
}

#[tokio::test]
async fn a_registry_that_names_no_digest_is_asked_by_etag() {
    let folder = TempDir::new().expect("a folder");
    let moved = Arc::new(AtomicBool::new(false));
    let has_moved = Arc::clone(&moved);
    let server = Server::start(two_tags(
        |_| vec![("etag", "W/\"one\"".to_owned())],
        move |sent, _| {
            let is_it = sent.target.ends_with("/manifests/2.0.0") && has_moved.load(Ordering::SeqCst);
            let manifest = r#"{"schemaVersion":2,"annotations":{"org.opencontainers.image.created":"2026-02-02T00:00:00Z"},"config":{"digest":"x"}}"#;
            is_it.then(|| answer(200, &[("etag", "\"two\"")], manifest))
        },
    ))
    .await;
    let subscription = newest_build(format!("{}/web", server.host));
    check_warm(
        &server,
        &subscription,
        &[&Method::GET, &Method::GET],
        folder.path(),
    )
    .await;
    let etags: Vec<_> = server
        .sent()
        .into_iter()
        .filter_map(|it| it.if_none_match)
        .collect();
    assert_eq!(etags.len(), 6, "all but the first discovery's: {etags:?}");

    let process = Process::start(folder.path());
    moved.store(true, Ordering::SeqCst);
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!((found[0].tag.as_str(), spent.total()), ("2.0.0", 1 + 1 + 2));
}

#[tokio::test]
async fn a_registry_that_does_not_answer_head_is_asked_in_another_way() {
    let head = |sent: &crate::scripted::Sent, _: usize| {
        (sent.method == "HEAD").then(|| answer(405, &[], ""))
    };
    let names_digest = |body: &str| vec![("docker-content-digest", digest(body))];
    let server = Server::start(two_tags(names_digest, head)).await;
    let folder = TempDir::new().expect("a folder");
    let subscription = newest_build(format!("{}/web", server.host));
    // The second discovery finds it out.
    let process = Process::start(folder.path());
    process.discover(&subscription).await;
    drop(process);
    check_warm(
        &server,
        &subscription,
        &[&Method::GET, &Method::GET],
        folder.path(),
    )
    .await;
}

#[tokio::test]
async fn a_registry_that_names_neither_is_read_anew() {
    let server = Server::start(two_tags(|_| Vec::new(), |_, _| None)).await;
    let folder = TempDir::new().expect("a folder");
    let subscription = newest_build(format!("{}/web", server.host));
    check_warm(
        &server,
        &subscription,
        &[&Method::GET, &Method::GET],
        folder.path(),
    )
    .await;
}

#[tokio::test]
async fn what_is_remembered_is_for_those_only_who_are_still_let_in() {
    let (filled_folder, closed) = (
        TempDir::new().expect("a folder"),
        Arc::new(AtomicBool::new(false)),
    );
    let is_closed = Arc::clone(&closed);
    let names_digest = |body: &str| vec![("docker-content-digest", digest(body))];
    let refuse = move |_: &crate::scripted::Sent, _: usize| {
        is_closed
            .load(Ordering::SeqCst)
            .then(|| answer(403, &[], ""))
    };
    let server = Server::start(two_tags(names_digest, refuse)).await;
    let tag = ImageSubscription {
        repo_url: format!("{}/web", server.host),
        image_selection_strategy: ImageSelectionStrategy::Digest,
        constraint: "1.0.0".to_owned(),
        ..ImageSubscription::default()
    };
    let cached = ImageSubscription {
        cache_by_tag: true,
        ..newest_build(tag.repo_url.clone())
    };
    let process = Process::start(filled_folder.path());
    process.discover(&tag).await;
    process.discover(&cached).await;
    closed.store(true, Ordering::SeqCst);
    for subscription in [&tag, &cached] {
        let cost = Cost::default();
        let caller = caller("acme", None, &cost);
        let error = image::discover(&process.registries, caller, subscription, ASKED)
            .await
            .expect_err("not let in");
        assert!(told(&error).contains("403"), "{}", told(&error));
        assert_eq!(cost.spent().remembered, 0);
    }
}
