//! Debian's docker-registry on its bad days, which a proxy in front of it brings about: what is found all the same, in how
//! many requests.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use artifacts::egress::Policy;
use artifacts::image::{self, Error};
use artifacts::registry::Registries;
use artifacts::{Cost, Limits};
use resources::subscription::ImageSelectionStrategy;
use resources::{DiscoveredImageReference, ImageSubscription};
use testkit::proxy::{Asked, Page, Proxy, Twist};

use crate::filled::{Filled, Push, pushed};
use crate::{ASKED, caller, check_told, told};

/// Tags on a page of the proxy's.
const PAGE: usize = 3;
/// Every discovery begins with a request that finds out whether the registry speaks TLS.
const PROBE: usize = 1;
/// The manifest and the config of an image.
const IMAGE: usize = 2;

fn registries() -> Registries {
    let limits = Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        patience: Duration::from_secs(4),
        ..Limits::default()
    };
    Registries::new(Arc::new(Policy::new().with_loopback()), limits)
}

/// Asks for the two best images of `web` by name, and makes sure that every request has been counted.
async fn discover(proxy: &Proxy) -> Result<Vec<DiscoveredImageReference>, Error> {
    discover_in(&registries(), proxy, "web").await
}

async fn discover_in(
    registries: &Registries,
    proxy: &Proxy,
    repository: &str,
) -> Result<Vec<DiscoveredImageReference>, Error> {
    let subscription = ImageSubscription {
        repo_url: format!("{}/{repository}", proxy.host()),
        image_selection_strategy: ImageSelectionStrategy::Lexical,
        discovery_limit: 2,
        ..ImageSubscription::default()
    };
    let (cost, before) = (Cost::default(), proxy.count());
    let asking = caller("acme", None, &cost);
    let found = image::discover(registries, asking, &subscription, ASKED).await;
    let asked = u64::try_from(proxy.count() - before).expect("few");
    assert_eq!(cost.spent().total(), asked, "{:?}", proxy.targets());
    found
}

/// A registry whose images are tagged `a`, `b` and so on, each built a minute after the one before.
async fn filled(tags: &[&str]) -> Filled {
    let filled = Filled::start();
    let images = tags.iter().zip(0..).map(|(tag, minute)| {
        pushed(Push {
            tag,
            minute,
            is_annotated: false,
        })
    });
    filled.push_into("web", images.collect()).await;
    filled
}

fn tags(found: &[DiscoveredImageReference]) -> Vec<&str> {
    found.iter().map(|it| it.tag.as_str()).collect()
}

fn is_list(asked: &Asked) -> bool {
    asked.target.contains("/tags/list")
}

/// Lets every list of tags come to this.
fn on_lists(twist: Twist) -> impl Fn(&Asked) -> Twist {
    move |asked| {
        if is_list(asked) {
            twist.clone()
        } else {
            Twist::Pass
        }
    }
}

/// Counts the requests for a part of the repository.
fn count(proxy: &Proxy, part: &str) -> usize {
    let targets = proxy.targets();
    targets.iter().filter(|it| it.1.contains(part)).count()
}

fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Twist {
    let headers = headers
        .iter()
        .map(|(name, value)| (*name, (*value).to_owned()));
    Twist::Answer {
        status,
        headers: headers.collect(),
        body: body.to_owned(),
    }
}

/// Checks that an error names the repository `web`, the request for a part of it, and the next step.
#[track_caller]
fn check(error: &Error, proxy: &Proxy, part: &str, next: &str) {
    let host = proxy.host();
    let request = format!("GET {host}/v2/web/{part}");
    check_told(error, &format!("repository {host}/web"), &request, next);
}

#[tokio::test]
async fn pages_are_followed_by_their_links_whatever_host_they_name() {
    let filled = filled(&["a", "b", "c", "d", "e", "f", "g"]).await;
    for link in ["", "http://inside.corp:8080"] {
        let page = Page {
            size: PAGE,
            link: Some(link),
        };
        let proxy = filled.behind(on_lists(Twist::Page(page))).await;
        let found = discover(&proxy).await.expect("the images");
        assert_eq!(tags(&found), ["g", "f"]);
        let targets = proxy.targets().into_iter().skip(PROBE).take(3);
        let list = "/v2/web/tags/list";
        assert_eq!(
            targets.map(|it| it.1).collect::<Vec<_>>(),
            [
                format!("{list}?n=1000"),
                format!("{list}?n=3&last=c"),
                format!("{list}?n=3&last=f"),
            ]
        );
        assert_eq!(proxy.count(), PROBE + 3 + 2 * IMAGE);
    }
}

