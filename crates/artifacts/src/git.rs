//! Discovers the commits of a Git repository.
//!
//! Asking a server for one branch, or for all tags, costs one small request ([`refs`]), and mostly says that nothing
//! changed. Otherwise what is new is fetched into a bare mirror without file contents ([`mirror`]), unless another
//! subscription has brought it there already, and read there: the commits of a [`branch`], or what [`tags`] name.
//!
//! Mirrors and connections are kept per project, repository and login; nothing is shared across them.

mod branch;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod location;
mod mirror;
mod mirrors;
mod pkt;
mod refs;
mod tags;

use std::sync::Arc;

use credentials::Login;
use domain::selection::{CommitRules, GitTagRules, RuledOut, RulesError};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use moka::future::Cache;
use resources::{DiscoveredCommit, DiscoveredCommits, GitSubscription, ObservedRefs};
use sha2::{Digest as _, Sha256};
use url::Url;

use crate::child::{self, Launcher};
use crate::cost::Cost;
use crate::egress::{Pin, Policy};
use crate::sender::{Limits, Sender, Tls, host_of};
use crate::{Caller, Room};
use location::Location;
use mirror::Mirror;

pub use error::Error;
pub use mirrors::Mirrors;

/// Most senders that are kept, each idle for no longer than half an hour.
const SENDERS_BOUND: u64 = 2_000;
const IDLE: std::time::Duration = std::time::Duration::from_mins(30);
/// Most lists of tags that are known again by their digest.
const LISTS_BOUND: u64 = 10_000;
/// Most bytes of the paths that commits change, as far as they are remembered.
const CHANGES_BOUND: u64 = 32 << 20;
/// Longest subject, in bytes, as upstream keeps it, and longest name of a person.
const SUBJECT_BOUND: usize = 80;
const PERSON_BOUND: usize = 512;

/// Knows how to reach Git hosts, and where the mirrors are.
#[derive(Debug)]
pub struct Repositories {
    launcher: Launcher,
    policy: Arc<Policy>,
    tls: Arc<Tls>,
    limits: Limits,
    mirrors: Arc<Mirrors>,
    /// By what one host is asked for together: its limits are those of a project and a login, not of a repository.
    senders: Cache<String, Arc<Sender>>,
    /// Digests of lists of tags that were too long for a status, with what was made of them.
    lists: Cache<[u8; 32], ()>,
    changes: Changes,
}

/// What commits change, by scope and id: every subscription of a monorepo wants to know it of the same commits.
type Changes = Cache<(Arc<str>, String), Arc<[String]>>;

/// Holds what one project asks of one repository.
#[derive(Debug)]
struct Ask<'a> {
    project: &'a str,
    subscription: &'a GitSubscription,
    location: Location,
    /// What holds git to the addresses of the location; nothing is known before it was checked.
    pin: Pin,
    login: Option<Login>,
    /// Tells apart whose asks share anything.
    scope: Arc<str>,
    cost: &'a Cost,
    room: &'a dyn Room,
}

/// What a subscription takes of a repository, and what it leaves out.
#[derive(Debug, Clone, Default)]
pub struct Selected {
    pub found: DiscoveredCommits,
    /// Of what is older than all that is taken nothing is told: nobody looked.
    pub ruled_out: Vec<RuledOut>,
}

/// What a subscription follows.
#[derive(Debug)]
enum Rules {
    Branch(CommitRules),
    Tags(GitTagRules),
}

impl Repositories {
    /// Reaches hosts under `policy` and within `limits`.
    pub fn new(launcher: Launcher, policy: Arc<Policy>, limits: Limits, mirrors: Mirrors) -> Self {
        let senders = Cache::builder()
            .max_capacity(SENDERS_BOUND)
            .time_to_idle(IDLE)
            .build();
        let changes = Cache::builder()
            .max_capacity(CHANGES_BOUND)
            .weigher(|_, paths: &Arc<[String]>| weight(paths))
            .build();
        Self {
            launcher,
            policy,
            tls: Arc::default(),
            limits,
            mirrors: Arc::new(mirrors),
            senders,
            lists: Cache::new(LISTS_BOUND),
            changes,
        }
    }

    async fn sender(&self, ask: &Ask<'_>, url: &Url) -> Arc<Sender> {
        let insecure = ask.subscription.insecure_skip_tls_verify;
        let login = ask.login.as_ref().map(Login::fingerprint);
        let key = serde_json::json!([ask.project, host_of(url), login, insecure]);
        let build = async {
            let (policy, tls) = (Arc::clone(&self.policy), Arc::clone(&self.tls));
            let limits = self.limits.of_host(url.host_str().unwrap_or_default());
            Arc::new(Sender::new(policy, tls, insecure, limits).of_project(ask.project))
        };
        self.senders.get_with(key.to_string(), build).await
    }
}

/// Discovers the commits that `subscription` takes, best first.
///
/// `previous` is what was discovered for the same subscription as it is now written; it comes back where the branch has
/// not moved or the matching tags are the same, for the price of one request. `now` is what `now()` in `expressionFilter`
/// says.
pub async fn discover(
    repositories: &Repositories,
    caller: Caller<'_>,
    subscription: &GitSubscription,
    previous: Option<&DiscoveredCommits>,
    now: Timestamp,
) -> Result<DiscoveredCommits, Error> {
    let selected = find(repositories, caller, subscription, previous, now).await?;
    Ok(selected.found)
}

