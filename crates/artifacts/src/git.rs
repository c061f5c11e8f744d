//! Discovers the commits of a Git repository.
//!
//! Asking a server for one branch costs one small request ([`refs`]), and mostly says that nothing changed. Otherwise the
//! new commits are fetched into a bare mirror without file contents ([`mirror`]), and `git log` reads them there.
//!
//! Mirrors and connections are kept per project, repository and login; nothing is shared across them.

mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod location;
mod mirror;
mod pkt;
mod refs;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use credentials::Login;
use domain::selection::{Commit, CommitRules};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use moka::future::Cache;
use resources::subscription::CommitSelectionStrategy;
use resources::{DiscoveredCommit, DiscoveredCommits, GitSubscription, ObservedRefs};
use sha2::{Digest as _, Sha256};

use crate::Caller;
use crate::child::{self, Launcher};
use crate::cost::Cost;
use crate::egress::Policy;
use crate::sender::{Limits, Sender, Tls};
use location::Location;
use mirror::Mirror;

pub use error::Error;

/// Most senders that are kept, each idle for no longer than half an hour.
const SENDERS_BOUND: u64 = 2_000;
const IDLE: std::time::Duration = std::time::Duration::from_mins(30);
/// Commits that are read at a time, at most, and commits of a branch that are looked at in all.
const BATCH: usize = 1_000;
const COMMITS_BOUND: usize = 100_000;
/// Longest subject, in bytes, as upstream keeps it.
const SUBJECT_BOUND: usize = 80;

/// Knows how to reach Git hosts, and where the mirrors are.
#[derive(Debug)]
pub struct Repositories {
    launcher: Launcher,
    policy: Arc<Policy>,
    tls: Arc<Tls>,
    limits: Limits,
    folder: PathBuf,
    senders: Cache<String, Arc<Sender>>,
    locks: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

/// Holds what one project asks of one repository.
#[derive(Debug)]
struct Ask<'a> {
    subscription: &'a GitSubscription,
    location: Location,
    login: Option<Login>,
    /// Tells apart whose asks share anything.
    scope: String,
    cost: &'a Cost,
}

impl Repositories {
    /// Reaches hosts under `policy` and within `limits`, and keeps mirrors in `folder`, which is ours alone.
    pub fn new(launcher: Launcher, policy: Arc<Policy>, limits: Limits, folder: PathBuf) -> Self {
        let senders = Cache::builder()
            .max_capacity(SENDERS_BOUND)
            .time_to_idle(IDLE)
            .build();
        Self {
            launcher,
            policy,
            tls: Arc::default(),
            limits,
            folder,
            senders,
            locks: Mutex::default(),
        }
    }

    async fn sender(&self, ask: &Ask<'_>) -> Arc<Sender> {
        let insecure = ask.subscription.insecure_skip_tls_verify;
        let build = async {
            Arc::new(Sender::new(
                Arc::clone(&self.policy),
                Arc::clone(&self.tls),
                insecure,
                self.limits.clone(),
            ))
        };
        self.senders.get_with(ask.scope.clone(), build).await
    }

    /// Lets one task at a time work on a mirror.
    fn lock(&self, scope: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(scope).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::default();
        locks.insert(scope.to_owned(), Arc::downgrade(&lock));
        lock
    }

    fn mirror_folder(&self, scope: &str) -> PathBuf {
        Path::new(&self.folder).join(scope)
    }
}

