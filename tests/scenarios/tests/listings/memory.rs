//! How much memory a long list takes: measured in a process of its own, while Google is simulated in this one.
#![expect(clippy::print_stdout, reason = "it says what it has measured")]

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use artifacts::chart::{self, Repositories};
use artifacts::egress::Policy;
use artifacts::image::{Asked, select};
use artifacts::registry::Registries;
use artifacts::{Boundless, Caller, Cost, Limits};
use domain::selection::NewestBuildBy;
use jiff::Timestamp;
use resources::ChartSubscription;
use resources::subscription::ImageSelectionStrategy;
use scenarios::{Clock, PROJECT};
use testkit::google::{Google, HOST, image_of};

use crate::stand::by;

/// Most that a list of any length takes, in KiB.
const BOUND: u64 = 64 << 10;
/// Tells the process that measures where the registry is.
const REGISTRY: &str = "ARGOSY_TEST_REGISTRY";

#[test]
fn a_hundred_thousand_tags_are_listed_in_little_memory() -> Result<()> {
    let this = "memory::a_hundred_thousand_tags_are_listed_in_little_memory";
    measure(this, 100_000)
}

/// Runs the test of this name again in a process that lists so many tags.
pub(crate) fn measure(this: &str, tags: u32) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    if let Some(registry) = std::env::var_os(REGISTRY) {
        let registry = registry.into_string().ok().context("an address")?;
        return runtime.block_on(list(&registry, tags));
    }
    let images = format!("[{{name: web, generate: {{tags: {tags}}}}}]");
    let clock = Clock::start_today();
    let google = runtime.block_on(Google::start_holding(
        clock.of_google(),
        &[(PROJECT, &images)],
    ))?;
    google.let_read("allUsers", PROJECT)?;
    let measured = Command::new(std::env::current_exe()?)
        .args(["--exact", this, "--nocapture"])
        .env(REGISTRY, google.registry()?.as_str())
        .output()?;
    let said = String::from_utf8_lossy(&measured.stdout);
    println!("{said}");
    let errors = String::from_utf8_lossy(&measured.stderr);
    ensure!(measured.status.success(), "{said}{errors}");
    ensure!(said.contains("KiB"), "nothing was measured: {said}");
    Ok(())
}

/// Lists by every strategy, and as the versions of a chart, anonymously, so page by page.
async fn list(registry: &str, tags: u32) -> Result<()> {
    let limits = Limits {
        rate: 100_000.try_into()?,
        ..Limits::default()
    };
    let endpoints = HashMap::from([(HOST.to_owned(), registry.parse()?)]);
    let policy = Arc::new(Policy::new().with_loopback());
    let charts = Repositories::new(Arc::clone(&policy), limits.clone());
    let registries = Registries::new(policy, limits).with_endpoints(endpoints);
    let idle = status("VmRSS")?;
    for strategy in [
        ImageSelectionStrategy::NewestBuild,
        ImageSelectionStrategy::SemVer,
        ImageSelectionStrategy::Lexical,
    ] {
        let cost = Cost::default();
        let asked = Asked {
            newest_build_by: NewestBuildBy::Built,
            now: Timestamp::UNIX_EPOCH,
        };
        let mut subscription = by(strategy);
        // Everything is a candidate but for one in ten, so that both are many.
        subscription.ignore_tags_regexes = vec!["7$".to_owned()];
        let selected = select(&registries, anyone(&cost), &subscription, asked).await?;
        let left_out = selected.ruled_out.iter().map(|it| it.count).sum::<usize>();
        ensure!(selected.taken.len() == 20 && left_out == tags as usize / 10);
        tell(&format!("{strategy:?} of {tags} tags"), idle, &cost)?;
    }
    let cost = Cost::default();
    let subscription = ChartSubscription {
        repo_url: format!("oci://{}", image_of(PROJECT)),
        ..ChartSubscription::default()
    };
    let found = chart::discover(&charts, &registries, anyone(&cost), &subscription).await?;
    let selected = found.selected;
    let left_out = selected.ruled_out.iter().map(|it| it.count).sum::<usize>();
    ensure!(selected.taken.len() == 20 && left_out == tags as usize - 20);
    tell(&format!("a chart with {tags} versions"), idle, &cost)
}

fn anyone(cost: &Cost) -> Caller<'_> {
    Caller {
        project: PROJECT,
        login: None,
        cost,
        room: &Boundless,
    }
}

/// Says how much memory was taken so far, and fails if it was too much.
fn tell(what: &str, idle: u64, cost: &Cost) -> Result<()> {
    let (grown, requests) = (status("VmHWM")?.saturating_sub(idle), cost.spent().total());
    println!("{what}: {grown} KiB above idle, {requests} requests");
    ensure!(grown <= BOUND, "{grown} KiB above idle");
    Ok(())
}

/// Reads a line of what Linux says of this process, in KiB.
fn status(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|it| it.strip_prefix(name));
    let number = line.and_then(|it| it.split_whitespace().nth(1));
    Ok(number.context("a number")?.parse()?)
}
