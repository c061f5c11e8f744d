//! A repository that many Warehouses watch.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use artifacts::child::Launcher;
use artifacts::git::{self, Mirrors};
use artifacts::{Boundless, Caller, Cost};
use benches::compare;
use jiff::Timestamp;
use resources::GitSubscription;
use testkit::proxy::{self, Proxy};
use testkit::servers::{Access, GitServer};

use crate::{AWAY, PROJECT, as_float, limits, number, policy};

/// Warehouses on one repository.
const WAREHOUSES: usize = 57;
const MIRRORS: u64 = 8 << 30;

pub(crate) async fn measure() -> Result<()> {
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
