//! What a scrape of the metrics tells of discoveries.

use std::iter::Sum;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Result;
use resources::{Warehouse, names::annotation};
use serde_json::json;
use testkit::proxy::{self, Proxy};
use testkit::servers::{Access, GitServer, Image, Registry};

use crate::warehouses::{create, says};
use scenarios::Harbour;

/// Adds up the series whose name and labels begin so; nothing where there is none.
fn sum<T: FromStr + Sum>(metrics: &str, series: &str) -> T {
    let lines = metrics.lines().filter(|it| it.starts_with(series));
    let values = lines.filter_map(|it| it.rsplit(' ').next()?.parse::<T>().ok());
    values.sum()
}

fn requests_to(host: &str) -> String {
    format!("argosy_discovery_requests_total{{host=\"{host}\",")
}

/// Checks one series by its name, with what it has to be.
#[track_caller]
fn check(metrics: &str, series: &str, is_right: impl Fn(u64) -> bool) {
    let value = sum(metrics, series);
    assert!(is_right(value), "{series} is {value} in:\n{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn discoveries_are_counted_with_their_requests_and_how_long_they_took() -> Result<()> {
    let (harbour, registry) = (Harbour::open().await?, Registry::start(Access::Open)?);
    let git = GitServer::start(Access::Open)?;
    registry.push(&Image::new("acme/web", "1.0.0"))?;
    git.create("acme/config", &[("README.md", "hello")])?;
    let proxy = Proxy::start(&registry.host(), Duration::ZERO, proxy::pass).await?;
    let subscriptions = json!([
        {"image": {"repoURL": format!("{}/acme/web", proxy.host())}},
        {"git": {"repoURL": git.url("acme/config"), "branch": "main"}},
    ]);
    create(&harbour, "both", json!({"subscriptions": subscriptions})).await?;
    says(&harbour, "both", "FreightCreated", "True", "NewFreight").await?;

    let git_host = format!("127.0.0.1:{}", git.port());
    let first = harbour.metrics()?;
    // Each request that came through was counted, and no other.
    let came = proxy.count() as u64;
    check(&first, &requests_to(&proxy.host()), |it| it == came);
    assert!(came > 0);
    // One question for the refs, and one child that fetched.
    let answered = format!("{}outcome=\"answered\"}}", requests_to(&git_host));
    check(&first, &answered, |it| it == 1);
    let fetched = format!("{}outcome=\"git\"}}", requests_to("127.0.0.1"));
    check(&first, &fetched, |it| it == 1);
    let succeeded = "argosy_discoveries_total{ending=\"succeeded\"}";
    check(&first, succeeded, |it| it == 1);
    for series in [
        "argosy_discovery_seconds_count",
        "argosy_discovery_queued_seconds_count",
    ] {
        check(&first, series, |it| it > 0);
    }
    for series in [
        "argosy_discovery_seconds_sum",
        "argosy_discovery_waited_seconds_total",
    ] {
        assert!(sum::<f64>(&first, series) > 0.0, "{series} in:\n{first}");
    }

    harbour
        .annotate::<Warehouse>("both", annotation::REFRESH, "1")
        .await?;
    says(&harbour, "both", "FreightCreated", "False", "AlreadyExists").await?;
    let again = harbour.metrics()?;
    check(&again, succeeded, |it| it == 2);
    // Nothing has changed: neither the commit nor the image was read again.
    let remembered = "argosy_discovery_remembered_total";
    let before: u64 = sum(&first, remembered);
    check(&again, remembered, |it| it >= before + 2);
    check(&again, &answered, |it| it == 2);
    check(&again, &fetched, |it| it == 1);

    let missing = json!([{"image": {"repoURL": format!("{}/acme/none", proxy.host())}}]);
    create(&harbour, "missing", json!({"subscriptions": missing})).await?;
    says(&harbour, "missing", "Healthy", "False", "DiscoveryFailed").await?;
    let last = harbour.metrics()?;
    let failed = "argosy_discoveries_total{ending=\"failed\"}";
    check(&last, failed, |it| it >= 1);
    let came = proxy.count() as u64;
    check(&last, &requests_to(&proxy.host()), |it| it == came);
    Ok(())
}
