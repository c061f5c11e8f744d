//! The embedded API against what its disk and its client can do at all, in the same run.
//!
//! `cargo bench -p benches --bench embedded_apiserver`

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use benches::{compare, median, milliseconds, rate};
use embedded_apiserver::{EmbeddedApi, Options};
use futures::future::try_join_all;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, ObjectMeta, PostParams, WatchEvent, WatchParams};

/// Clients that write at the same time.
const WRITERS: usize = 64;
const CREATES: usize = 6_400;
const GETS: usize = 40_000;
const LISTED: usize = 10_000;
const WATCHERS: usize = 100;
const EVENTS: usize = 100;

#[tokio::main]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let api = EmbeddedApi::open(&folder.path().join("data"), Options::default()).await?;
    let maps: Api<ConfigMap> = Api::namespaced(api.client(), "default");
    creates(&maps, folder.path()).await?;
    gets(&maps).await?;
    list(&maps).await?;
    watch(&maps).await?;
    api.shutdown().await;
    Ok(())
}

fn map(name: String) -> ConfigMap {
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name),
            ..ObjectMeta::default()
        },
        data: Some([("text".to_owned(), "x".repeat(1024))].into()),
        ..ConfigMap::default()
    }
}

/// Durable creates by many clients, beside one file to which the same bytes are written with an fsync each.
async fn creates(maps: &Api<ConfigMap>, folder: &std::path::Path) -> Result<()> {
    let start = Instant::now();
    let writers = (0..WRITERS).map(|writer| async move {
        for index in 0..CREATES / WRITERS {
            maps.create(
                &PostParams::default(),
                &map(format!("create-{writer}-{index}")),
            )
            .await?;
        }
        Ok::<_, kube::Error>(())
    });
    try_join_all(writers).await?;
    let ours = rate(CREATES, start.elapsed());

    let bytes = serde_json::to_vec(&map("create".to_owned()))?;
    let mut file = File::create(folder.join("fsync"))?;
    let start = Instant::now();
    for _ in 0..1_000 {
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    compare(
        "durable creates, 64 clients",
        ours,
        "/s",
        "write + fsync of the same bytes, one by one",
        rate(1_000, start.elapsed()),
    );
    Ok(())
}

/// Gets, beside a client whose service answers the same bytes without looking.
async fn gets(maps: &Api<ConfigMap>) -> Result<()> {
    let start = Instant::now();
    let readers = (0..8).map(|reader| async move {
        for index in 0..GETS / 8 {
            maps.get(&format!(
                "create-{}-{}",
                (reader + index) % WRITERS,
                index % (CREATES / WRITERS)
            ))
            .await?;
        }
        Ok::<_, kube::Error>(())
    });
    try_join_all(readers).await?;
    let ours = rate(GETS, start.elapsed());

    let bytes: Arc<[u8]> = serde_json::to_vec(&maps.get("create-0-0").await?)?.into();
    let start = Instant::now();
    for _ in 0..GETS {
        let _: ConfigMap = serde_json::from_slice(&bytes)?;
    }
    compare(
        "gets, 8 clients",
        ours,
        "/s",
        "parsing the same JSON",
        rate(GETS, start.elapsed()),
    );
    Ok(())
}

/// A list of 10,000, beside parsing its bytes.
async fn list(maps: &Api<ConfigMap>) -> Result<()> {
    let missing = LISTED - CREATES;
    let writers = (0..missing).map(|index| async move {
        maps.create(&PostParams::default(), &map(format!("more-{index}")))
            .await
    });
    futures::stream::iter(writers)
        .buffer_unordered(WRITERS)
        .try_collect::<Vec<_>>()
        .await?;
    let mut times = Vec::new();
    let mut listed = None;
    for _ in 0..5 {
        let start = Instant::now();
        listed = Some(maps.list(&ListParams::default()).await?);
        times.push(start.elapsed());
    }
    let listed = listed.context("five lists were made")?;
    anyhow::ensure!(
        listed.items.len() >= LISTED,
        "{} objects were listed",
        listed.items.len()
    );
    let bytes = serde_json::to_vec(&listed)?;
    let start = Instant::now();
    let _: kube::core::ObjectList<ConfigMap> = serde_json::from_slice(&bytes)?;
    compare(
        "list of 10,000",
        milliseconds(median(&mut times)),
        "ms",
        "parsing the same JSON",
        milliseconds(start.elapsed()),
    );
    Ok(())
}

/// The time from a write to its event at the last of 100 watchers, beside the same with one watcher.
async fn watch(maps: &Api<ConfigMap>) -> Result<()> {
    let many = fan_out(maps, WATCHERS).await?;
    let one = fan_out(maps, 1).await?;
    compare(
        "write to event, 100 watchers",
        milliseconds(many),
        "ms",
        "the same with one watcher",
        milliseconds(one),
    );
    Ok(())
}

async fn fan_out(maps: &Api<ConfigMap>, watchers: usize) -> Result<Duration> {
    let from = maps.list_metadata(&ListParams::default().limit(1)).await?;
    let from = from
        .metadata
        .resource_version
        .context("a list has a revision")?;
    let mut streams = Vec::new();
    for _ in 0..watchers {
        streams.push(Box::pin(maps.watch(&WatchParams::default(), &from).await?));
    }
    let mut times = Vec::new();
    for index in 0..EVENTS {
        let name = format!("event-{watchers}-{index}");
        let start = Instant::now();
        maps.create(&PostParams::default(), &map(name.clone()))
            .await?;
        for stream in &mut streams {
            loop {
                let event = stream.try_next().await?.context("the watch goes on")?;
                if matches!(&event, WatchEvent::Added(it) if it.metadata.name.as_deref() == Some(&name))
                {
                    break;
                }
            }
        }
        times.push(start.elapsed());
    }
    Ok(median(&mut times))
}
