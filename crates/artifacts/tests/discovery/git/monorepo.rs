//! A repository of many applications, each watched by a subscription of its own: what that costs, in requests.
#![expect(clippy::print_stdout, reason = "it says what it has measured")]

use std::time::Instant;

use artifacts::git::{self, Repositories};
use artifacts::{Cost, Spent};
use credentials::Login;
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use resources::{DiscoveredCommits, GitSubscription};
use testkit::servers::{Access, GitServer, SshServer};

use super::{repositories, subscription};
use crate::caller;

/// The repository.
const NAME: &str = "acme/mono";
/// Discoveries that run at the same time.
const CONCURRENCY: usize = 4;

/// A host of the repository.
enum Host {
    Http(GitServer),
    Ssh(SshServer),
}

impl Host {
    fn url(&self) -> String {
        match self {
            Self::Http(host) => host.url(NAME),
            Self::Ssh(host) => host.url(NAME),
        }
    }

    fn login(&self) -> Option<Login> {
        match self {
            Self::Http(_) => None,
            Self::Ssh(host) => Some(Login::SshKey(host.private_key().expect("a key").into())),
        }
    }

    fn fill(&self, commits: usize) {
        let files = [("README.md", "hello")];
        match self {
            Self::Http(host) => {
                let created = host.create(NAME, &files);
                created.and_then(|()| host.grow(NAME, commits))
            }
            Self::Ssh(host) => {
                let created = host.create(NAME, &files);
                created.and_then(|()| host.grow(NAME, commits))
            }
        }
        .expect("a repository");
    }

    fn commit(&self, file: &str, message: &str) {
        let files = [(file, "new")];
        match self {
            Self::Http(host) => host.commit(NAME, &files, message),
            Self::Ssh(host) => host.commit(NAME, &files, message),
        }
        .expect("a commit");
    }

    /// What a round costs: over HTTP a request for each subscription and a child for each fetch, over SSH a child for each
    /// of both.
    #[track_caller]
    fn check_cost(&self, spent: &Spent, subscriptions: usize, fetches: usize, remembered: usize) {
        let (requests, children) = match self {
            Self::Http(_) => (subscriptions, fetches),
            Self::Ssh(_) => (0, subscriptions + fetches),
        };
        let git: u64 = spent.git.values().sum();
        let expected = (requests as u64, children as u64, remembered as u64);
        assert_eq!(
            (spent.total(), git, spent.remembered),
            expected,
            "{spent:?}"
        );
    }
}

/// Asks for every application at once, as loops do; also gives what it cost.
async fn round(
    repositories: &Repositories,
    login: Option<&Login>,
    applications: &[GitSubscription],
    previous: &[DiscoveredCommits],
) -> (Vec<DiscoveredCommits>, Spent) {
    let cost = Cost::default();
    let start = Instant::now();
    let asked = applications
        .iter()
        .enumerate()
        .map(|(index, subscription)| {
            let caller = caller("acme", login, &cost);
            let previous = previous.get(index);
            git::discover(
                repositories,
                caller,
                subscription,
                previous,
                Timestamp::UNIX_EPOCH,
            )
        });
    let asked: Vec<_> = asked.collect();
    let found: Vec<_> = stream::iter(asked).buffered(CONCURRENCY).collect().await;
    let found = found.into_iter().map(|it| it.expect("commits")).collect();
    println!(
        "{} subscriptions: {:?} in {:.1?}",
        applications.len(),
        cost.spent(),
        start.elapsed()
    );
    (found, cost.spent())
}

/// Watches `count` applications of one repository with that many commits.
async fn check(host: Host, count: usize, commits: usize) {
    host.fill(commits);
    let login = host.login();
    let login = login.as_ref();
    let applications: Vec<GitSubscription> = (0..count)
        .map(|application| {
            let mut it = subscription(host.url());
            // Of a thousand files that take turns, every `count`th belongs to the same application.
            let files: Vec<String> = (application..1_000)
                .step_by(count)
                .map(|it| it.to_string())
                .collect();
            it.include_paths = vec![format!("glob:history/{{{}}}.txt", files.join(","))];
            it
        })
        .collect();
    let folder = tempfile::tempdir().expect("a folder");
    let repositories = repositories(folder.path());

    let (cold, spent) = round(&repositories, login, &applications, &[]).await;
    host.check_cost(&spent, count, 1, 0);
    for (application, found) in cold.iter().enumerate() {
        assert_eq!(found.commits.len(), 20);
        // The newest change to one of its files.
        let newest = (1..=commits)
            .rev()
            .find(|number| (number % 1_000) % count == application);
        let newest = newest.expect("it was changed");
        assert_eq!(found.commits[0].subject, format!("Change {newest}"));
    }

    let (unchanged, spent) = round(&repositories, login, &applications, &cold).await;
    host.check_cost(&spent, count, 0, count);
    assert_eq!(unchanged, cold);

    host.commit("history/0.txt", "Pushed");
    let (pushed, spent) = round(&repositories, login, &applications, &cold).await;
    host.check_cost(&spent, count, 1, 0);
    assert_eq!(pushed[0].commits[0].subject, "Pushed");
    for (before, after) in cold.iter().zip(&pushed).skip(1) {
        assert_eq!(before.commits, after.commits);
        assert_ne!(before.observed_refs, after.observed_refs);
    }
    // A process that starts anew has the mirror, and so nothing to fetch.
    let (again, spent) = round(
        &super::repositories(folder.path()),
        login,
        &applications,
        &[],
    )
    .await;
    host.check_cost(&spent, count, 0, 0);
    assert_eq!(again, pushed);
}

fn http() -> Host {
    Host::Http(GitServer::start(Access::Open).expect("a Git host"))
}

fn ssh() -> Host {
    Host::Ssh(SshServer::start().expect("an SSH host"))
}

#[tokio::test]
async fn a_monorepo_is_fetched_once_per_push() {
    check(http(), 5, 200).await;
}

#[tokio::test]
async fn a_monorepo_is_fetched_once_per_push_over_ssh() {
    check(ssh(), 5, 200).await;
}

#[cfg(feature = "slow")]
mod slow {
    use super::{check, http, ssh};

    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_seven_applications_of_a_large_monorepo_are_fetched_once_per_push() {
        check(http(), 57, 15_000).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_seven_applications_of_a_large_monorepo_are_fetched_once_per_push_over_ssh() {
        check(ssh(), 57, 15_000).await;
    }
}
