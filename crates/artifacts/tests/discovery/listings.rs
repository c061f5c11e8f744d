//! Lists of tags as no registry should give them, and Google's own where they are not as they should be.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use artifacts::egress::Policy;
use artifacts::image::{self, Error};
use artifacts::registry::Registries;
use artifacts::{Cost, Limits, Looks, Spent};
use axum::response::Response;
use domain::selection::Selected;
use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;
use serde_json::{Value, json};

use crate::scripted::{Sent, Server, answer, digest, not_found, ok};
use crate::{ASKED, caller, check_told, told};

/// What the server is called, so that it is spoken to as Google's.
const HOST: &str = "us-docker.pkg.dev";
const LIST: &str = "/v2/acme-prod/apps/web/tags/list";

/// A server that is taken for Google's.
async fn google(answer: impl Fn(&Sent, usize) -> Response + Send + Sync + 'static) -> Server {
    Server::start(answer).await
}

fn registries(server: &Server) -> Registries {
    let limits = Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        patience: Duration::from_secs(3),
        rate: 10_000.try_into().expect("not zero"),
        ..Limits::default()
    };
    let address = format!("http://{}", server.host);
    let endpoints = HashMap::from([(HOST.to_owned(), address.parse().expect("a URL"))]);
    Registries::new(Arc::new(Policy::new().with_loopback()), limits).with_endpoints(endpoints)
}

async fn select(
    registries: &Registries,
    strategy: ImageSelectionStrategy,
) -> (Result<Selected, Error>, Spent) {
    select_from(registries, "apps/web", strategy).await
}

async fn select_from(
    registries: &Registries,
    repository: &str,
    strategy: ImageSelectionStrategy,
) -> (Result<Selected, Error>, Spent) {
    let subscription = ImageSubscription {
        repo_url: format!("{HOST}/acme-prod/{repository}"),
        image_selection_strategy: strategy,
        discovery_limit: 2,
        ..ImageSubscription::default()
    };
    let cost = Cost::default();
    let asking = caller("acme", None, &cost);
    let selected = image::select(registries, asking, &subscription, ASKED).await;
    (selected, cost.spent())
}

/// The manifest and config of an image built in this second of 2026, and the entry of a list.
fn image_of(tag: &str, second: u32) -> (String, String, Value) {
    let config = json!({"created": format!("2026-01-01T00:00:{second:02}Z"), "os": "linux", "architecture": "amd64"});
    let config = config.to_string();
    let manifest = json!({"schemaVersion": 2, "annotations": {"tag": tag}, "config": {"digest": digest(&config)}});
    let built = 1_767_225_600_000_i64 + i64::from(second) * 1_000;
    let entry = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "tag": [tag],
        "timeCreatedMs": built.to_string(),
        "timeUploadedMs": (built + 500).to_string(),
    });
    (manifest.to_string(), config, entry)
}

/// Answers for images `a` to `e`, each built a second after the one before; `change` says what is listed of them.
fn five_images(
    change: impl Fn(&mut Value) + Send + Sync + 'static,
) -> impl Fn(&Sent, usize) -> Response {
    move |sent, _| {
        let (mut manifests, mut contents) = (serde_json::Map::new(), Vec::new());
        for (second, tag) in (0..).zip(["a", "b", "c", "d", "e"]) {
            let (manifest, config, entry) = image_of(tag, second);
            manifests.insert(digest(&manifest), entry);
            contents.push((format!("/manifests/{tag}"), manifest.clone()));
            contents.push((digest(&manifest), manifest));
            contents.push((digest(&config), config));
        }
        if sent.target.starts_with(LIST) {
            let mut list =
                json!({"name": "web", "tags": ["a", "b", "c", "d", "e"], "manifest": manifests});
            change(&mut list);
            return ok(list.to_string());
        }
        let mut found = contents.into_iter();
        found
            .find(|(name, _)| sent.target.ends_with(name))
            .map_or_else(not_found, |(_, content)| ok(content))
    }
}

fn tags(selected: &Selected) -> Vec<&str> {
    selected.taken.iter().map(|it| it.tag.as_str()).collect()
}

