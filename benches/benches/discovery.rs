//! Discovery, from 20 ms away: cold, unchanged, and after one push, beside the straightforward ways.
//!
//! `cargo bench -p benches --bench discovery`; `ARGOSY_BENCH_TAGS` and `ARGOSY_BENCH_COMMITS` make it smaller.
#![expect(clippy::print_stdout, reason = "benchmarks print")]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use artifacts::child::Launcher;
use artifacts::egress::Policy;
use artifacts::git::{self, Mirrors};
use artifacts::image::{self, Asked};
use artifacts::registry::{Memory, Registries};
use artifacts::{Boundless, Caller, Cost, Limits, Spent};
use benches::{compare, skip};
use domain::selection::NewestBuildBy;
use jiff::{SignedDuration, Timestamp};
use resources::subscription::ImageSelectionStrategy;
use resources::{GitSubscription, ImageSubscription};
use testkit::google::{Google, image_of};
use testkit::proxy::{self, Proxy};
use testkit::servers::{Access, GitServer, Registry};
use testkit::{Pushed, fill, tools};

/// How far away every server is.
const AWAY: Duration = Duration::from_millis(20);
/// Upstream asks any one registry so often in a second at most.
const UPSTREAM_RATE: f64 = 20.0;
/// Images that the straightforward ways are measured on.
const SMALL: usize = 100;
const INSPECTED: usize = 10;
/// Warehouses on one repository.
const WAREHOUSES: usize = 57;
const PROJECT: &str = "acme";
const MIRRORS: u64 = 8 << 30;

#[tokio::main]
async fn main() -> Result<()> {
    plain_registry().await?;
    artifact_registry().await?;
    git_repository().await
}

fn number(variable: &str, otherwise: usize) -> usize {
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads its settings")]
    let set = std::env::var(variable).ok();
    set.and_then(|it| it.parse().ok()).unwrap_or(otherwise)
}

fn limits() -> Limits {
    Limits::default()
}

fn policy() -> Arc<Policy> {
    Arc::new(Policy::new().with_loopback())
}

fn newest(repo_url: &str) -> ImageSubscription {
    ImageSubscription {
        repo_url: repo_url.to_owned(),
        image_selection_strategy: ImageSelectionStrategy::NewestBuild,
        ..ImageSubscription::default()
    }
}

fn images(first: usize, count: usize) -> Vec<Pushed> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    (first..first + count)
        .map(|index| Pushed {
            tag: format!("build-{index:05}"),
            created: (start + SignedDuration::from_mins(i64::try_from(index).unwrap_or(0)))
                .to_string(),
            more: serde_json::Value::Null,
        })
        .collect()
}

/// Looks once, and gives the best tag, what was asked, and how long it took.
async fn look(
    registries: &Registries,
    subscription: &ImageSubscription,
    login: Option<&credentials::Login>,
) -> Result<(String, Spent, Duration)> {
    let (cost, started) = (Cost::default(), Instant::now());
    let caller = Caller {
        project: PROJECT,
        login,
        cost: &cost,
        room: &Boundless,
    };
    let asked = Asked {
        newest_build_by: NewestBuildBy::Built,
        now: Timestamp::now(),
    };
    let selected = image::select(registries, caller, subscription, asked).await?;
    let best = selected.taken.first().context("an image")?.tag.clone();
    Ok((best, cost.spent(), started.elapsed()))
}

fn as_float(count: impl TryInto<u32>) -> f64 {
    count.try_into().map_or(f64::MAX, f64::from)
}

/// Prints requests and seconds beside those of the straightforward way.
fn tell(what: &str, spent: &Spent, took: Duration, peer: &str, requests: f64, seconds: f64) {
    let total = as_float(spent.total());
    compare(&format!("{what}: requests"), total, "", peer, requests);
    compare(
        &format!("{what}: seconds"),
        took.as_secs_f64(),
        "s",
        peer,
        seconds,
    );
}

