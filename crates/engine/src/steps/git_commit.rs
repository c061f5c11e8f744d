//! `git-commit`: commits all changes of a work tree.

use artifacts::work_tree::{Identity, Staged};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Outcome, Step, StepError};
use crate::context::StepContext;

#[derive(Debug, Deserialize)]
pub(super) struct GitCommit {
    path: String,
    message: String,
    author: Option<Author>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Author {
    name: String,
    email: String,
    signing_key: Option<String>,
}

/// What is kept before the commit is made: a commit on top of this one, with nothing left to commit, is ours.
#[derive(Debug, Serialize, Deserialize)]
struct Checkpoint {
    parent: String,
}

impl Step for GitCommit {
    const KIND: &'static str = "git-commit";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        let tree = cx.work_tree(&self.path).await?;
        let author = match self.author {
            None => None,
            Some(Author {
                name,
                email,
                signing_key,
            }) => {
                let signing = tree.take_signing_key(signing_key.as_deref()).await?;
                Some(Identity {
                    name,
                    email,
                    signing,
                })
            }
        };
        let Staged { head, differs } = tree.stage_all().await?;
        if differs {
            cx.checkpoint(json!(Checkpoint { parent: head })).await?;
            let commit = tree.commit(&self.message, author.as_ref()).await?;
            cx.reached("committed");
            return Ok(Outcome::Done(output(&commit)));
        }
        // Made by an attempt that was killed before it could say so.
        let ours = cx
            .last_checkpoint()
            .and_then(|it| serde_json::from_value::<Checkpoint>(it).ok());
        if let Some(Checkpoint { parent }) = ours
            && tree.parents().await? == [parent]
        {
            return Ok(Outcome::Done(output(&head)));
        }
        // Made, and pushed, before the files were lost.
        if let Some(Value::String(earlier)) = cx.earlier_output().map(|mut it| it["commit"].take())
            && tree.has_ancestor(&earlier).await?
        {
            return Ok(Outcome::Done(output(&earlier)));
        }
        Ok(Outcome::Skipped {
            output: output(&head),
            message: "there is nothing to commit".to_owned(),
        })
    }
}

fn output(commit: &str) -> Map<String, Value> {
    Map::from_iter([("commit".to_owned(), json!(commit))])
}
