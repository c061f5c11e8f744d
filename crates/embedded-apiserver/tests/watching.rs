//! Watches at their limits: many of them, slow ones, ended ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use embedded_apiserver::{EmbeddedApi, History, Options};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::json;

fn config_map(name: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"round": "0"}})).unwrap()
}

async fn config_maps(history: History) -> (EmbeddedApi, Api<ConfigMap>) {
    let options = Options {
        history,
        ..Options::default()
    };
    let server = EmbeddedApi::open_in_memory(options).await.unwrap();
    let api = Api::default_namespaced(server.client());
    (server, api)
}

async fn change(api: &Api<ConfigMap>, name: &str, round: usize) {
    let patch = Patch::Merge(json!({"data": {"round": round.to_string()}}));
    api.patch(name, &PatchParams::default(), &patch)
        .await
        .unwrap();
}

/// What an event says, in a word.
fn told(event: &WatchEvent<ConfigMap>) -> String {
    match event {
        WatchEvent::Added(it) => format!("added {}", it.metadata.name.as_deref().unwrap()),
        WatchEvent::Modified(it) => format!("modified {}", it.metadata.name.as_deref().unwrap()),
        WatchEvent::Deleted(it) => format!("deleted {}", it.metadata.name.as_deref().unwrap()),
        WatchEvent::Bookmark(it)
            if it
                .metadata
                .annotations
                .contains_key("k8s.io/initial-events-end") =>
        {
            "that was all".to_owned()
        }
        WatchEvent::Bookmark(_) => "bookmark".to_owned(),
        WatchEvent::Error(status) => format!("error {}", status.code),
    }
}

#[tokio::test]
async fn a_hundred_watchers_see_every_change_in_order() {
    let (_server, api) = config_maps(History::default()).await;
    api.create(&PostParams::default(), &config_map("it"))
        .await
        .unwrap();
    let watchers: Vec<_> = (0..100)
        .map(|_| {
            let api = api.clone();
            tokio::spawn(async move {
                let events = api.watch(&WatchParams::default(), "0").await.unwrap();
                let rounds = events.map_ok(|event| match event {
                    WatchEvent::Added(it) | WatchEvent::Modified(it) => {
                        it.data.unwrap()["round"].clone()
                    }
                    other => panic!("{other:?}"),
                });
                let mut rounds = rounds.boxed();
                let mut seen: Vec<usize> = Vec::new();
                while seen.last() != Some(&200) {
                    seen.push(rounds.next().await.unwrap().unwrap().parse().unwrap());
                }
                seen
            })
        })
        .collect();
    for round in 1..=200 {
        change(&api, "it", round).await;
    }
    for watcher in watchers {
        let seen = watcher.await.unwrap();
        let first = seen[0];
        assert_eq!(seen, (first..=200).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn an_event_comes_right_after_the_answer() {
    let (_server, api) = config_maps(History::default()).await;
    let mut events = api
        .watch(&WatchParams::default(), "0")
        .await
        .unwrap()
        .boxed();
    let mut times = Vec::new();
    for index in 0..50 {
        api.create(&PostParams::default(), &config_map(&format!("it-{index}")))
            .await
            .unwrap();
        let answered = Instant::now();
        events.next().await.unwrap().unwrap();
        times.push(answered.elapsed());
    }
    times.sort();
    assert!(times[25] < Duration::from_millis(50), "{:?}", times[25]);
}

#[tokio::test]
async fn who_reads_too_slowly_is_told_to_list_again() {
    let (_server, api) = config_maps(History {
        changes: 20,
        bytes: 1 << 20,
    })
    .await;
    api.create(&PostParams::default(), &config_map("it"))
        .await
        .unwrap();
    let slow = api.watch(&WatchParams::default(), "0").await.unwrap();
    for round in 1..=100 {
        change(&api, "it", round).await;
    }
    let seen: Vec<String> = slow.map_ok(|it| told(&it)).try_collect().await.unwrap();
    assert_eq!(seen, ["added it", "error 410"]);
    let expired: Vec<String> = api
        .watch(&WatchParams::default(), "2")
        .await
        .unwrap()
        .map_ok(|it| told(&it))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(expired, ["error 410"]);
}

#[tokio::test]
async fn kubes_watcher_recovers_from_an_expired_revision() {
    let (_server, api) = config_maps(History {
        changes: 20,
        bytes: 1 << 20,
    })
    .await;
    api.create(&PostParams::default(), &config_map("it"))
        .await
        .unwrap();
    let mut events =
        std::pin::pin!(watcher(api.clone(), watcher::Config::default()).default_backoff());
    while !matches!(
        events.next().await.unwrap().unwrap(),
        watcher::Event::InitDone
    ) {}
    for round in 1..=100 {
        change(&api, "it", round).await;
    }
    api.delete("it", &DeleteParams::default()).await.unwrap();
    api.create(&PostParams::default(), &config_map("last"))
        .await
        .unwrap();
    loop {
        match events.next().await.unwrap() {
            Ok(watcher::Event::Apply(it) | watcher::Event::InitApply(it))
                if it.metadata.name.as_deref() == Some("last") =>
            {
                break;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_streamed_list_ends_with_a_bookmark_and_goes_on() {
    let (_server, api) = config_maps(History::default()).await;
    api.create(&PostParams::default(), &config_map("a"))
        .await
        .unwrap();
    let params = WatchParams::default().initial_events();
    let mut events = api
        .watch(&params, "0")
        .await
        .unwrap()
        .map_ok(|it| told(&it))
        .boxed();
    assert_eq!(events.next().await.unwrap().unwrap(), "added a");
    assert_eq!(events.next().await.unwrap().unwrap(), "that was all");
    api.delete("a", &DeleteParams::default()).await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap(), "deleted a");
}

#[tokio::test]
async fn a_watch_ends_when_it_was_asked_to_and_says_where_it_was() {
    let (_server, api) = config_maps(History::default()).await;
    let started = Instant::now();
    let seen: Vec<String> = api
        .watch(&WatchParams::default().timeout(1), "0")
        .await
        .unwrap()
        .map_ok(|it| told(&it))
        .try_collect()
        .await
        .unwrap();
    assert_eq!(seen, ["bookmark"]);
    assert!(started.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn watches_end_with_the_server() {
    let (server, api) = config_maps(History::default()).await;
    let events = api.watch(&WatchParams::default(), "0").await.unwrap();
    server.shutdown().await;
    let seen: Vec<WatchEvent<ConfigMap>> = events.try_collect().await.unwrap();
    assert!(seen.is_empty(), "{seen:?}");
    let refused = api
        .create(&PostParams::default(), &config_map("late"))
        .await
        .unwrap_err();
    assert!(
        matches!(&refused, kube::Error::Api(it) if it.code == 503),
        "{refused}"
    );
}

#[tokio::test]
async fn one_object_can_be_watched() {
    let (_server, api) = config_maps(History::default()).await;
    let params = WatchParams::default().fields("metadata.name=b").timeout(1);
    let events = api.watch(&params, "0").await.unwrap();
    for name in ["a", "b", "c"] {
        api.create(&PostParams::default(), &config_map(name))
            .await
            .unwrap();
    }
    let seen: Vec<String> = events.map_ok(|it| told(&it)).try_collect().await.unwrap();
    assert_eq!(seen, ["added b", "bookmark"]);
}
