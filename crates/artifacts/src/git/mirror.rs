//! A bare copy of a repository's history, without the contents of files.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use domain::selection::{Commit, CommitRules, RulesError};
use jiff::Timestamp;

use super::location::Location;
use super::refs::Found;
use super::{Ask, Error, Repositories};
use crate::child::{self, GitAccess, Launcher, Output};

/// What the fetched head is called in a mirror; a fetch for another branch moves it.
const HEAD: &str = "refs/argosy/head";
/// Separates commits, and the fields of a commit, in the log.
const RECORD: char = '\u{1e}';
const FIELD: char = '\u{1f}';

/// Reads the history of one repository. Whoever has it holds the lock of its scope.
#[derive(Debug)]
pub(super) struct Mirror<'a> {
    launcher: &'a Launcher,
    work_dir: PathBuf,
    /// The commit that was fetched.
    pub(super) head: String,
}

/// Says why the commits could not be read.
#[derive(Debug)]
pub(super) enum Fault {
    Rules(RulesError),
    Child(child::Error),
    Malformed(&'static str),
}

impl From<RulesError> for Fault {
    fn from(error: RulesError) -> Self {
        Self::Rules(error)
    }
}

impl Fault {
    pub(super) fn into_error(self, repo_url: String) -> Error {
        match self {
            Self::Rules(source) => Error::Rules { repo_url, source },
            Self::Child(source) => Error::Log { repo_url, source },
            Self::Malformed(why) => Error::Malformed { repo_url, why },
        }
    }
}

impl<'a> Mirror<'a> {
    /// Brings the mirror up to date with the branch that was found, making it if there is none.
    ///
    /// A mirror that cannot be fetched into is made anew once: it may be damaged.
    pub(super) async fn fetch(
        repositories: &'a Repositories,
        ask: &Ask<'_>,
        found: &Found,
    ) -> Result<Self, Error> {
        let work_dir = repositories.mirror_folder(&ask.scope);
        let is_new = !work_dir.join(GIT_DIR).join("HEAD").exists();
        match Self::try_fetch(repositories, ask, found, &work_dir).await {
            Err(Error::Fetch { .. }) if !is_new => {
                remove(&work_dir.join(GIT_DIR))
                    .map_err(|source| ask.error(|repo_url| Error::Mirror { repo_url, source }))?;
                Self::try_fetch(repositories, ask, found, &work_dir).await
            }
            outcome => outcome,
        }
    }

    async fn try_fetch(
        repositories: &'a Repositories,
        ask: &Ask<'_>,
        found: &Found,
        work_dir: &Path,
    ) -> Result<Self, Error> {
        let launcher = &repositories.launcher;
        let fail = |source: child::Error| ask.error(|repo_url| Error::Fetch { repo_url, source });
        child::create_private_dir(work_dir)
            .map_err(|source| ask.error(|repo_url| Error::Mirror { repo_url, source }))?;
        let url = found.location.url();
        let local = async |arguments: &[&str]| {
            let command = launcher
                .local_git(work_dir)?
                .arg(git_dir(work_dir))
                .args(arguments);
            launcher.run(command).await.and_then(Output::checked)
        };
        if !work_dir.join(GIT_DIR).join("HEAD").exists() {
            local(&["init", "--quiet", "--bare"]).await.map_err(fail)?;
        }
        local(&["config", "remote.origin.url", url])
            .await
            .map_err(fail)?;
        let access = GitAccess {
            url: url.to_owned(),
            login: found.login.clone(),
            insecure_skip_tls_verify: ask.subscription.insecure_skip_tls_verify,
        };
        let pinned = pin(repositories, ask, &found.location).await?;
        ask.cost.git(found.location.host());
        let command = launcher
            .remote_git(work_dir, &access)
            .map_err(fail)?
            .arg(git_dir(work_dir))
            .args(pinned)
            .args([
                "fetch",
                "--quiet",
                "--no-tags",
                "--no-write-fetch-head",
                "--filter=blob:none",
                "origin",
            ])
            .arg(format!("+{}:{HEAD}", found.source));
        launcher
            .run(command)
            .await
            .and_then(Output::checked)
            .map_err(fail)?;
        let head = local(&["rev-parse", "--verify", HEAD])
            .await
            .map_err(fail)?
            .text();
        Ok(Self {
            launcher,
            work_dir: work_dir.to_owned(),
            head,
        })
    }

