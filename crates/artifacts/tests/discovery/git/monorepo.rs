//! A repository of many applications, each watched by a subscription of its own: what that costs, in requests.
#![expect(clippy::print_stdout, reason = "it says what it has measured")]

use std::time::Instant;

use artifacts::git::{self, Repositories};
use artifacts::{Cost, Spent};
use futures::stream::{self, StreamExt as _};
use jiff::Timestamp;
use resources::{DiscoveredCommits, GitSubscription};
use testkit::servers::{Access, GitServer};

use super::{repositories, subscription};
use crate::caller;

/// Discoveries that run at the same time.
const CONCURRENCY: usize = 4;

/// Asks for every application at once, as loops do; also gives what it cost.
async fn round(
    repositories: &Repositories,
    applications: &[GitSubscription],
    previous: &[DiscoveredCommits],
) -> (Vec<DiscoveredCommits>, Spent) {
    let cost = Cost::default();
    let start = Instant::now();
    let asked = applications
        .iter()
        .enumerate()
        .map(|(index, subscription)| {
            let caller = caller("acme", None, &cost);
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

#[track_caller]
fn check_cost(spent: &Spent, requests: usize, fetches: u64, remembered: usize) {
    let git: u64 = spent.git.values().sum();
    let expected = (requests as u64, fetches, remembered as u64);
    assert_eq!(
        (spent.total(), git, spent.remembered),
        expected,
        "{spent:?}"
    );
}

/// Watches `count` applications of one repository with that many commits.
async fn check(count: usize, commits: usize) {
    let host = GitServer::start(Access::Open).expect("a Git host");
    host.create("acme/mono", &[("README.md", "hello")])
        .expect("a repository");
    host.grow("acme/mono", commits).expect("commits");
    let applications: Vec<GitSubscription> = (0..count)
        .map(|application| {
            let mut it = subscription(host.url("acme/mono"));
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

    let (cold, spent) = round(&repositories, &applications, &[]).await;
    check_cost(&spent, count, 1, 0);
    for (application, found) in cold.iter().enumerate() {
        assert_eq!(found.commits.len(), 20);
        // The newest change to one of its files.
        let newest = (1..=commits)
            .rev()
            .find(|number| (number % 1_000) % count == application);
        let newest = newest.expect("it was changed");
        assert_eq!(found.commits[0].subject, format!("Change {newest}"));
    }

    let (unchanged, spent) = round(&repositories, &applications, &cold).await;
    check_cost(&spent, count, 0, count);
    assert_eq!(unchanged, cold);

    host.commit("acme/mono", &[("history/0.txt", "new")], "Pushed")
        .expect("a commit");
    let (pushed, spent) = round(&repositories, &applications, &cold).await;
    check_cost(&spent, count, 1, 0);
    assert_eq!(pushed[0].commits[0].subject, "Pushed");
    for (before, after) in cold.iter().zip(&pushed).skip(1) {
        assert_eq!(before.commits, after.commits);
        assert_ne!(before.observed_refs, after.observed_refs);
    }
    // A process that starts anew has the mirror, and so nothing to fetch.
    let (again, spent) = round(&super::repositories(folder.path()), &applications, &[]).await;
    check_cost(&spent, count, 0, 0);
    assert_eq!(again, pushed);
}

#[tokio::test]
async fn a_monorepo_is_fetched_once_per_push() {
    check(5, 200).await;
}

#[cfg(feature = "slow")]
mod slow {
    #[tokio::test(flavor = "multi_thread")]
    async fn fifty_seven_applications_of_a_large_monorepo_are_fetched_once_per_push() {
        super::check(57, 15_000).await;
    }
}