async fn plain_registry() -> Result<()> {
    let tags = number("ARGOSY_BENCH_TAGS", 10_000);
    let registry = Registry::start(Access::Open)?;
    let filled = Instant::now();
    fill(&registry.host(), "acme/web", images(0, tags)).await?;
    fill(&registry.host(), "acme/small", images(0, SMALL)).await?;
    println!(
        "a docker-registry with {tags} tags, filled in {:.0?}",
        filled.elapsed()
    );
    let proxy = Proxy::start(&registry.host(), AWAY, proxy::pass).await?;

    // Tag by tag, a manifest and a config for each, at upstream's rate: measured small, and computed for all.
    let per_image = tag_by_tag(&proxy.host()).await?;
    let (requests, seconds) = (2.0 * as_float(tags), per_image * as_float(tags));
    println!(
        "tag by tag at {UPSTREAM_RATE}/s: {per_image:.3} s for each of {SMALL} images, measured"
    );
    let peer = "tag by tag at 20/s, computed";

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("discovery.redb");
    let open = || Registries::new(policy(), limits()).with_memory(Memory::open(&file, 256 << 20));
    let subscription = newest(&format!("{}/acme/web", proxy.host()));
    let mut registries = open();
    let (best, spent, took) = look(&registries, &subscription, None).await?;
    ensure!(best == format!("build-{:05}", tags - 1), "{best}");
    tell(
        "plain registry, cold",
        &spent,
        took,
        peer,
        requests,
        seconds,
    );
    let (_, spent, took) = look(&registries, &subscription, None).await?;
    tell(
        "plain registry, unchanged",
        &spent,
        took,
        peer,
        requests,
        seconds,
    );
    drop(registries);
    registries = open();
    let (_, spent, took) = look(&registries, &subscription, None).await?;
    tell(
        "plain registry, after a restart",
        &spent,
        took,
        peer,
        requests,
        seconds,
    );
    fill(&registry.host(), "acme/web", images(tags, 1)).await?;
    let (best, spent, took) = look(&registries, &subscription, None).await?;
    ensure!(best == format!("build-{tags:05}"), "{best}");
    tell(
        "plain registry, after a push",
        &spent,
        took,
        peer,
        requests,
        seconds,
    );
    let still = ImageSubscription {
        cache_by_tag: true,
        ..subscription.clone()
    };
    fill(&registry.host(), "acme/web", images(tags + 1, 1)).await?;
    let (best, spent, took) = look(&registries, &still, None).await?;
    ensure!(best == format!("build-{:05}", tags + 1), "{best}");
    tell(
        "the same with cacheByTag",
        &spent,
        took,
        peer,
        requests,
        seconds,
    );
    skopeo(&proxy.host(), tags)
}

/// Reads each image of the small repository as upstream does; gives the seconds for one.
async fn tag_by_tag(host: &str) -> Result<f64> {
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    let client = reqwest::Client::builder().no_proxy().build()?;
    let base = format!("http://{host}/v2/acme/small");
    let mut pace = tokio::time::interval(Duration::from_secs_f64(1.0 / UPSTREAM_RATE));
    let started = Instant::now();
    for image in images(0, SMALL) {
        pace.tick().await;
        let manifest: serde_json::Value = client
            .get(format!("{base}/manifests/{}", image.tag))
            .header("accept", MANIFEST)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let config = manifest["config"]["digest"].as_str().context("a config")?;
        pace.tick().await;
        let config = client.get(format!("{base}/blobs/{config}")).send().await?;
        config.error_for_status()?.bytes().await?;
    }
    Ok(started.elapsed().as_secs_f64() / as_float(SMALL))
}

/// Lists and inspects as a script would, and computes what that comes to for all tags.
fn skopeo(host: &str, tags: usize) -> Result<()> {
    let Ok(program) = tools::path("skopeo") else {
        skip("skopeo", "there is no skopeo: cargo xtask tools");
        return Ok(());
    };
    let run = |arguments: &[&str]| -> Result<Duration> {
        let started = Instant::now();
        let output = Command::new(&program).args(arguments).output()?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(started.elapsed())
    };
    let repository = format!("docker://{host}/acme/small");
    let list = run(&["list-tags", "--tls-verify=false", &repository])?;
    let mut inspecting = Duration::ZERO;
    for image in images(0, INSPECTED) {
        let reference = format!("{repository}:{}", image.tag);
        inspecting += run(&["inspect", "--no-tags", "--tls-verify=false", &reference])?;
    }
    let each = inspecting.as_secs_f64() / as_float(INSPECTED);
    println!(
        "skopeo: list-tags {:.2} s, inspect {each:.3} s for each of {INSPECTED} images; for {tags} one after another {:.0} s",
        list.as_secs_f64(),
        each * as_float(tags)
    );
    Ok(())
}