/// Discovers as [`discover`] does for the first time, and also says what was left out by which rule.
pub async fn select(
    repositories: &Repositories,
    caller: Caller<'_>,
    subscription: &GitSubscription,
    now: Timestamp,
) -> Result<Selected, Error> {
    find(repositories, caller, subscription, None, now).await
}

async fn find(
    repositories: &Repositories,
    caller: Caller<'_>,
    subscription: &GitSubscription,
    previous: Option<&DiscoveredCommits>,
    now: Timestamp,
) -> Result<Selected, Error> {
    let mut ask = ask(caller, subscription)?;
    let rules = rules(subscription)
        .map_err(|source| ask.error(|repo_url| Error::Rules { repo_url, source }))?;
    let branch = &subscription.branch;
    if matches!(rules, Rules::Branch(_)) && !location::is_branch(branch) {
        let branch = branch.clone();
        return Err(ask.error(|repo_url| Error::BranchName { repo_url, branch }));
    }
    let checked = ask.location.check(&repositories.policy).await;
    ask.pin = checked.map_err(|source| ask.error(|repo_url| Error::Egress { repo_url, source }))?;
    let previous = previous.filter(|it| it.repo_url == subscription.repo_url);
    match &rules {
        Rules::Branch(rules) => branch::find(repositories, &ask, rules, previous, now).await,
        Rules::Tags(rules) => tags::find(repositories, &ask, rules, previous, now).await,
    }
}

fn rules(subscription: &GitSubscription) -> Result<Rules, RulesError> {
    Ok(match GitTagRules::parse(subscription)? {
        Some(rules) => Rules::Tags(rules),
        None => Rules::Branch(CommitRules::parse(subscription)?),
    })
}

fn ask<'a>(caller: Caller<'a>, subscription: &'a GitSubscription) -> Result<Ask<'a>, Error> {
    let Caller {
        project,
        login,
        cost,
        room,
    } = caller;
    let repo_url = &subscription.repo_url;
    let location = Location::parse(repo_url).map_err(|why| Error::Url {
        repo_url: child::shown(repo_url),
        why,
    })?;
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
        project,
        subscription,
        location,
        pin: Pin::Literal,
        login: login.cloned(),
        scope: scope.into(),
        cost,
        room,
    })
}

impl Ask<'_> {
    fn error(&self, make: impl FnOnce(String) -> Error) -> Error {
        make(child::shown(&self.subscription.repo_url))
    }

    fn rules_error(&self, source: RulesError) -> Error {
        self.error(|repo_url| Error::Rules { repo_url, source })
    }

    /// Gives what was discovered before, since nothing has changed.
    fn unchanged(&self, previous: &DiscoveredCommits) -> Selected {
        self.cost.remembered();
        Selected {
            found: previous.clone(),
            ruled_out: Vec::new(),
        }
    }

    /// Puts what was discovered as a status has it.
    fn discovered(
        &self,
        commits: Vec<DiscoveredCommit>,
        observed_refs: Option<ObservedRefs>,
    ) -> DiscoveredCommits {
        DiscoveredCommits {
            repo_url: self.subscription.repo_url.clone(),
            commits,
            subscription_name: String::new(),
            observed_refs,
        }
    }
}

/// Does something with a mirror; one that seems to be damaged is made anew once.
///
/// `$work` is an expression over `$mirror`, a `&mut Mirror`. A macro, because a closure that lends a mirror to a future
/// cannot be shown to be `Send`.
macro_rules! with_mirror {
    ($repositories:expr, $ask:expr, $place:expr, |$mirror:ident| $work:expr) => {{
        let mut opened = Mirror::open($repositories, $ask, $place).await?;
        let mut outcome = {
            let $mirror = &mut opened;
            $work.await
        };
        if opened.was_there && outcome.as_ref().is_err_and(Error::may_be_of_mirror) {
            opened.discard()?;
            opened = Mirror::open($repositories, $ask, $place).await?;
            let $mirror = &mut opened;
            outcome = $work.await;
        }
        opened.close().await;
        outcome
    }};
}
use with_mirror;

/// Gives about how many bytes paths take in memory, their key included.
fn weight(paths: &[String]) -> u32 {
    let paths: usize = paths.iter().map(|path| path.len() + 24).sum();
    u32::try_from(paths + 200).unwrap_or(u32::MAX)
}

/// Puts a commit as a status has it.
fn discovered(
    commit: domain::selection::Commit,
    date: Timestamp,
    branch: &str,
    tag: &str,
) -> DiscoveredCommit {
    DiscoveredCommit {
        id: commit.id,
        branch: branch.to_owned(),
        tag: tag.to_owned(),
        subject: cut(&commit.subject, SUBJECT_BOUND),
        author: cut(&commit.author, PERSON_BOUND),
        committer: cut(&commit.committer, PERSON_BOUND),
        creator_date: Some(Time(date)),
    }
}

/// Cuts a text between two characters and says so by three dots.
fn cut(text: &str, bound: usize) -> String {
    if text.len() <= bound {
        return text.to_owned();
    }
    let end = (0..=bound - 3)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default();
    format!("{}...", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_subject_is_cut_between_characters() {
        let shortened = |text: &str| cut(text, SUBJECT_BOUND);
        assert_eq!(shortened("short"), "short");
        assert_eq!(shortened(&"x".repeat(80)), "x".repeat(80));
        assert_eq!(shortened(&"x".repeat(81)), format!("{}...", "x".repeat(77)));
        assert_eq!(shortened(&"ä".repeat(41)), format!("{}...", "ä".repeat(38)));
    }
}
