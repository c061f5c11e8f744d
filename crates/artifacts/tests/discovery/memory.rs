//! What a discovery costs after another one, on Debian's docker-registry, and behind a proxy that hides what it could say.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use artifacts::egress::Policy;
use artifacts::image;
use artifacts::registry::{Memory, Registries};
use artifacts::{Cost, Limits, Spent};
use credentials::Login;
use http::Method;
use resources::subscription::ImageSelectionStrategy;
use resources::{DiscoveredImageReference, ImageSubscription};
use secret::Secret;
use tempfile::TempDir;
use testkit::proxy::{Asked, Proxy, Twist};

use crate::filled::{Filled, Push};
use crate::{ASKED, caller, told};

/// Tags of a repository of some size.
pub(crate) const TAGS: usize = 200;

/// Discovers as one process does; dropping it is its end.
pub(crate) struct Process {
    pub(crate) registries: Registries,
}

impl Process {
    pub(crate) fn start(folder: &Path) -> Self {
        Self::with(Memory::open(&folder.join("discovery.redb"), 64 << 20))
    }

    pub(crate) fn with(memory: Memory) -> Self {
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

    pub(crate) async fn discover(
        &self,
        subscription: &ImageSubscription,
    ) -> (Vec<DiscoveredImageReference>, Spent) {
        self.discover_as("acme", None, subscription).await
    }
}

pub(crate) fn newest_build(repo_url: String) -> ImageSubscription {
    ImageSubscription {
        repo_url,
        image_selection_strategy: ImageSelectionStrategy::NewestBuild,
        discovery_limit: 5,
        ..ImageSubscription::default()
    }
}

pub(crate) fn count(number: usize) -> u64 {
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

/// Answers in place of the registry.
fn status(status: u16) -> Twist {
    Twist::Answer {
        status,
        headers: Vec::new(),
        body: String::new(),
    }
}

/// Counts the requests for manifests since so many, by method, and those for anything but lists beside.
fn asked(proxy: &Proxy, skip: usize) -> (usize, usize, usize) {
    let targets = proxy.targets();
    let mut counts = (0, 0, 0);
    for (method, target) in &targets[skip..] {
        let is_manifest = target.contains("/manifests/");
        match *method {
            Method::HEAD if is_manifest => counts.0 += 1,
            Method::GET if is_manifest => counts.1 += 1,
            _ if target.contains("/tags/list") || target == "/v2/" => {}
            _ => counts.2 += 1,
        }
    }
    counts
}

/// Discovers first, again, and after a restart; gives what manifests cost by HEAD and by GET each time after the first.
async fn again(proxy: &Proxy, folder: &Path) -> [(usize, usize); 2] {
    let subscription = newest_build(format!("{}/web", proxy.host()));
    let mut process = Process::start(folder);
    process.discover(&subscription).await;
    let mut all = [(0, 0); 2];
    for (is_restarted, counts) in [false, true].into_iter().zip(&mut all) {
        if is_restarted {
            drop(process);
            process = Process::start(folder);
        }
        let before = proxy.count();
        process.discover(&subscription).await;
        let (heads, gets, others) = asked(proxy, before);
        assert_eq!(others, 0, "configs are remembered");
        *counts = (heads, gets);
    }
    all
}

#[tokio::test]
async fn a_tag_is_asked_for_in_the_cheapest_way_that_its_registry_knows() {
    let hide_digest = |asked: &Asked| {
        if asked.target.contains("/manifests/") {
            return Twist::Without(&["docker-content-digest"]);
        }
        Twist::Pass
    };
    let hide_both = |asked: &Asked| {
        if asked.target.contains("/manifests/") {
            return Twist::Without(&["docker-content-digest", "etag"]);
        }
        Twist::Pass
    };
    let no_head = |asked: &Asked| {
        if asked.method == Method::HEAD {
            return status(405);
        }
        Twist::Pass
    };
    let filled = Filled::start();
    filled.push_many(3).await;
    let cases = [
        (
            "digests",
            filled.behind(testkit::proxy::pass).await,
            [(3, 0), (3, 0)],
        ),
        (
            "no digests",
            filled.behind(hide_digest).await,
            [(0, 3), (0, 3)],
        ),
        ("neither", filled.behind(hide_both).await, [(0, 3), (0, 3)]),
        // The first time it is found out that nobody answers to HEAD.
        ("no HEAD", filled.behind(no_head).await, [(3, 3), (0, 3)]),
    ];
    for (what, proxy, expected) in cases {
        let folder = TempDir::new().expect("a folder");
        assert_eq!(again(&proxy, folder.path()).await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_registry_that_names_no_digest_is_asked_by_etag() {
    let (filled, folder) = (Filled::start(), TempDir::new().expect("a folder"));
    filled.push_many(2).await;
    let etags: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&etags);
    let proxy = filled
        .behind(move |asked| {
            if !asked.target.contains("/manifests/") {
                return Twist::Pass;
            }
            let etag = asked.headers.get("if-none-match");
            let etag = etag.and_then(|it| it.to_str().ok()).map(str::to_owned);
            seen.lock().expect("nobody panics").extend(etag);
            Twist::Without(&["docker-content-digest"])
        })
        .await;
    let subscription = newest_build(format!("{}/web", proxy.host()));
    let process = Process::start(folder.path());
    process.discover(&subscription).await;
    assert_eq!(etags.lock().expect("nobody panics").len(), 0);
    let (_, spent) = process.discover(&subscription).await;
    assert_eq!((spent.total(), spent.remembered), (1 + 2, 2 * 2));
    assert_eq!(etags.lock().expect("nobody panics").len(), 2);

    let push = Push {
        tag: "t0",
        minute: 300,
        is_annotated: false,
    };
    let moved = filled.push(push).await;
    let (found, spent) = process.discover(&subscription).await;
    assert_eq!(
        (&found[0].tag, &found[0].digest),
        (&"t0".to_owned(), &moved)
    );
    assert_eq!(spent.total(), 1 + 2 + 1, "what has moved comes at once");
}

#[tokio::test]
async fn what_is_remembered_is_for_those_only_who_are_still_let_in() {
    let (filled, folder) = (Filled::start(), TempDir::new().expect("a folder"));
    filled.push_many(2).await;
    let closed = Arc::new(AtomicBool::new(false));
    let is_closed = Arc::clone(&closed);
    let proxy = filled
        .behind(move |_| {
            if is_closed.load(Ordering::SeqCst) {
                return status(403);
            }
            Twist::Pass
        })
        .await;
    let tag = ImageSubscription {
        repo_url: format!("{}/web", proxy.host()),
        image_selection_strategy: ImageSelectionStrategy::Digest,
        constraint: "t0".to_owned(),
        ..ImageSubscription::default()
    };
    let cached = ImageSubscription {
        cache_by_tag: true,
        ..newest_build(tag.repo_url.clone())
    };
    let process = Process::start(folder.path());
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
