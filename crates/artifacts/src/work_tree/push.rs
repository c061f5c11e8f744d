//! Pushing, and taking in what others pushed meanwhile.

use super::revision::refuse_odd_name;
use super::{Error, WorkTree};

/// What a push is to change on the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Branch(String),
    /// A tag that exists in the clone.
    Tag(String),
}

impl Target {
    fn name(&self) -> &str {
        match self {
            Self::Branch(name) | Self::Tag(name) => name,
        }
    }

    fn refspec(&self) -> String {
        match self {
            Self::Branch(name) => format!("HEAD:refs/heads/{name}"),
            Self::Tag(name) => format!("refs/tags/{name}:refs/tags/{name}"),
        }
    }
}

/// How commits of others on the target branch are taken in before pushing again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Integration {
    /// Replays our commits on theirs.
    #[default]
    AlwaysRebase,
    /// Replays ours where that keeps signatures honest, else merges theirs.
    RebaseOrMerge,
    /// Replays ours where that keeps signatures honest, else gives up.
    RebaseOrFail,
    /// Merges theirs into ours.
    AlwaysMerge,
    /// Never.
    None,
}

/// What the remote answered to a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It has the commit now, or had it before.
    Taken,
    /// Others pushed meanwhile: take their commits in and push again.
    Behind,
}

impl WorkTree<'_> {
    /// Pushes the commit that is checked out, or a tag, once.
    ///
    /// With `force` the target is replaced, whatever it holds.
    ///
    /// # Errors
    /// [`Error::Refused`] when the remote has a rule against it.
    pub async fn push(&self, target: &Target, force: bool) -> Result<Answer, Error> {
        refuse_odd_name(target.name())?;
        let mut command = self
            .remote_git()?
            .args(["push", "--porcelain", "--no-verify"]);
        if force {
            command = command.arg("--force");
        }
        let output = self
            .run(command.args(["origin".to_owned(), target.refspec()]))
            .await?;
        if output.succeeded() {
            return Ok(Answer::Taken);
        }
        let printed = output.text();
        // One line per reference: flag, tab, from:to, tab, summary (reason).
        let Some(line) = printed.lines().find(|line| line.starts_with("!\t")) else {
            output.checked()?;
            return Ok(Answer::Taken);
        };
        let summary = line.rsplit('\t').next().unwrap_or(line);
        let raced = [
            "fetch first",
            "non-fast-forward",
            "stale info",
            "cannot lock ref",
            "failed to update ref",
            "incorrect old value",
            "failed to lock",
        ];
        if matches!(target, Target::Branch(_))
            && raced.iter().any(|reason| summary.contains(reason))
        {
            return Ok(Answer::Behind);
        }
        let reason = format!("{summary} {}", output.stderr).trim().to_owned();
        Err(Error::Refused {
            reference: target.name().to_owned(),
            reason,
        })
    }

    /// Asks the remote whether `commit` is what the target names, or part of its history.
    pub async fn remote_has(&self, commit: &str, target: &Target) -> Result<bool, Error> {
        refuse_odd_name(target.name())?;
        match target {
            Target::Branch(branch) => match self.repository().fetch_branch(branch).await? {
                Some(tip) => self.is_ancestor(commit, &tip).await,
                None => Ok(false),
            },
            Target::Tag(tag) => {
                let name = format!("refs/tags/{tag}");
                let command = self
                    .remote_git()?
                    .args(["ls-remote", "origin"])
                    .arg(&name)
                    .arg(format!("{name}^{{}}"));
                let output = self.run(command).await?.checked()?;
                Ok(output
                    .text()
                    .lines()
                    .any(|line| line.split('\t').next() == Some(commit)))
            }
        }
    }

    /// Takes in what the remote's branch has beyond the commit that is checked out.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the changes do not go together; the work tree is then as it was before.
    /// [`Error::UnsafeRebase`] when the policy asks for honest signatures and replaying would break them.
    pub async fn integrate(&self, branch: &str, policy: Integration) -> Result<(), Error> {
        self.abandon_integration().await?;
        let Some(theirs) = self.repository().fetch_branch(branch).await? else {
            return Ok(());
        };
        if self.is_ancestor(&theirs, "HEAD").await? {
            return Ok(());
        }
        let rebase = match policy {
            Integration::None => return Ok(()),
            Integration::AlwaysRebase => true,
            Integration::AlwaysMerge => false,
            Integration::RebaseOrMerge => self.can_be_replayed(&theirs).await?,
            Integration::RebaseOrFail => {
                if !self.can_be_replayed(&theirs).await? {
                    return Err(Error::UnsafeRebase {
                        branch: branch.to_owned(),
                    });
                }
                true
            }
        };
        let identity = &self.repository().origin.identity;
        let command = identity
            .apply(self.remote_git()?)
            .args(identity.signing_options());
        let command = if rebase {
            command.args(["rebase", "--quiet", "--no-verify", &theirs])
        } else {
            let message = format!("Merge remote-tracking branch 'origin/{branch}'");
            command.args([
                "merge",
                "--quiet",
                "--no-verify",
                "--no-edit",
                "-m",
                &message,
                &theirs,
            ])
        };
        let output = self.run(command).await?;
        if output.succeeded() {
            return Ok(());
        }
        let unmerged = self
            .run(
                self.local_git()?
                    .args(["diff", "--name-only", "--diff-filter=U"]),
            )
            .await?
            .text();
        self.abandon_integration().await?;
        if unmerged.is_empty() {
            output.checked()?;
        }
        Err(Error::Conflict {
            branch: branch.to_owned(),
            details: unmerged.replace('\n', ", "),
        })
    }

    /// Ends a rebase or merge that an earlier attempt left half done.
    pub async fn abandon_integration(&self) -> Result<(), Error> {
        for (mark, operation) in [
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
            ("MERGE_HEAD", "merge"),
        ] {
            if self.git_dir.join(mark).exists() {
                self.run(self.local_git()?.args([operation, "--abort"]))
                    .await?
                    .checked()?;
            }
        }
        Ok(())
    }

    /// Says whether replaying our commits changes nobody's word: unsigned ones stay unsigned, and signed ones, whose
    /// signatures are good, are signed again.
    async fn can_be_replayed(&self, onto: &str) -> Result<bool, Error> {
        let identity = &self.repository().origin.identity;
        let ours = format!("{onto}..HEAD");
        let command = self.local_git()?.args(["rev-list", "--header", &ours]);
        let commits = self.run(command).await?.checked()?.text();
        let is_signed: Vec<bool> = commits.split_terminator('\0').map(is_signed).collect();
        let Some(signing) = &identity.signing else {
            return Ok(!is_signed.contains(&true));
        };
        // Git says of a signature that it cannot check what it says of none.
        let command =
            self.local_git()?
                .args(identity.signing_options())
                .args(["log", "--format=%G?", &ours]);
        let verdicts = self.run(command).await?.checked()?.text();
        let is_good = verdicts.lines().all(|it| signing.trusts(it));
        Ok(is_good && !is_signed.contains(&false))
    }
}

/// Says whether a commit, as `git rev-list --header` prints it, bears a signature.
fn is_signed(commit: &str) -> bool {
    let headers = commit.lines().take_while(|line| !line.is_empty());
    headers
        .filter_map(|line| line.split(' ').next())
        .any(|name| name == "gpgsig" || name == "gpgsig-sha256")
}