/// Discovers the commits that `subscription` takes, best first.
///
/// `previous` is what was discovered for the same subscription as it is now written; it comes back where the branch has
/// not moved, for the price of one request. `now` is what `now()` in `expressionFilter` says.
///
/// # Errors
/// [`Error::Unsupported`] for the strategies that select tags.
pub async fn discover(
    repositories: &Repositories,
    caller: Caller<'_>,
    subscription: &GitSubscription,
    previous: Option<&DiscoveredCommits>,
    now: Timestamp,
) -> Result<DiscoveredCommits, Error> {
    let ask = ask(caller, subscription)?;
    let rules = CommitRules::parse(subscription)
        .map_err(|source| ask.error(|repo_url| Error::Rules { repo_url, source }))?;
    ask.location
        .check(&repositories.policy)
        .await
        .map_err(|source| ask.error(|repo_url| Error::Egress { repo_url, source }))?;
    let found = refs::find(repositories, &ask).await?;
    let known =
        previous.filter(|it| it.repo_url == subscription.repo_url && !found.head.is_empty());
    if let Some(known) = known.filter(|it| {
        it.observed_refs
            .as_ref()
            .is_some_and(|refs| refs.branch_head == found.head)
    }) {
        caller.cost.remembered();
        return Ok(known.clone());
    }
    let lock = repositories.lock(&ask.scope);
    let _held = lock.lock().await;
    let mirror = Mirror::fetch(repositories, &ask, &found).await?;
    let taken = take(&mirror, &rules, now)
        .await
        .map_err(|fault| ask.error(|repo_url| fault.into_error(repo_url)))?;
    let commits = taken.into_iter().map(|commit| DiscoveredCommit {
        id: commit.id,
        branch: subscription.branch.clone(),
        tag: String::new(),
        subject: shortened(&commit.subject),
        author: commit.author,
        committer: commit.committer,
        creator_date: Some(Time(commit.date)),
    });
    Ok(DiscoveredCommits {
        repo_url: subscription.repo_url.clone(),
        commits: commits.collect(),
        subscription_name: String::new(),
        observed_refs: Some(ObservedRefs {
            branch_head: mirror.head,
            tags: Vec::new(),
        }),
    })
}

fn ask<'a>(caller: Caller<'a>, subscription: &'a GitSubscription) -> Result<Ask<'a>, Error> {
    let Caller {
        project,
        login,
        cost,
    } = caller;
    let repo_url = &subscription.repo_url;
    let location = Location::parse(repo_url).map_err(|why| Error::Url {
        repo_url: child::shown(repo_url),
        why,
    })?;
    let strategy = match subscription.commit_selection_strategy {
        CommitSelectionStrategy::NewestFromBranch => None,
        CommitSelectionStrategy::SemVer => Some("SemVer"),
        CommitSelectionStrategy::Lexical => Some("Lexical"),
        CommitSelectionStrategy::NewestTag => Some("NewestTag"),
    };
    if let Some(strategy) = strategy {
        return Err(Error::Unsupported {
            repo_url: child::shown(repo_url),
            strategy,
        });
    }
    if !location::is_branch(&subscription.branch) {
        return Err(Error::BranchName {
            repo_url: child::shown(repo_url),
            branch: subscription.branch.clone(),
        });
    }
    let fingerprint = login.map(Login::fingerprint).unwrap_or_default();
    let insecure = subscription.insecure_skip_tls_verify;
    let scope = serde_json::json!([
        project,
        credentials::Kind::Git.normalize(repo_url),
        fingerprint,
        insecure
    ]);
    let scope = hex::encode(&Sha256::digest(scope.to_string())[..20]);
    Ok(Ask {
        subscription,
        location,
        login: login.cloned(),
        scope,
        cost,
    })
}

impl Ask<'_> {
    fn error(&self, make: impl FnOnce(String) -> Error) -> Error {
        make(child::shown(&self.subscription.repo_url))
    }
}

/// Reads commits in growing batches until enough count.
async fn take(
    mirror: &Mirror<'_>,
    rules: &CommitRules,
    now: Timestamp,
) -> Result<Vec<Commit>, mirror::Fault> {
    let mut taken = Vec::new();
    let (mut skip, mut batch) = (0, rules.limit());
    while skip < COMMITS_BOUND {
        let commits = mirror.log(rules, skip, batch).await?;
        let is_last = commits.len() < batch;
        for commit in commits {
            if rules.take(&commit, now)? {
                taken.push(commit);
            }
            if taken.len() == rules.limit() {
                return Ok(taken);
            }
        }
        if is_last || !rules.passes_over() {
            return Ok(taken);
        }
        skip += batch;
        batch = (batch * 2).min(BATCH);
    }
    Ok(taken)
}

fn shortened(subject: &str) -> String {
    if subject.len() <= SUBJECT_BOUND {
        return subject.to_owned();
    }
    let end = (0..=SUBJECT_BOUND - 3)
        .rev()
        .find(|at| subject.is_char_boundary(*at))
        .unwrap_or_default();
    format!("{}...", &subject[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_subject_is_cut_between_characters() {
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(shortened(&"x".repeat(81)), format!("{}...", "x".repeat(77)));
        assert_eq!(shortened(&"ä".repeat(41)), format!("{}...", "ä".repeat(38)));
    }
}