#[tokio::test]
async fn a_list_that_is_cut_without_a_word_is_asked_for_more() {
    let filled = Filled::start();
    let tags_of_one = (0..1_100).map(|number| {
        pushed(Push {
            tag: &format!("t{number}"),
            minute: 0,
            is_annotated: false,
        })
    });
    filled.push_into("web", tags_of_one.collect()).await;
    let page = Page {
        size: 1_000,
        link: None,
    };
    let proxy = filled.behind(on_lists(Twist::Page(page))).await;
    let found = discover(&proxy).await.expect("the images");
    assert_eq!(tags(&found), ["t999", "t998"]);
    assert_eq!(count(&proxy, "/tags/list"), 2);
    // The registry itself knows no pages: it gives all there are, and the same again is the end.
    let proxy = filled.behind(testkit::proxy::pass).await;
    assert_eq!(
        tags(&discover(&proxy).await.expect("the images")),
        ["t999", "t998"]
    );
    assert_eq!(count(&proxy, "/tags/list"), 2);
}

#[tokio::test]
async fn pages_that_go_round_are_an_error_that_names_the_request() {
    let filled = filled(&["a", "b"]).await;
    let link = |query: &str| format!("</v2/web/tags/list?{query}>; rel=\"next\"");
    // One links to itself, one to another that holds the same.
    for (query, lists) in [("n=1000", 1), ("n=1000&last=a", 2)] {
        let proxy = filled
            .behind(on_lists(Twist::Header("link", link(query))))
            .await;
        let error = discover(&proxy).await.expect_err("no end");
        assert!(
            told(&error).contains("go round in circles"),
            "{}",
            told(&error)
        );
        check(&error, &proxy, "tags/list", "skopeo --debug list-tags");
        assert_eq!(proxy.count(), PROBE + lists, "{:?}", proxy.targets());
    }
}

#[tokio::test]
async fn an_empty_repository_has_no_images() {
    let filled = filled(&["a"]).await;
    let one = pushed(Push {
        tag: "a",
        minute: 0,
        is_annotated: false,
    });
    let digest = filled.push_into("web", vec![one]).await.remove(0);
    filled.delete(&digest).await;
    let proxy = filled.behind(testkit::proxy::pass).await;
    assert_eq!(discover(&proxy).await.expect("an answer"), []);
    assert_eq!(proxy.count(), PROBE + 1);
}

#[tokio::test]
async fn pauses_and_faults_are_waited_out() {
    let filled = filled(&["a", "b"]).await;
    let date = [
        ("date", "Wed, 21 Oct 2026 07:28:00 GMT"),
        ("retry-after", "Wed, 21 Oct 2026 07:28:01 GMT"),
    ];
    let proxy = filled
        .behind(move |asked| match (asked.target.as_str(), asked.before) {
            ("/v2/web/tags/list?n=1000", 0) => answer(429, &[("retry-after", "1")], "slow down"),
            ("/v2/web/tags/list?n=1000", 1) => answer(500, &date, "oops"),
            ("/v2/web/tags/list?n=1000", 2) => answer(503, &[], "later"),
            ("/v2/web/tags/list?n=1000", 3) | ("/v2/web/manifests/b", 0) => Twist::Reset,
            ("/v2/web/tags/list?n=1000", 4) => Twist::Cut(10),
            ("/v2/web/manifests/a", 0) => Twist::Cut(20),
            (target, 0) if target.contains("/blobs/") => Twist::Cut(5),
            _ => Twist::Pass,
        })
        .await;
    let start = Instant::now();
    let found = discover(&proxy).await.expect("the images at last");
    assert_eq!(tags(&found), ["b", "a"]);
    let least = Duration::from_secs(2);
    assert!(
        start.elapsed() >= least,
        "Retry-After counts, in seconds and as a time by the server's clock"
    );
    assert_eq!(count(&proxy, "/tags/list"), 6);
    assert_eq!(proxy.count(), PROBE + 6 + 2 * 2 * IMAGE);
}

#[tokio::test]
async fn patience_has_an_end() {
    let filled = filled(&["a"]).await;
    let cases = [
        (
            answer(429, &[("retry-after", "3600")], "tomorrow"),
            "3600 s",
            "ask for a higher quota at 127.0.0.1:",
            1,
        ),
        (
            answer(502, &[], ""),
            "502",
            "ask for a higher quota at 127.0.0.1:",
            7,
        ),
        (Twist::Cut(4), "broke off", "see whether 127.0.0.1:", 7),
        (Twist::Reset, "failed to reach", "curl -v", 7),
        (
            answer(200, &[], "<html>"),
            "not a list of tags",
            "skopeo --debug list-tags",
            1,
        ),
    ];
    for (twist, why, next, lists) in cases {
        let proxy = filled.behind(on_lists(twist)).await;
        let error = discover(&proxy).await.expect_err(why);
        check(&error, &proxy, "tags/list", next);
        let error = told(&error);
        assert!(error.contains(why), "{why}: {error}");
        assert_eq!(count(&proxy, "/tags/list"), lists, "{why}: {error}");
    }
}

