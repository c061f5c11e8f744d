//! A registry that knows nothing but the standard: Debian's docker-registry with ten thousand tags.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use artifacts::registry::{Memory, Registries};
use jiff::{SignedDuration, Timestamp};
use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;
use testkit::proxy::{self, Proxy};
use testkit::servers::{Access, Registry};
use testkit::{Pushed, fill};

use crate::{AWAY, Peer, UPSTREAM_RATE, as_float, by, limits, look, policy, scripts, tags};

/// Images that the straightforward ways are measured on.
pub(crate) const SMALL: usize = 100;

pub(crate) fn images(first: usize, count: usize) -> Vec<Pushed> {
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
    (first..first + count)
        .map(|index| Pushed {
            tag: tag(index),
            created: (start + SignedDuration::from_mins(i64::try_from(index).unwrap_or(0)))
                .to_string(),
            more: serde_json::Value::Null,
        })
        .collect()
}

fn tag(index: usize) -> String {
    format!("build-{index:05}")
}

pub(crate) async fn measure() -> Result<()> {
    let tags = tags();
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
    println!(
        "tag by tag at {UPSTREAM_RATE}/s: {per_image:.3} s for each of {SMALL} images, measured"
    );
    let peer = Peer {
        name: "tag by tag at 20/s, computed",
        requests: 2.0 * as_float(tags),
        seconds: per_image * as_float(tags),
    };

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("discovery.redb");
    let open = || Registries::new(policy(), limits()).with_memory(Memory::open(&file, 256 << 20));
    let repository = format!("{}/acme/web", proxy.host());
    let subscription = by(ImageSelectionStrategy::NewestBuild, &repository);
    let mut registries = open();
    let cold = look(&registries, &subscription, None).await?;
    ensure!(cold.best == tag(tags - 1), "{}", cold.best);
    cold.tell("plain registry, cold", &peer);
    let unchanged = look(&registries, &subscription, None).await?;
    unchanged.tell("plain registry, unchanged", &peer);
    drop(registries);
    registries = open();
    let restarted = look(&registries, &subscription, None).await?;
    restarted.tell("plain registry, after a restart", &peer);
    fill(&registry.host(), "acme/web", images(tags, 1)).await?;
    let pushed = look(&registries, &subscription, None).await?;
    ensure!(pushed.best == tag(tags), "{}", pushed.best);
    pushed.tell("plain registry, after a push", &peer);
    let still = ImageSubscription {
        cache_by_tag: true,
        ..subscription.clone()
    };
    fill(&registry.host(), "acme/web", images(tags + 1, 1)).await?;
    let pushed = look(&registries, &still, None).await?;
    ensure!(pushed.best == tag(tags + 1), "{}", pushed.best);
    pushed.tell("the same with cacheByTag", &peer);
    scripts::measure(&proxy.host(), tags, cold.took)
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