#[tokio::test]
async fn a_list_that_tells_times_spares_a_look_at_all_but_the_newest() {
    let server = google(five_images(|_| {})).await;
    let registries = registries(&server);
    let (found, spent) = select(&registries, ImageSelectionStrategy::NewestBuild).await;
    let found = found.expect("the newest");
    assert_eq!(tags(&found), ["e", "d"]);
    assert_eq!(found.taken[0].annotations["tag"], "e");
    assert_eq!(
        found.taken[0]
            .uploaded_at
            .map(jiff::Timestamp::as_millisecond),
        Some(1_767_225_604_500)
    );
    // The list, and for each of the two its manifest and its config.
    assert_eq!(spent.total(), 1 + 2 * 2);
    let (wanted, ended) = (2, 2);
    assert_eq!(spent.looks, Looks { wanted, ended });
    assert_eq!(server.sent()[0].target, format!("{LIST}?n=10000"));
    let by_tag = |it: &Sent| it.target.ends_with("/manifests/e");
    assert!(
        !server.sent().iter().any(by_tag),
        "the list tells the digest"
    );
    let (again, spent) = select(&registries, ImageSelectionStrategy::NewestBuild).await;
    assert_eq!((again.expect("the same"), spent.total()), (found, 1));
    assert_eq!(spent.looks.ended, spent.looks.wanted);
}

#[tokio::test]
async fn what_a_list_says_beside_names_is_passed_over_where_it_makes_no_sense() {
    let changes: [fn(&mut Value); 4] = [
        |list| list["manifest"] = json!("soon"),
        |list| list["manifest"] = json!([1, 2]),
        |list| {
            for entry in list["manifest"]
                .as_object_mut()
                .expect("a map")
                .values_mut()
            {
                entry["timeCreatedMs"] = json!(17);
            }
        },
        |list| drop(list.as_object_mut().expect("a map").remove("manifest")),
    ];
    for change in changes {
        let server = google(five_images(change)).await;
        let registries = registries(&server);
        let (found, spent) = select(&registries, ImageSelectionStrategy::NewestBuild).await;
        assert_eq!(tags(&found.expect("the newest")), ["e", "d"]);
        assert_eq!(spent.total(), 1 + 5 * 2, "every image is looked at");
    }
}

