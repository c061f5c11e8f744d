//! A repository of many applications, each watched by a Warehouse of its own, beside what as many Warehouses do without
//! a mirror: a clone each where something has changed, and a `git ls-remote` each where nothing has.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use artifacts::child::Launcher;
use artifacts::git::{self, Mirrors, Repositories};
use artifacts::{Boundless, Caller, Cost, Spent};
use benches::compare;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use resources::{DiscoveredCommits, GitSubscription};
use testkit::proxy::{self, Proxy};
use testkit::servers::{Access, GitServer};

use crate::{AWAY, PROJECT, as_float, limits, number, policy};

/// Warehouses on one repository.
const WAREHOUSES: usize = 57;
/// Discoveries that run at a time, ours and theirs.
const AT_A_TIME: usize = 4;
/// Files that take turns to be changed.
const FILES: usize = 1_000;
const MIRRORS: u64 = 8 << 30;

pub(crate) async fn measure() -> Result<()> {
    let commits = number("ARGOSY_BENCH_COMMITS", 15_000);
    let server = GitServer::start(Access::Open)?;
    server.create("mono", &[("README.md", "hello")])?;
    server.grow("mono", commits)?;
    let url = server.url("mono");
    let behind = url.trim_start_matches("http://").split('/').next();
    let behind = behind.context("a host")?.to_owned();
    let proxy = Proxy::start(&behind, AWAY, proxy::pass).await?;
    let url = url.replace(&behind, &proxy.host());
    let folder = tempfile::tempdir()?;

    let cloning = clone_at_once(&url, &folder.path().join("clones")).await?;
    let clones = (
        format!("a clone for each of {WAREHOUSES} Warehouses, computed"),
        cloning.as_secs_f64() * as_float(WAREHOUSES.div_ceil(AT_A_TIME)),
    );
    let listing = list_for_each(&url).await?;
    let lists = (
        format!("git ls-remote for each of {WAREHOUSES}, measured"),
        listing.as_secs_f64(),
    );

    let watched = Watched {
        repositories: Repositories::new(
            Launcher::direct(),
            policy(),
            limits(),
            Mirrors::new(folder.path().join("mirrors"), MIRRORS),
        ),
        applications: (0..WAREHOUSES).map(|it| application(&url, it)).collect(),
    };
    let mut known = Vec::new();
    for (what, (peer, theirs), fetches) in [
        ("cold", &clones, 1),
        ("unchanged", &lists, 0),
        ("after a push", &clones, 1),
    ] {
        if what == "after a push" {
            server.commit("mono", &[("history/0.txt", "new\n")], "Pushed")?;
        }
        let before = proxy.count();
        let (found, spent, took) = watched.look(&known).await?;
        let asked = proxy.count() - before;
        let fetched: u64 = spent.git.values().sum();
        println!(
            "Git, {commits} commits, {WAREHOUSES} Warehouses, {what}: {asked} requests, {fetched} fetches"
        );
        compare(
            &format!("Git, {what}: seconds"),
            took.as_secs_f64(),
            "s",
            peer,
            *theirs,
        );
        // A request for each, and one fetch for all of them.
        ensure!(
            spent.total() == WAREHOUSES as u64 && fetched == fetches,
            "{what}: {spent:?}"
        );
        check(what, commits, &found)?;
        known = found;
    }
    Ok(())
}

/// Makes the subscription of an application: every 57th of the files that take turns is its own.
fn application(url: &str, number: usize) -> GitSubscription {
    let files = (number..FILES).step_by(WAREHOUSES);
    let files: Vec<String> = files.map(|it| it.to_string()).collect();
    GitSubscription {
        repo_url: url.to_owned(),
        include_paths: vec![format!("glob:history/{{{}}}.txt", files.join(","))],
        discovery_limit: 20,
        ..GitSubscription::default()
    }
}

/// All applications of the repository.
struct Watched {
    repositories: Repositories,
    applications: Vec<GitSubscription>,
}

impl Watched {
    /// Looks for each application; `known` is what was found before.
    async fn look(
        &self,
        known: &[DiscoveredCommits],
    ) -> Result<(Vec<DiscoveredCommits>, Spent, Duration)> {
        let (cost, started) = (Cost::default(), Instant::now());
        let caller = Caller {
            project: PROJECT,
            login: None,
            cost: &cost,
            room: &Boundless,
        };
        let now = Timestamp::now();
        let asking = self.applications.iter().enumerate().map(|(index, it)| {
            git::discover(&self.repositories, caller, it, known.get(index), now)
        });
        let asking: Vec<_> = asking.collect();
        let found = stream::iter(asking).buffered(AT_A_TIME);
        let found = found.try_collect().await?;
        Ok((found, cost.spent(), started.elapsed()))
    }
}

/// Sees to it that each application was shown the newest change to its own files.
fn check(what: &str, commits: usize, found: &[DiscoveredCommits]) -> Result<()> {
    let mut newest: BTreeMap<usize, String> = (1..=commits)
        .map(|it| ((it % FILES) % WAREHOUSES, format!("Change {it}")))
        .collect();
    if what == "after a push" {
        newest.insert(0, "Pushed".to_owned());
    }
    for (application, expected) in newest {
        let best = found[application].commits.first().context("a commit")?;
        ensure!(best.subject == expected, "{what}: {best:?}");
    }
    Ok(())
}

/// Clones as often at once as discoveries run, in the cheapest way that shows which files commits change.
async fn clone_at_once(url: &str, folder: &Path) -> Result<Duration> {
    std::fs::create_dir(folder)?;
    let clone = ["clone", "--quiet", "--bare", "--filter=blob:none", url];
    let clones = (0..AT_A_TIME).map(|it| {
        let mut git = Command::new("git");
        git.args(clone).arg(folder.join(it.to_string()));
        git
    });
    run(clones.collect()).await
}

/// Asks for the refs once for each Warehouse, which is how upstream sees that nothing has changed.
async fn list_for_each(url: &str) -> Result<Duration> {
    let lists = (0..WAREHOUSES).map(|_| {
        let mut git = Command::new("git");
        git.args(["ls-remote", "--quiet", url, "HEAD"]);
        git
    });
    run(lists.collect()).await
}

/// Runs commands, so many at a time as discoveries run.
async fn run(commands: Vec<Command>) -> Result<Duration> {
    let started = Instant::now();
    let running = commands.into_iter().map(|mut command| async move {
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    });
    let running = stream::iter(running).buffer_unordered(AT_A_TIME);
    running.try_collect::<()>().await?;
    Ok(started.elapsed())
}
