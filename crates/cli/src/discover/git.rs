//! The dry run of a Git subscription.
#![expect(
    clippy::doc_markdown,
    reason = "doc comments here are help texts, read in a terminal"
)]
#![allow(
    rustdoc::bare_urls,
    reason = "doc comments here are help texts, read in a terminal"
)]

use anyhow::{Context as _, Result};
use artifacts::git::{self, Mirrors, Repositories};
use artifacts::{Cost as Counter, Limits};
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use resources::GitSubscription;
use resources::subscription::CommitSelectionStrategy;
use serde_json::{Value, json};

use super::Output;
use super::flags::{Tags, Taking};
use super::outside::{self, Outside};
use super::report::{Cost, Report, RuledOut};

/// Most bytes of commits that a dry run fetches.
const DISK: u64 = 4 << 30;
const COLUMNS: &[(&str, &str)] = &[
    ("tag", "TAG"),
    ("id", "COMMIT"),
    ("creatorDate", "DATE"),
    ("author", "AUTHOR"),
    ("subject", "SUBJECT"),
];

/// Shows which commits or tags of a Git repository a subscription would take
///
/// Examples:
///   argosy discover git https://github.com/acme/deploy --branch main --include-path apps/web
///   argosy discover git git@github.com:acme/deploy.git --strategy semver --ssh-key ~/.ssh/id_ed25519
///   argosy discover git https://github.com/acme/deploy --expression-filter 'author contains "ann"'
#[derive(Debug, Clone, Args)]
#[command(verbatim_doc_comment)]
pub struct Git {
    /// Repository: the subscription's repoURL
    url: String,
    /// Which commits are taken first: commitSelectionStrategy
    #[arg(long, value_enum, default_value_t = Strategy::NewestFromBranch)]
    strategy: Strategy,
    /// Branch to follow [default: the repository's own]
    #[arg(
        long,
        value_name = "BRANCH",
        default_value = "",
        hide_default_value = true
    )]
    branch: String,
    /// Tags that count by their version, such as ^1.2: semverConstraint
    #[arg(long, value_name = "CONSTRAINT", default_value = "")]
    constraint: String,
    #[command(flatten)]
    tags: Tags,
    /// Paths one of which has to change: includePaths; a folder, glob:PATTERN or regex:PATTERN; repeatable
    #[arg(long = "include-path", value_name = "PATH")]
    include_paths: Vec<String>,
    /// Paths that do not count: excludePaths; repeatable
    #[arg(long = "exclude-path", value_name = "PATH")]
    exclude_paths: Vec<String>,
    /// Expression that has to be true of a commit or tag: expressionFilter
    #[arg(long, value_name = "EXPRESSION", default_value = "")]
    expression_filter: String,
    /// Earliest commits that count, such as 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME", default_value = "")]
    since: String,
    #[command(flatten)]
    taking: Taking,
    #[command(flatten)]
    pub(super) output: Output,
    #[command(flatten)]
    outside: Outside,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Strategy {
    NewestFromBranch,
    #[value(name = "semver")]
    SemVer,
    Lexical,
    NewestTag,
}

impl Git {
    fn subscription(&self) -> GitSubscription {
        GitSubscription {
            repo_url: self.url.clone(),
            commit_selection_strategy: match self.strategy {
                Strategy::NewestFromBranch => CommitSelectionStrategy::NewestFromBranch,
                Strategy::SemVer => CommitSelectionStrategy::SemVer,
                Strategy::Lexical => CommitSelectionStrategy::Lexical,
                Strategy::NewestTag => CommitSelectionStrategy::NewestTag,
            },
            branch: self.branch.clone(),
            strict_semvers: !self.tags.loose_semvers,
            semver_constraint: self.constraint.clone(),
            allow_tags_regexes: self.tags.allow_tags_regexes.clone(),
            ignore_tags_regexes: self.tags.ignore_tags_regexes.clone(),
            expression_filter: self.expression_filter.clone(),
            insecure_skip_tls_verify: self.taking.insecure_skip_tls_verify,
            include_paths: self.include_paths.clone(),
            exclude_paths: self.exclude_paths.clone(),
            discovery_limit: self.taking.limit,
            since: self.since.clone(),
            ..GitSubscription::default()
        }
    }
}

/// Looks once, and reports.
pub(super) async fn report(arguments: &Git) -> Result<Report> {
    let subscription = arguments.subscription();
    let outside = &arguments.outside;
    let login = outside.login(&subscription.repo_url).await?;
    let folder = tempfile::tempdir().context("failed to make a folder for the commits")?;
    let repositories = Repositories::new(
        outside.launcher(),
        Outside::policy(),
        Limits::default(),
        Mirrors::new(folder.path().to_owned(), DISK),
    );
    let cost = Counter::default();
    let caller = outside::caller(login.as_ref(), &cost);
    let work = git::select(&repositories, caller, &subscription, Timestamp::now());
    let (selected, took) = outside
        .look(
            &subscription.repo_url,
            &cost,
            Box::pin(work),
            git::Error::hint,
        )
        .await?;
    let taken = selected.found.commits.into_iter().map(|it| {
        json!({
            "id": it.id,
            "tag": it.tag,
            "branch": it.branch,
            "subject": it.subject,
            "author": it.author,
            "committer": it.committer,
            "creatorDate": it.creator_date.map(|it| it.0.to_string()),
        })
    });
    let ruled_out = selected.ruled_out.into_iter().map(RuledOut::from);
    Ok(Report {
        subscription: serde_json::to_value(&subscription).unwrap_or(Value::Null),
        columns: COLUMNS,
        taken: taken.collect(),
        ruled_out: ruled_out.collect(),
        remarks: Vec::new(),
        cost: Cost::of(&cost.spent(), took),
    })
}