#[tokio::test]
async fn a_question_that_is_not_understood_is_asked_in_the_words_of_the_standard() {
    let five = five_images(|list| drop(list.as_object_mut().expect("a map").remove("manifest")));
    let server = google(move |sent, before| {
        if sent.target.contains("n=10000") {
            return answer(400, &[], r#"{"errors":[{"code":"UNSUPPORTED"}]}"#);
        }
        five(sent, before)
    })
    .await;
    let (found, _) = select(&registries(&server), ImageSelectionStrategy::Lexical).await;
    assert_eq!(tags(&found.expect("all tags")), ["e", "d"]);
    assert_eq!(server.count(LIST), 2);
    assert_eq!(server.sent()[1].target, format!("{LIST}?n=1000"));
}

#[tokio::test]
async fn pages_that_come_again_are_an_end_or_an_error_that_names_the_request() {
    // Each links to the next, which is new, and holds what the first held.
    let same = google(|_, _| {
        let link = format!("<{LIST}?n=10000&last={}>; rel=\"next\"", rand());
        answer(200, &[("link", &link)], r#"{"tags":["a","b"]}"#)
    })
    .await;
    // Each links to one that was there before.
    let round = google(|sent, _| {
        let (tag, last) = if sent.target.contains("last=b") {
            ("b", "a")
        } else {
            ("a", "b")
        };
        let link = format!("<{LIST}?last={last}>; rel=\"next\"");
        answer(200, &[("link", &link)], json!({"tags": [tag]}).to_string())
    })
    .await;
    // Nothing, and then more of it.
    let empty = google(|_, _| {
        let link = format!("<{LIST}?last={}>; rel=\"next\"", rand());
        answer(200, &[("link", &link)], r#"{"tags":[]}"#)
    })
    .await;
    for (server, why, requests) in [
        (same, "go round in circles", 2),
        (round, "go round in circles", 3),
        (empty, "have no end", 21),
    ] {
        let (found, _) = select(&registries(&server), ImageSelectionStrategy::Lexical).await;
        let error = found.expect_err("no end");
        let request = format!("GET {}{LIST}", server.host);
        let repository = format!("{HOST}/acme-prod/apps/web");
        check_told(&error, &repository, &request, "skopeo");
        let told = told(&error);
        assert!(told.contains(why), "{why} in: {told}");
        assert_eq!(server.count(LIST), requests, "{told}");
    }
}

/// A number that no page has had.
fn rand() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Answers for `apps`, whose pages are linked, and `remote`, where the first of two comes without a word of the second; the
/// first tag alone is refused so often.
fn two_kinds(refused: usize) -> impl Fn(&Sent, usize) -> Response {
    move |sent, before| {
        let page = |from: u32, to: u32| {
            let tags: Vec<String> = (from..to).map(|it| format!("t{it:05}")).collect();
            json!({ "tags": tags }).to_string()
        };
        let target = sent.target.as_str();
        let (manifest, config, _) = image_of("any", 1);
        let is_linked = target.starts_with("/v2/acme-prod/apps/");
        let link = [(
            "link",
            "</v2/acme-prod/apps/web/tags/list?n=10000&last=t09999>; rel=next",
        )];
        match target.split_once('?').map(|(_, query)| query) {
            Some("n=1") if before < refused => answer(400, &[], "{}"),
            Some("n=1") if is_linked => answer(200, &link, page(0, 1)),
            Some("n=1") => ok(page(0, 1)),
            Some("n=10000") if is_linked => answer(200, &link, page(0, 10_000)),
            Some("n=10000") => ok(page(0, 10_000)),
            Some(_) => ok(page(10_000, 10_002)),
            None if target.ends_with(&digest(&config)) => ok(config),
            None => ok(manifest),
        }
    }
}

#[tokio::test]
async fn that_pages_are_linked_is_known_of_one_repository_and_not_of_another() {
    let server = google(two_kinds(0)).await;
    let registries = registries(&server);
    let lexical = ImageSelectionStrategy::Lexical;
    for repository in ["apps/web", "remote/web", "apps/web", "remote/web"] {
        let (found, _) = select_from(&registries, repository, lexical).await;
        assert_eq!(
            tags(&found.expect("all")),
            ["t10001", "t10000"],
            "{repository}"
        );
    }
    let tries = |target: &str| {
        server
            .sent()
            .iter()
            .filter(|it| it.target == target)
            .count()
    };
    assert_eq!(tries("/v2/acme-prod/apps/web/tags/list?n=1"), 0);
    assert_eq!(tries("/v2/acme-prod/remote/web/tags/list?n=1"), 1);
}

#[tokio::test]
async fn an_answer_that_is_no_list_does_not_say_whether_pages_are_linked() {
    let server = google(two_kinds(1)).await;
    let registries = registries(&server);
    let lexical = ImageSelectionStrategy::Lexical;
    for tries in [1, 2, 2] {
        let (found, _) = select_from(&registries, "remote/web", lexical).await;
        assert_eq!(tags(&found.expect("all")), ["t10001", "t10000"]);
        let sent = server.sent();
        let first = sent.iter().filter(|it| it.target.ends_with("?n=1"));
        assert_eq!(first.count(), tries);
    }
}

#[tokio::test]
async fn an_index_of_indexes_is_left_out_and_says_so() {
    let index = "application/vnd.oci.image.index.v1+json";
    let platform = json!({"os": "linux", "architecture": "amd64"});
    let inner = json!({"mediaType": index, "manifests": []}).to_string();
    // One says of its entries that they are indexes, one does not, and one has such beside none that is an image.
    let said = json!({"mediaType": index, "manifests": [{"mediaType": index, "digest": digest(&inner), "platform": platform}]});
    let unsaid = json!({"mediaType": index, "manifests": [{"digest": digest(&inner), "platform": platform}]});
    let bare =
        json!({"mediaType": index, "manifests": [{"mediaType": index, "digest": digest(&inner)}]});
    let (fine, config, _) = image_of("1.0.0", 1);
    let server = Server::start(move |sent, _| match sent.target.as_str() {
        target if target.contains("/tags/list") => {
            ok(r#"{"tags":["1.0.0","2.0.0","3.0.0","4.0.0"]}"#)
        }
        "/v2/web/manifests/1.0.0" => ok(fine.clone()),
        "/v2/web/manifests/2.0.0" => ok(said.to_string()),
        "/v2/web/manifests/3.0.0" => ok(unsaid.to_string()),
        "/v2/web/manifests/4.0.0" => ok(bare.to_string()),
        target if target.ends_with(&digest(&inner)) => ok(inner.clone()),
        target if target.ends_with(&digest(&config)) => ok(config.clone()),
        _ => not_found(),
    })
    .await;
    let subscription = ImageSubscription {
        repo_url: format!("{}/web", server.host),
        ..ImageSubscription::default()
    };
    let cost = Cost::default();
    let asking = caller("acme", None, &cost);
    let registries = registries(&server);
    let selected = image::select(&registries, asking, &subscription, ASKED).await;
    let selected = selected.expect("the image");
    assert_eq!(tags(&selected), ["1.0.0"]);
    let [left_out] = &selected.ruled_out[..] else {
        panic!("{:?}", selected.ruled_out);
    };
    let mut without = left_out.tags.clone();
    without.sort();
    assert_eq!(without, ["2.0.0", "3.0.0", "4.0.0"]);
    assert!(
        left_out.rule.to_string().contains("another index"),
        "{}",
        left_out.rule
    );
}
