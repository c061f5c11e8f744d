//! How much memory a long list takes: measured in a process of its own, while Google is simulated in this one.
#![expect(clippy::print_stdout, reason = "it says what it has measured")]

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use artifacts::egress::Policy;
use artifacts::image::{Asked, select};
use artifacts::registry::Registries;
use artifacts::{Boundless, Caller, Cost, Limits};
use domain::selection::NewestBuildBy;
use jiff::Timestamp;
use resources::subscription::ImageSelectionStrategy;
use scenarios::{Clock, PROJECT};
use testkit::google::{Google, HOST};

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

/// Lists by every strategy, anonymously, so page by page.
async fn list(registry: &str, tags: u32) -> Result<()> {
    let limits = Limits {
        rate: 100_000.try_into()?,
        ..Limits::default()
    };
    let endpoints = HashMap::from([(HOST.to_owned(), registry.parse()?)]);
    let registries = Registries::new(Arc::new(Policy::new().with_loopback()), limits);
    let registries = registries.with_endpoints(endpoints);
    let idle = status("VmRSS")?;
    for strategy in [
        ImageSelectionStrategy::NewestBuild,
        ImageSelectionStrategy::SemVer,
        ImageSelectionStrategy::Lexical,
    ] {
        let cost = Cost::default();
        let caller = Caller {
            project: PROJECT,
            login: None,
            cost: &cost,
            room: &Boundless,
        };
        let asked = Asked {
            newest_build_by: NewestBuildBy::Built,
            now: Timestamp::UNIX_EPOCH,
        };
        let mut subscription = by(strategy);
        // Everything is a candidate but for one in ten, so that both are many.
        subscription.ignore_tags_regexes = vec!["7$".to_owned()];
        let selected = select(&registries, caller, &subscription, asked).await?;
        let left_out = selected.ruled_out.iter().map(|it| it.count).sum::<usize>();
        ensure!(selected.taken.len() == 20 && left_out == tags as usize / 10);
        let (grown, requests) = (status("VmHWM")?.saturating_sub(idle), cost.spent().total());
        println!("{strategy:?} of {tags} tags: {grown} KiB above idle, {requests} requests");
        ensure!(grown <= BOUND, "{grown} KiB above idle");
    }
    Ok(())
}

/// Reads a line of what Linux says of this process, in KiB.
fn status(name: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|it| it.strip_prefix(name));
    let number = line.and_then(|it| it.split_whitespace().nth(1));
    Ok(number.context("a number")?.parse()?)
}