#[tokio::test]
async fn while_a_host_wants_to_be_left_alone_nobody_of_the_project_asks() {
    let filled = filled(&["a"]).await;
    let other = pushed(Push {
        tag: "a",
        minute: 0,
        is_annotated: false,
    });
    filled.push_into("api", vec![other]).await;
    let times: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let record = Arc::clone(&times);
    let proxy = filled
        .behind(move |asked| {
            record.lock().expect("nobody panics").push(Instant::now());
            match (asked.target.as_str(), asked.before) {
                ("/v2/web/tags/list?n=1000", 0) => {
                    answer(429, &[("retry-after", "2")], "slow down")
                }
                _ => Twist::Pass,
            }
        })
        .await;
    let registries = registries();
    let refused = async {
        let found = image_of(&registries, &proxy, "acme", "web").await;
        assert_eq!(found, ["a"]);
    };
    let after = async {
        while count(&proxy, "/v2/web/tags/list") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // The answer may still be on its way to the client.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let (asked, before) = (Instant::now(), proxy.count());
        let same = image_of(&registries, &proxy, "acme", "api");
        let other = async {
            image_of(&registries, &proxy, "other", "api").await;
            asked.elapsed()
        };
        let (same, other) = futures::future::join(same, other).await;
        assert_eq!(same, ["a"]);
        assert!(other < Duration::from_secs(1), "another project: {other:?}");
        (asked, before)
    };
    let both = Box::pin(futures::future::join(refused, after));
    let ((), (asked, before)) = both.await;
    // Of what came after the other project had its image nothing came before the two seconds were over.
    let others = PROBE + 1 + IMAGE;
    let times = times.lock().expect("nobody panics");
    let next = times[before + others];
    let waited = next.duration_since(asked);
    assert!(waited >= Duration::from_millis(1_200), "{waited:?}");
    assert_eq!(times.len(), before + others + (1 + IMAGE) + (1 + IMAGE));
}

/// Gives the tags of a repository as a project finds them.
async fn image_of(
    registries: &Registries,
    proxy: &Proxy,
    project: &str,
    name: &str,
) -> Vec<String> {
    let subscription = ImageSubscription {
        repo_url: format!("{}/{name}", proxy.host()),
        image_selection_strategy: ImageSelectionStrategy::Lexical,
        ..ImageSubscription::default()
    };
    let cost = Cost::default();
    let asking = caller(project, None, &cost);
    let found = image::discover(registries, asking, &subscription, ASKED).await;
    let found = found.expect("images").into_iter().map(|it| it.tag);
    found.collect()
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_says_is_asked_for_once_more() {
    let filled = filled(&["a"]).await;
    for part in ["/manifests/", "/blobs/"] {
        for (poisoned, requests) in [(1, IMAGE + 1), (2, 2)] {
            let script = move |asked: &Asked| {
                if asked.target.contains(part) && asked.before < poisoned {
                    let poison = r#"{"created":"1999-01-01T00:00:00Z"}"#;
                    return answer(200, &[("docker-content-digest", WRONG)], poison);
                }
                Twist::Pass
            };
            let (proxy, registries) = (filled.behind(script).await, registries());
            let first = discover_in(&registries, &proxy, "web").await;
            if poisoned == 1 {
                assert_eq!(tags(&first.expect("the image")), ["a"]);
                assert_eq!(proxy.count(), PROBE + 1 + requests, "{part}");
                continue;
            }
            let error = first.expect_err("a poisoned image");
            check(&error, &proxy, &part[1..], "skopeo --debug list-tags");
            let error = told(&error);
            assert!(error.contains("the content is sha256:"), "{error}");
            assert_eq!(count(&proxy, part), requests, "{part}");
            // Nothing of it was kept.
            let found = discover_in(&registries, &proxy, "web").await;
            let found = found.expect("the image");
            let built = found[0].created_at.as_ref().map(|it| it.0.to_string());
            assert_eq!(built.as_deref(), Some("2026-01-01T00:00:00Z"));
        }
    }
}

/// The digest of something else.
const WRONG: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
