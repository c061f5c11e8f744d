//! `git-push`: pushes the commits of a work tree, taking in what others pushed meanwhile.

use std::time::Duration;

use artifacts::work_tree::{Answer, Integration, Target, WorkTree};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Outcome, Step, StepError};
use crate::{
    context::StepContext,
    steps::commit_url::{self, Provider},
};

/// The first wait after losing a race; each next one is half as long again.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const MAX_ATTEMPTS: u32 = 10;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GitPush {
    path: String,
    #[serde(default)]
    target_branch: String,
    #[serde(default)]
    generate_target_branch: bool,
    #[serde(default)]
    tag: String,
    #[serde(default)]
    force: bool,
    max_attempts: Option<u32>,
    provider: Option<Provider>,
}

/// What is kept before each push: where to, and every commit that was tried. Replaying gives a commit a new id.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Checkpoint {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    branch: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    tag: String,
    commits: Vec<String>,
}

impl Step for GitPush {
    const KIND: &'static str = "git-push";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        let tree = cx.work_tree(&self.path).await?;
        tree.abandon_integration().await?;
        let target = self.target(cx, &tree).await?;
        let url = tree.url().to_owned();
        let lock = cx.outside().push_locks.of(&url, name(&target));
        let _only_us = lock.lock().await;
        let mut checkpoint = read_checkpoint(cx, &target);
        // Pushed by an attempt that was killed before it could say so, or before the files were lost. The latest
        // commit is asked for first: earlier ones lost their race.
        for commit in checkpoint.commits.iter().rev() {
            if tree.remote_has(commit, &target).await? {
                return Ok(Outcome::Done(self.output(commit, &target, &url)));
            }
        }
        let attempts = self.max_attempts.unwrap_or(MAX_ATTEMPTS);
        let mut wait = FIRST_WAIT;
        for attempt in 1.. {
            let commit = match &target {
                Target::Branch(_) => tree.head().await?,
                Target::Tag(tag) => tree.tagged(tag).await?,
            };
            if !checkpoint.commits.contains(&commit) {
                checkpoint.commits.push(commit.clone());
                cx.checkpoint(json!(checkpoint)).await?;
            }
            cx.reached("pushing");
            match tree
                .push(&target, self.force || self.generate_target_branch)
                .await?
            {
                Answer::Taken => {
                    cx.reached("pushed");
                    return Ok(Outcome::Done(self.output(&commit, &target, &url)));
                }
                Answer::Behind if attempt >= attempts => break,
                Answer::Behind => {}
            }
            tokio::time::sleep(wait.mul_f64(spread(&commit))).await;
            wait = wait.mul_f64(1.5).min(LONGEST_WAIT);
            tree.integrate(name(&target), self.integration(cx)).await?;
            cx.reached("integrated");
        }
        Err(StepError::Errored(format!(
            "others pushed to branch {:?} each of the {attempts} times this promotion tried",
            name(&target)
        ))
        .with_next("promote again, or raise maxAttempts"))
    }
}

impl GitPush {
    async fn target(&self, cx: &StepContext<'_>, tree: &WorkTree<'_>) -> Result<Target, StepError> {
        if !self.tag.is_empty() {
            return Ok(Target::Tag(self.tag.clone()));
        }
        if self.generate_target_branch {
            return Ok(Target::Branch(format!(
                "kargo/promotion/{}",
                cx.run.promotion
            )));
        }
        if !self.target_branch.is_empty() {
            return Ok(Target::Branch(self.target_branch.clone()));
        }
        let current = tree.current_branch().await?;
        let none = || {
            StepError::Failed(
                "no branch is checked out; say targetBranch or generateTargetBranch".to_owned(),
            )
        };
        Ok(Target::Branch(current.ok_or_else(none)?))
    }

    fn integration(&self, cx: &StepContext<'_>) -> Integration {
        if self.force || self.generate_target_branch || !self.tag.is_empty() {
            return Integration::None;
        }
        cx.outside().settings.push_integration
    }

    fn output(&self, commit: &str, target: &Target, url: &str) -> Map<String, Value> {
        let mut output = Map::from_iter([("commit".to_owned(), json!(commit))]);
        if let Target::Branch(branch) = target {
            output.insert("branch".to_owned(), json!(branch));
        }
        if let Some(url) = commit_url::find(self.provider, url, commit) {
            output.insert("commitURL".to_owned(), json!(url));
        }
        output
    }
}

fn name(target: &Target) -> &str {
    match target {
        Target::Branch(name) | Target::Tag(name) => name,
    }
}

/// What an earlier attempt kept, where it pushed to the same target.
fn read_checkpoint(cx: &StepContext<'_>, target: &Target) -> Checkpoint {
    let (branch, tag) = match target {
        Target::Branch(branch) => (branch.clone(), String::new()),
        Target::Tag(tag) => (String::new(), tag.clone()),
    };
    let kept = cx
        .last_checkpoint()
        .and_then(|it| serde_json::from_value::<Checkpoint>(it).ok());
    kept.filter(|it| it.branch == branch && it.tag == tag)
        .unwrap_or(Checkpoint {
            branch,
            tag,
            commits: Vec::new(),
        })
}

/// Spreads waits by half around their length, differently for each commit, so that rivals do not meet again.
fn spread(commit: &str) -> f64 {
    let seed = commit.bytes().fold(0_u32, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u32::from(byte))
    });
    0.5 + f64::from(seed % 1000) / 1000.0
}
