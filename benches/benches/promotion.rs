//! A promotion (clone, change one value, commit, push) against the same git commands in a shell, over the same HTTP.
//!
//! `cargo build --release -p argosy; cargo bench -p benches --bench promotion`
//!
//! With the binary beside this one, promotions are also measured as `argosy up` runs them: each git behind
//! `argosy child`, which fences it in.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use artifacts::{child::Launcher, egress::Policy};
use async_trait::async_trait;
use benches::{compare, median, milliseconds, skip};
use engine::{Context, Outcome, Progress, RecordError, Recorder, Run};
use jiff::Timestamp;
use resources::{PromotionPhase, PromotionStatus};
use serde_json::json;
use testkit::{
    World,
    servers::{Access, GitServer},
};
use tokio_util::sync::CancellationToken;

const ROUNDS: usize = 15;
/// Files of the repository beside the one that changes.
const FILES: usize = 300;

#[tokio::main]
async fn main() -> Result<()> {
    let server = GitServer::start(Access::Open)?;
    let files: Vec<(String, String)> = (0..FILES)
        .map(|index| {
            (
                format!("apps/{index}/values.yaml"),
                format!("replicas: {index}\n"),
            )
        })
        .collect();
    let mut files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    files.push(("values.yaml", "image:\n  tag: v0\n"));
    let world = World::new().await?;
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let mut launchers = vec![(
        "direct",
        "promotion, git started directly",
        Launcher::direct(),
    )];
    match argosy() {
        Some(binary) => launchers.push((
            "fenced",
            "promotion, git behind argosy child",
            Launcher::through(binary),
        )),
        None => skip(
            "promotion, git behind argosy child",
            "cargo build --release -p argosy comes first",
        ),
    }
    let mut engines = Vec::new();
    for (repository, what, launcher) in launchers {
        server.create(repository, &files)?;
        let mut cx = Context::new(
            world.client(),
            launcher,
            folder.path().join("work"),
            Arc::new(Timestamp::now),
        );
        cx.egress = Arc::new(Policy::new().with_loopback());
        engines.push((repository, what, cx, Vec::new()));
    }
    server.create("shell", &files)?;
    let mut theirs = Vec::new();
    for round in 0..ROUNDS {
        for (repository, _, cx, ours) in &mut engines {
            ours.push(by_engine(&server.url(repository), round, cx, folder.path()).await?);
        }
        theirs.push(by_shell(&server.url("shell"), round, folder.path())?);
    }
    let theirs = milliseconds(median(&mut theirs));
    for (_, what, _, ours) in &mut engines {
        let ours = milliseconds(median(ours));
        compare(what, ours, "ms", "the same git commands in a shell", theirs);
    }
    let repositories = engines.iter().map(|(repository, ..)| *repository);
    for name in repositories.chain(["shell"]) {
        let count = server.git(name, &["rev-list", "--count", "main"])?;
        ensure!(
            count.trim() == (ROUNDS + 1).to_string(),
            "{name} has {} commits",
            count.trim()
        );
    }
    Ok(())
}

/// The binary that was built beside this one.
fn argosy() -> Option<PathBuf> {
    let this = env::current_exe().ok()?;
    let binary = this.parent()?.parent()?.join("argosy");
    binary.exists().then_some(binary)
}

async fn by_engine(url: &str, round: usize, cx: &Context, folder: &Path) -> Result<Duration> {
    let steps = json!([
        {"uses": "git-clone", "as": "clone",
            "config": {"repoURL": url, "checkout": [{"path": "src", "branch": "main"}]}},
        {"uses": "yaml-update", "as": "update", "config":
            {"path": "src/values.yaml", "updates": [{"key": "image.tag", "value": format!("v{}", round + 1)}]}},
        {"uses": "git-commit", "as": "commit",
            "config": {"path": "src", "message": "${{ outputs.update.commitMessage }}"}},
        {"uses": "git-push", "as": "push", "config": {"path": "src"}},
    ]);
    let run = Run {
        project: "bench".to_owned(),
        promotion_uid: format!("round-{round}"),
        steps: serde_json::from_value(steps)?,
        ..Run::default()
    };
    let uid = run.promotion_uid.clone();
    let recorder = OnDisk(folder.join("status.json"));
    let start = Instant::now();
    let outcome = engine::run(run, cx, &recorder, CancellationToken::new()).await;
    let time = start.elapsed();
    match outcome {
        Outcome::Finished(progress) if progress.phase == PromotionPhase::Succeeded => {}
        other => bail!("the promotion did not succeed: {other:?}"),
    }
    engine::remove_work_dir(&cx.work_root, &uid)?;
    Ok(time)
}

/// Stores progress with an fsync, as the embedded API does.
struct OnDisk(PathBuf);

#[async_trait]
impl Recorder for OnDisk {
    async fn record(&self, progress: &Progress) -> Result<(), RecordError> {
        let mut status = PromotionStatus::default();
        progress.write_to(&mut status);
        let write = || {
            fs::write(&self.0, serde_json::to_vec(&status)?)?;
            fs::File::open(&self.0)?.sync_all()
        };
        write().map_err(|error| RecordError::Unavailable(error.to_string()))
    }
}

fn by_shell(url: &str, round: usize, folder: &Path) -> Result<Duration> {
    let script = format!(
        "set -e; git clone -q --branch main {url} src; cd src; sed -i 's/tag: .*/tag: v{}/' values.yaml; \
         git add --all; git commit -q -m 'Updated values.yaml'; git push -q origin HEAD:main",
        round + 1
    );
    let path = folder.join(format!("shell-{round}"));
    fs::create_dir(&path)?;
    let start = Instant::now();
    let status = Command::new("sh")
        .args(["-c", &script])
        .current_dir(&path)
        .envs([
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
        ])
        .envs(["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_NAME"), "Argosy")))
        .envs(
            ["AUTHOR", "COMMITTER"].map(|who| (format!("GIT_{who}_EMAIL"), "no-reply@argosy.dev")),
        )
        .stderr(Stdio::null())
        .status()
        .context("failed to start a shell")?;
    let time = start.elapsed();
    ensure!(status.success(), "the shell's git commands failed");
    fs::remove_dir_all(&path)?;
    Ok(time)
}
