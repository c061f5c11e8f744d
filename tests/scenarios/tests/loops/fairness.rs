//! One project's slow repositories are not the others' trouble.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::Request;
use kube::api::{Api, PostParams};
use resources::{Warehouse, condition};
use scenarios::{Harbour, PROJECT};
use serde_json::{Value, json};
use testkit::proxy::{Proxy, Twist};
use testkit::servers::{self, Access, ChartRepository, GitServer, Image};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How many Warehouses the slow project has, and how long its registry takes to answer.
const SLOW: usize = 250;
const SLOWNESS: Duration = Duration::from_secs(2);
/// How many Warehouses follow one Git repository.
const WAREHOUSES: usize = 57;

/// What a registry was asked for.
#[derive(Default)]
struct Asked {
    /// When lists of tags were asked for.
    times: Vec<Instant>,
    repositories: HashSet<String>,
    under_way: usize,
    most_under_way: usize,
}

/// A registry without tags that takes its time.
struct Registry {
    host: String,
    asked: Arc<Mutex<Asked>>,
    task: JoinHandle<()>,
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Registry {
    async fn start(slowness: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let host = listener.local_addr()?.to_string();
        let asked: Arc<Mutex<Asked>> = Arc::default();
        let record = Arc::clone(&asked);
        let router = Router::new().fallback(move |request: Request| {
            let (record, path) = (Arc::clone(&record), request.uri().path().to_owned());
            async move {
                let Some(repository) = path.strip_suffix("/tags/list") else {
                    return "{}";
                };
                change(&record, |asked| {
                    asked.times.push(Instant::now());
                    asked.repositories.insert(repository.to_owned());
                    asked.under_way += 1;
                    asked.most_under_way = asked.most_under_way.max(asked.under_way);
                });
                tokio::time::sleep(slowness).await;
                change(&record, |asked| asked.under_way -= 1);
                r#"{"tags":[]}"#
            }
        });
        let task = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("it serves until it is dropped");
        });
        Ok(Self { host, asked, task })
    }

    fn asked<T>(&self, read: impl FnOnce(&mut Asked) -> T) -> T {
        change(&self.asked, read)
    }
}

fn change<T>(asked: &Mutex<Asked>, change: impl FnOnce(&mut Asked) -> T) -> T {
    change(&mut asked.lock().unwrap_or_else(PoisonError::into_inner))
}

async fn create(harbour: &Harbour, project: &str, name: &str, spec: Value) -> Result<()> {
    let warehouse: Warehouse =
        serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec}))?;
    Api::namespaced(harbour.client(), project)
        .create(&PostParams::default(), &warehouse)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_of_250_slow_warehouses_delays_no_other_projects_interval() -> Result<()> {
    let harbour = Harbour::open().await?;
    let (slow, quick) = (
        Registry::start(SLOWNESS).await?,
        Registry::start(Duration::ZERO).await?,
    );
    harbour.create_project("other").await?;
    let clock = harbour.clock.clone();
    let passing = tokio::spawn(async move {
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            second.tick().await;
            clock.advance(1);
        }
    });
    for number in 0..SLOW {
        let repository = format!("{}/slow-{number}", slow.host);
        let spec = json!({"interval": "1s", "subscriptions": [{"image": {"repoURL": repository}}]});
        create(&harbour, PROJECT, &format!("slow-{number}"), spec).await?;
    }
    let spec = json!({"interval": "1s", "subscriptions": [{"image": {"repoURL": format!("{}/quick", quick.host)}}]});
    create(&harbour, "other", "quick", spec).await?;
    harbour
        .until("the interval has passed five times", async || {
            Ok((quick.asked(|it| it.times.len()) > 5).then_some(()))
        })
        .await?;
    passing.abort();

    let times = quick.asked(|it| it.times.clone());
    let longest = times.windows(2).map(|it| it[1] - it[0]).max();
    let longest = longest.context("there are five")?;
    // One after another in 16 places, the slow ones would take half a minute.
    assert!(longest < Duration::from_secs(6), "{longest:?}");
    let (asked, most) = slow.asked(|it| (it.repositories.len(), it.most_under_way));
    assert!(asked < SLOW, "the slow ones were at it all the while");
    assert!((1..=4).contains(&most), "{most} is more than a quarter");
    Ok(())
}