async fn artifact_registry() -> Result<()> {
    let tags = number("ARGOSY_BENCH_TAGS", 10_000).min(10_000);
    let now = Timestamp::now();
    let world = format!("[{{name: web, generate: {{tags: {tags}}}}}]");
    let clock = testkit::google::Clock::of_the_machine();
    let google = Google::start_holding(clock, &[(PROJECT, &world)]).await?;
    google.give_account(PROJECT)?;
    let member = format!("serviceAccount:{}", testkit::google::account_of(PROJECT));
    let token = google.token_of(&member).context("a token")?;
    let login = credentials::Login::Basic {
        username: "oauth2accesstoken".to_owned(),
        password: token.into(),
    };
    let address = google.registry()?;
    let behind = format!(
        "{}:{}",
        address.host_str().unwrap_or_default(),
        address.port().unwrap_or_default()
    );
    let proxy = Proxy::start(&behind, AWAY, proxy::pass).await?;
    let image = image_of(PROJECT);
    let host = image.split('/').next().unwrap_or_default().to_owned();
    let there = format!("http://{}", proxy.host()).parse()?;
    let registries = Registries::new(policy(), limits()).with_endpoints([(host, there)].into());
    let subscription = newest(&image);
    let (requests, peer) = (2.0 * as_float(tags), "tag by tag at 20/s, computed");
    let seconds = requests / UPSTREAM_RATE;
    let (_, spent, took) = look(&registries, &subscription, Some(&login)).await?;
    tell(
        "Artifact Registry, cold",
        &spent,
        took,
        peer,
        requests,
        seconds,
    );
    let (_, spent, took) = look(&registries, &subscription, Some(&login)).await?;
    tell(
        "Artifact Registry, unchanged",
        &spent,
        took,
        peer,
        requests,
        seconds,
    );
    let pushed =
        serde_json::json!({"name": "web", "tags": ["newest"], "built": now, "uploaded": now});
    google.push(PROJECT, &serde_json::from_value(pushed)?);
    let (best, spent, took) = look(&registries, &subscription, Some(&login)).await?;
    ensure!(best == "newest", "{best}");
    tell(
        "Artifact Registry, after a push",
        &spent,
        took,
        peer,
        requests,
        seconds,
    );
    Ok(())
}

async fn git_repository() -> Result<()> {
    let commits = number("ARGOSY_BENCH_COMMITS", 15_000);
    let server = GitServer::start(Access::Open)?;
    server.create("mono", &[("apps/app-0/values.yaml", "image: none\n")])?;
    server.grow("mono", commits)?;
    let url = server.url("mono");
    let behind = url
        .trim_start_matches("http://")
        .split('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let proxy = Proxy::start(&behind, AWAY, proxy::pass).await?;
    let url = url.replace(&behind, &proxy.host());
    let folder = tempfile::tempdir()?;
    let clone = clone_once(&url, &folder.path().join("clone"))?;
    let peer = format!("a clone for each of {WAREHOUSES} Warehouses, computed");
    let theirs = clone.as_secs_f64() * as_float(WAREHOUSES);

    let mirrors = Mirrors::new(folder.path().join("mirrors"), MIRRORS);
    let repositories = git::Repositories::new(Launcher::direct(), policy(), limits(), mirrors);
    let subscriptions: Vec<GitSubscription> = (0..WAREHOUSES)
        .map(|_| GitSubscription {
            repo_url: url.clone(),
            discovery_limit: 20,
            ..GitSubscription::default()
        })
        .collect();
    let mut known = Vec::new();
    for what in ["cold", "unchanged", "after a push"] {
        if what == "after a push" {
            server.commit(
                "mono",
                &[("apps/app-0/values.yaml", "image: new\n")],
                "Promote",
            )?;
        }
        let (cost, before, started) = (Cost::default(), proxy.count(), Instant::now());
        let caller = Caller {
            project: PROJECT,
            login: None,
            cost: &cost,
            room: &Boundless,
        };
        let asks = subscriptions
            .iter()
            .enumerate()
            .map(|(index, subscription)| {
                git::discover(
                    &repositories,
                    caller,
                    subscription,
                    known.get(index),
                    Timestamp::now(),
                )
            });
        let found: Result<Vec<_>, _> = futures::future::join_all(asks).await.into_iter().collect();
        known = found?;
        let took = started.elapsed().as_secs_f64();
        let requests = as_float(proxy.count() - before);
        println!(
            "Git, {commits} commits, {WAREHOUSES} Warehouses, {what}: {requests} requests, {} fetches",
            cost.spent().git.values().sum::<u64>()
        );
        compare(&format!("Git, {what}: seconds"), took, "s", &peer, theirs);
    }
    Ok(())
}

fn clone_once(url: &str, to: &Path) -> Result<Duration> {
    let started = Instant::now();
    let output = Command::new("git")
        .args(["clone", "--quiet", "--bare", "--filter=blob:none", url])
        .arg(to)
        .output()?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(started.elapsed())
}
