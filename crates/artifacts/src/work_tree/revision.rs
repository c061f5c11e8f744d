//! Finds the commit that a branch, a tag or an id names, in a clone or on its remote.

use std::fs;

use super::{Error, Repository};

/// What git says of a remote that has no such commit, or does not give away one that no branch or tag leads to.
///
/// Source: upload-pack.c, fetch-pack.c and remote.c of git.
const REFUSALS: [&str; 3] = [
    "not our ref",
    "does not allow request for unadvertised object",
    "couldn't find remote ref",
];

/// Which revision a work tree starts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision<'a> {
    /// The branch that the remote's HEAD names.
    Default,
    Branch(&'a str),
    /// A branch that is made, empty, when the remote does not have it.
    BranchOrNew(&'a str),
    Tag(&'a str),
    Commit(&'a str),
}

impl Repository {
    /// The commit that a branch of the remote had when it was cloned or last fetched.
    pub async fn branch(&self, branch: &str) -> Result<Option<String>, Error> {
        self.resolve(&format!("refs/remotes/origin/{branch}")).await
    }

    /// Finds what is to be checked out: a local branch, where the revision is one, and the commit.
    pub(super) async fn find_revision(
        &self,
        revision: Revision<'_>,
    ) -> Result<(Option<String>, String), Error> {
        let branch = match revision {
            Revision::Default => self.default_branch()?,
            Revision::Branch(branch) => branch.to_owned(),
            Revision::BranchOrNew(branch) => {
                refuse_odd_name(branch)?;
                if self.branch(branch).await?.is_none() {
                    self.create_branch(branch).await?;
                }
                branch.to_owned()
            }
            Revision::Tag(tag) => {
                return Ok((None, self.find_tag(tag).await?));
            }
            Revision::Commit(id) => return Ok((None, self.find_commit(id).await?)),
        };
        let commit = self.local_branch(&branch).await?;
        Ok((Some(branch), commit))
    }

    /// Gives the commit of a tag that is here.
    pub(super) async fn find_tag(&self, tag: &str) -> Result<String, Error> {
        refuse_odd_name(tag)?;
        let commit = self.resolve(&format!("refs/tags/{tag}^{{commit}}")).await?;
        commit.ok_or_else(|| self.missing(format!("tag {tag:?}")))
    }

    /// Points the local branch, unless there is one, at what the remote has, so that a work tree can be on it; gives its
    /// commit.
    async fn local_branch(&self, branch: &str) -> Result<String, Error> {
        refuse_odd_name(branch)?;
        let [local, remote] = ["heads", "remotes/origin"].map(|it| format!("refs/{it}/{branch}"));
        let command = self.local_git()?.args([
            "for-each-ref",
            "--format=%(refname) %(objectname)",
            &local,
            &remote,
        ]);
        let found = self.run(command).await?.checked()?.text();
        let commit_of = |name: &str| {
            let mut lines = found.lines().filter_map(|line| line.split_once(' '));
            lines
                .find(|(it, _)| *it == name)
                .map(|(_, it)| it.to_owned())
        };
        let Some(commit) = commit_of(&remote) else {
            return Err(self.missing(format!("branch {branch:?}")));
        };
        if let Some(commit) = commit_of(&local) {
            return Ok(commit);
        }
        self.run(self.local_git()?.args(["update-ref", &local, &commit]))
            .await?
            .checked()?;
        Ok(commit)
    }

    /// Makes a branch of one empty commit on the remote; one that somebody else made meanwhile is taken as it is.
    async fn create_branch(&self, branch: &str) -> Result<(), Error> {
        let tree = self
            .run(self.local_git()?.arg("mktree").input(""))
            .await?
            .checked()?
            .text();
        let command = self
            .local_git()?
            .args(["commit-tree", "-m", "Initial commit"])
            .arg(tree);
        let commit = self
            .run(self.origin.identity.apply(command))
            .await?
            .checked()?
            .text();
        let refspec = format!("{commit}:refs/heads/{branch}");
        let pushed = self
            .run(
                self.remote_git()?
                    .args(["push", "--quiet", "origin"])
                    .arg(refspec),
            )
            .await?;
        if self.fetch_branch(branch).await?.is_none() {
            pushed.checked()?;
        }
        Ok(())
    }

    /// Finds a commit by its id, asking the remote for one that no branch or tag leads to.
    async fn find_commit(&self, id: &str) -> Result<String, Error> {
        refuse_odd_name(id)?;
        let name = format!("{id}^{{commit}}");
        if let Some(commit) = self.resolve(&name).await? {
            return Ok(commit);
        }
        let fetched = self
            .run(
                self.remote_git()?
                    .args(["fetch", "--quiet", "origin"])
                    .arg(id),
            )
            .await?;
        if !fetched.succeeded() && !REFUSALS.iter().any(|it| fetched.stderr.contains(it)) {
            fetched.checked()?;
        }
        self.resolve(&name)
            .await?
            .ok_or_else(|| self.missing(format!("commit {id:?}")))
    }

    /// Fetches one branch; none when the remote does not have it.
    pub async fn fetch_branch(&self, branch: &str) -> Result<Option<String>, Error> {
        let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
        let fetched = self
            .run(
                self.remote_git()?
                    .args(["fetch", "--quiet", "--no-tags", "origin"])
                    .arg(refspec),
            )
            .await?;
        if !fetched.succeeded() && fetched.stderr.contains("couldn't find remote ref") {
            return Ok(None);
        }
        fetched.checked()?;
        self.branch(branch).await
    }

    fn default_branch(&self) -> Result<String, Error> {
        let head = self.folder.join("HEAD");
        let text =
            fs::read_to_string(&head).map_err(|source| Error::Record { path: head, source })?;
        let branch = text.trim().strip_prefix("ref: refs/heads/");
        branch
            .map(str::to_owned)
            .ok_or_else(|| self.missing("default branch".to_owned()))
    }

    async fn resolve(&self, name: &str) -> Result<Option<String>, Error> {
        let command =
            self.local_git()?
                .args(["rev-parse", "--quiet", "--verify", "--end-of-options", name]);
        let output = self.run(command).await?;
        Ok(output.succeeded().then(|| output.text()))
    }
}

/// Refuses a name that git could take for an option, a range or a path.
pub(super) fn refuse_odd_name(name: &str) -> Result<(), Error> {
    let odd = name.is_empty()
        || name.starts_with(['-', '/'])
        || name.ends_with(['/', '.'])
        || name.contains("..")
        || name.contains("@{")
        || name.contains("//")
        || name.contains(|it: char| it.is_control() || " ~^:?*[\\".contains(it));
    if odd {
        Err(Error::OddName {
            name: name.to_owned(),
        })
    } else {
        Ok(())
    }
}