/// Waits until a Warehouse has found something.
async fn found(harbour: &Harbour, project: &str, name: &str) -> Result<()> {
    let what = format!("Warehouse {name} of {project} finds something");
    harbour
        .until(&what, async || {
            let it: Warehouse = Api::namespaced(harbour.client(), project).get(name).await?;
            let conditions = it.status.as_ref().map_or(&[][..], |it| &it.conditions);
            Ok(condition::is_true(conditions, "Healthy").then_some(()))
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_a_mirror_that_another_fetches_into_keeps_nobody_waiting() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.create_project("other").await?;
    let (registry, host) = (
        servers::Registry::start(Access::Open)?,
        GitServer::start(Access::Open)?,
    );
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    host.create("acme/deploy", &[("apps/web.yaml", "1")])?;
    // A server is asked for what it has at once, and takes its time to give it.
    let behind = format!("127.0.0.1:{}", host.port());
    let (release, held) = watch::channel(false);
    let fetches = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&fetches);
    let proxy = Proxy::start(&behind, Duration::ZERO, move |asked| {
        let agent = asked
            .headers
            .get("user-agent")
            .map(axum::http::HeaderValue::as_bytes);
        if !agent.is_some_and(|it| it.starts_with(b"git/")) {
            return Twist::Pass;
        }
        let is_first_of_fetch = asked.target.contains("/info/refs");
        count.fetch_add(usize::from(is_first_of_fetch), Ordering::SeqCst);
        Twist::Held(held.clone())
    });
    let proxy = proxy.await?;
    let repository = format!("http://{}/acme/deploy.git", proxy.host());
    for number in 0..WAREHOUSES {
        let spec =
            json!({"subscriptions": [{"git": {"repoURL": repository, "includePaths": ["apps"]}}]});
        create(&harbour, PROJECT, &format!("app-{number}"), spec).await?;
    }
    let spec = json!({"subscriptions": [{"image": {"repoURL": registry.repository("acme/web")}}]});
    for project in [PROJECT, "other"] {
        create(&harbour, project, "image", spec.clone()).await?;
    }
    for project in [PROJECT, "other"] {
        found(&harbour, project, "image").await?;
    }
    assert_eq!(
        fetches.load(Ordering::SeqCst),
        1,
        "one fetches, the others wait for it"
    );
    release.send(true)?;
    for number in 0..WAREHOUSES {
        found(&harbour, PROJECT, &format!("app-{number}")).await?;
    }
    assert_eq!(
        fetches.load(Ordering::SeqCst),
        1,
        "what one has fetched is there for all"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_an_index_that_another_reads_keeps_nobody_waiting() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.create_project("other").await?;
    let (registry, charts) = (
        servers::Registry::start(Access::Open)?,
        ChartRepository::start(Access::Open)?,
    );
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    charts.publish("apiVersion: v1\nentries:\n  web:\n  - version: 1.0.0\n")?;
    let url = charts.url();
    let behind = url
        .trim_start_matches("http://")
        .trim_end_matches("/charts");
    let (release, held) = watch::channel(false);
    let proxy = Proxy::start(behind, Duration::ZERO, move |_| Twist::Held(held.clone())).await?;
    let repository = format!("http://{}/charts", proxy.host());
    for number in 0..WAREHOUSES {
        let spec = json!({"subscriptions": [{"chart": {"repoURL": repository, "name": "web"}}]});
        create(&harbour, PROJECT, &format!("chart-{number}"), spec).await?;
    }
    let spec = json!({"subscriptions": [{"image": {"repoURL": registry.repository("acme/web")}}]});
    for project in [PROJECT, "other"] {
        create(&harbour, project, "image", spec.clone()).await?;
    }
    for project in [PROJECT, "other"] {
        found(&harbour, project, "image").await?;
    }
    assert_eq!(proxy.count(), 1, "one reads, the others wait for it");
    release.send(true)?;
    for number in 0..WAREHOUSES {
        found(&harbour, PROJECT, &format!("chart-{number}")).await?;
    }
    let statuses = charts.statuses()?;
    let read = statuses.iter().filter(|it| **it == 200).count();
    assert_eq!(read, 1, "what one has read is there for all: {statuses:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subscriptions_of_a_warehouse_are_asked_together_and_answered_in_their_order()
-> Result<()> {
    let harbour = Harbour::open().await?;
    let registry = Registry::start(Duration::from_millis(500)).await?;
    let image = |name: &str| json!({"image": {"repoURL": format!("{}/{name}", registry.host)}});
    let mut subscriptions: Vec<Value> = (0..9).map(|it| image(&format!("part-{it}"))).collect();
    // One that cannot be followed at all is through before the others.
    let mut faulty = image("faulty");
    faulty["image"]["allowTagsRegexes"] = json!(["("]);
    subscriptions.insert(2, faulty);
    let names: Vec<String> = subscriptions
        .iter()
        .filter_map(|it| it["image"]["repoURL"].as_str().map(str::to_owned))
        .collect();
    create(
        &harbour,
        PROJECT,
        "parts",
        json!({"subscriptions": subscriptions}),
    )
    .await?;
    let warehouse = harbour
        .until("the Warehouse was looked at", async || {
            let it: Warehouse = harbour.api().get("parts").await?;
            let conditions = it.status.as_ref().map_or(&[][..], |it| &it.conditions);
            let is_done =
                condition::find(conditions, "Healthy").is_some_and(|it| it.status == "False");
            Ok(is_done.then_some(it))
        })
        .await?;
    let status = warehouse.status.context("it was looked at")?;
    let found = status
        .discovered_artifacts
        .context("eight have answered")?
        .images;
    let found: Vec<_> = found.iter().map(|it| it.repo_url.clone()).collect();
    let expected: Vec<_> = names
        .into_iter()
        .filter(|it| !it.ends_with("faulty"))
        .collect();
    assert_eq!(found, expected);
    let most = registry.asked(|it| it.most_under_way);
    assert!((2..=4).contains(&most), "{most} at a time");
    Ok(())
}
