//! `git-clone`: clones a repository and checks out any number of its revisions side by side.

mod submodules;

use std::collections::BTreeSet;

use artifacts::{
    child::GitAccess,
    work_tree::{self, Blobs, Identity, Origin, Repository, Revision},
};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Outcome, Step, StepError};
use crate::{
    context::{Reach, StepContext},
    work_dir::{FilePath, SEE_THE_DISK},
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GitClone {
    #[serde(rename = "repoURL")]
    repo_url: String,
    checkout: Vec<Checkout>,
    author: Option<Author>,
    #[serde(rename = "insecureSkipTLSVerify", default)]
    insecure_skip_tls_verify: bool,
    #[serde(default)]
    recurse_submodules: bool,
    #[serde(default)]
    blobless: bool,
}

#[derive(Debug, Deserialize)]
struct Checkout {
    path: String,
    #[serde(rename = "as", default)]
    alias: String,
    #[serde(default)]
    branch: String,
    #[serde(default)]
    commit: String,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    create: bool,
    #[serde(default)]
    sparse: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Author {
    name: String,
    email: String,
    signing_key: Option<String>,
}

impl Checkout {
    fn name(&self) -> &str {
        if self.alias.is_empty() {
            &self.path
        } else {
            &self.alias
        }
    }

    fn revision(&self) -> Revision<'_> {
        match (
            self.branch.as_str(),
            self.commit.as_str(),
            self.tag.as_str(),
        ) {
            ("", "", "") => Revision::Default,
            ("", "", tag) => Revision::Tag(tag),
            ("", commit, _) => Revision::Commit(commit),
            (branch, ..) if self.create => Revision::BranchOrNew(branch),
            (branch, ..) => Revision::Branch(branch),
        }
    }
}

impl Step for GitClone {
    const KIND: &'static str = "git-clone";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        let mut names = BTreeSet::new();
        if let Some(twice) = self.checkout.iter().find(|it| !names.insert(it.name())) {
            return Err(
                StepError::Failed(format!("two checkouts are called {:?}", twice.name()))
                    .with_next("give one of them another path or as"),
            );
        }
        let repository = self.clone_repository(cx).await?;
        cx.reached("cloned");
        let mut commits = Map::new();
        for checkout in &self.checkout {
            let path = FilePath::parse_for_writing(&checkout.path)?;
            let path = cx.work_dir.absolute(&path)?;
            work_tree::remove_unfinished(cx.work_dir.root(), &folder(cx), &path).map_err(
                |error| {
                    StepError::errored("failed to remove an unfinished checkout", &error)
                        .with_next(SEE_THE_DISK)
                },
            )?;
            let (tree, commit) = repository
                .check_out(&path, checkout.revision(), &checkout.sparse)
                .await?;
            if self.recurse_submodules {
                submodules::fetch_all(cx, &tree, self.insecure_skip_tls_verify).await?;
                cx.reached("submodules fetched");
            }
            commits.insert(checkout.name().to_owned(), json!(commit));
            cx.reached("checked out");
        }
        Ok(Outcome::Done(Map::from_iter([(
            "commits".to_owned(),
            Value::Object(commits),
        )])))
    }
}

impl GitClone {
    async fn clone_repository(&self, cx: &StepContext<'_>) -> Result<Repository, StepError> {
        let root = cx.work_dir.root();
        let identity = match &self.author {
            None => cx.outside().settings.git_identity.clone(),
            Some(Author {
                name,
                email,
                signing_key,
            }) => {
                let key = signing_key.as_deref();
                let launcher = &cx.outside().launcher;
                let signing = work_tree::take_signing_key(launcher, root, key).await?;
                Identity {
                    name: name.clone(),
                    email: email.clone(),
                    signing,
                }
            }
        };
        let url = &self.repo_url;
        let origin = Origin {
            url: url.clone(),
            moved_to: None,
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
            identity,
        };
        let blobs = if self.blobless {
            Blobs::WhenNeeded
        } else {
            Blobs::All
        };
        let clone = async |Reach { launcher, login }, origin| {
            Repository::clone(&launcher, root, &folder(cx), origin, login, blobs).await
        };
        let reach = cx.reach(url, url).await?;
        let access = GitAccess {
            url: url.clone(),
            login: reach.login.clone(),
            insecure_skip_tls_verify: self.insecure_skip_tls_verify,
        };
        match clone(reach, origin.clone()).await {
            Err(error) if error.is_redirect() => {
                let place = cx.follow(&access).await?;
                let reach = cx.reach(url, &place).await?;
                let moved_to = Some(place);
                Ok(clone(reach, Origin { moved_to, ..origin }).await?)
            }
            cloned => Ok(cloned?),
        }
    }
}

/// The name of the bare clone: each step has its own, so an attempt after a crash finds what the last one left.
fn folder(cx: &StepContext<'_>) -> String {
    cx.index.to_string()
}