    /// Reads `count` commits of the branch's own line, after the `skip` newest.
    pub(super) async fn log(
        &self,
        rules: &CommitRules,
        skip: usize,
        count: usize,
    ) -> Result<Vec<Commit>, Fault> {
        let command = self
            .launcher
            .local_git(&self.work_dir)
            .map_err(Fault::Child)?;
        let mut command = command
            .arg(git_dir(&self.work_dir))
            .args([
                "log",
                "-z",
                "--first-parent",
                "--no-show-signature",
                "--no-mailmap",
            ])
            .arg(format!("--max-count={count}"))
            .arg(format!("--skip={skip}"))
            .arg(format!(
                "--format={RECORD}%H{FIELD}%ct{FIELD}%an{FIELD}%ae{FIELD}%cn{FIELD}%ce{FIELD}%s"
            ));
        if rules.needs_paths() {
            command = command.args([
                "--diff-merges=first-parent",
                "--name-only",
                "--no-renames",
                "--no-ext-diff",
            ]);
        }
        if let Some(since) = rules.since() {
            command = command.arg(format!("--since=@{} +0000", since.as_second()));
        }
        let command = command.arg(HEAD).arg("--");
        let output = self
            .launcher
            .run(command)
            .await
            .and_then(Output::checked)
            .map_err(Fault::Child)?;
        read_log(&String::from_utf8_lossy(&output.stdout))
    }
}

const GIT_DIR: &str = "mirror.git";

fn git_dir(work_dir: &Path) -> OsString {
    let mut argument = OsString::from("--git-dir=");
    argument.push(work_dir.join(GIT_DIR));
    argument
}

/// Holds git to the addresses that the egress policy has seen, and to the host that it was given.
async fn pin(
    repositories: &Repositories,
    ask: &Ask<'_>,
    location: &Location,
) -> Result<Vec<String>, Error> {
    let checked = location.check(&repositories.policy).await;
    let pinned =
        checked.map_err(|source| ask.error(|repo_url| Error::Egress { repo_url, source }))?;
    let settings = pinned.map(|it| format!("http.curloptResolve={it}"));
    let settings = settings
        .into_iter()
        .chain(["http.followRedirects=false".to_owned()]);
    Ok(settings
        .flat_map(|setting| ["-c".to_owned(), setting])
        .collect())
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

fn read_log(text: &str) -> Result<Vec<Commit>, Fault> {
    text.split(RECORD)
        .skip(1)
        .map(|record| {
            read_commit(record).ok_or(Fault::Malformed("git log wrote a line that cannot be read"))
        })
        .collect()
}

/// Reads the fields of a commit, and the paths after them.
fn read_commit(record: &str) -> Option<Commit> {
    let mut fields = record.splitn(7, FIELD);
    let mut next = || fields.next();
    let (id, seconds) = (next()?, next()?);
    let author = format!("{} <{}>", next()?, next()?);
    let committer = format!("{} <{}>", next()?, next()?);
    // The paths come after a line end, each ended by a zero byte.
    let (subject, paths) = next()?.split_once('\0')?;
    let changed = paths
        .split('\0')
        .map(|path| path.strip_prefix('\n').unwrap_or(path))
        .filter(|path| !path.is_empty());
    Some(Commit {
        id: id.to_owned(),
        date: Timestamp::from_second(seconds.parse().ok()?).ok()?,
        author,
        committer,
        subject: subject.to_owned(),
        changed: changed.map(str::to_owned).collect(),
    })
}
