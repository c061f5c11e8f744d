//! Kills the process that runs a promotion, at every point that it names, and lets another go on.
//!
//! The process is this test binary, started again to run [`a_process_that_runs_a_promotion`]: it keeps progress in a
//! file and kills itself with `SIGKILL` at the point it is told. Whatever the point, and whether the files are still
//! there or not, the promotion ends well and the repository has each commit once.

mod cluster;

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use engine::{Outcome, Progress, RecordError, Recorder};
use resources::{PromotionPhase, PromotionStatus, StepStatus};
use rustix::process::{Signal, getpid, kill_process};
use serde::{Deserialize, Serialize};
use serde_json::json;
use testkit::servers::{Access, GitServer};
use tokio_util::sync::CancellationToken;

use self::cluster::Cluster;
use crate::fixture::{context, promotion};

/// Names the folder of [`Told`] to the process.
const FOLDER: &str = "ARGOSY_TEST_PROMOTION";

const STEPS: &str = "
- uses: git-clone
  as: clone
  config:
    repoURL: REPO
    checkout: [{branch: main, path: src}, {branch: stage/test, path: out, create: true}]
- {uses: git-clear, as: clear, config: {path: out}}
- {uses: kustomize-set-image, as: image, config: {path: src/env, images: [{image: web, tag: v2}]}}
- {uses: yaml-update, as: values, config: {path: src/values.yaml, updates: [{key: tag, value: v2}]}}
- {uses: kustomize-build, as: build, config: {path: src/env, outPath: out}}
- {uses: copy, as: copy, config: {inPath: src/values.yaml, outPath: out/values.yaml}}
- {uses: delete, as: delete, config: {path: src/old, strict: true}}
- {uses: git-commit, as: commit, config: {path: out, message: Render v2}}
- {uses: git-push, as: push, config: {path: out}}
- {uses: git-commit, as: commit-source, config: {path: src, message: Record v2}}
- uses: git-push
  as: push-source
  if: ${{ status('commit-source') == 'Succeeded' }}
  config: {path: src, targetBranch: main}
- uses: set-metadata
  as: metadata
  config:
    updates:
    - {kind: Stage, name: STAGE, values: {rendered: '${{ outputs.push.commit }}'}}
    - {kind: Stage, name: STAGE, values: {recorded: true}}
- {uses: fail, as: fail, continueOnError: true, config: {message: as told}}
- {uses: compose-output, as: end, config: {commit: '${{ outputs.push.commit }}'}}
";

/// What the process is told.
#[derive(Debug, Serialize, Deserialize)]
struct Told {
    repo: String,
    /// Leads to the API server.
    kubeconfig: PathBuf,
    /// The Stage that is promoted to.
    stage: String,
    /// Where the repository lies, for somebody who pushes meanwhile.
    bare: PathBuf,
    /// Kills itself when it names this many points.
    kill_at: Option<usize>,
    /// Lets somebody else push to `main` after the clone.
    rival: bool,
}

/// Keeps progress in a file, as durable as the real thing.
struct OnDisk(PathBuf);

impl OnDisk {
    fn read(&self) -> Progress {
        let status = fs::read(&self.0).map(|text| serde_json::from_slice(&text).unwrap());
        Progress::of(&status.unwrap_or_default())
    }
}

#[async_trait]
impl Recorder for OnDisk {
    async fn record(&self, progress: &Progress) -> Result<(), RecordError> {
        let mut status = PromotionStatus::default();
        progress.write_to(&mut status);
        let temporary = self.0.with_extension("new");
        let mut file = fs::File::create(&temporary).unwrap();
        file.write_all(&serde_json::to_vec(&status).unwrap())
            .unwrap();
        file.sync_all().unwrap();
        fs::rename(&temporary, &self.0).unwrap();
        Ok(())
    }
}

/// Does nothing but when it is started by the tests below.
#[tokio::test]
async fn a_process_that_runs_a_promotion() {
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else {
        return;
    };
    let told: Told = serde_json::from_slice(&fs::read(folder.join("told.json")).unwrap()).unwrap();
    let client = testkit::client_of(&told.kubeconfig).await.unwrap();
    let mut cx = context(client, &folder.join("work"));
    let count = AtomicUsize::new(0);
    let points = folder.join("points");
    cx.reached = Some(Arc::new(move |point| {
        let mut file = fs::File::options()
            .append(true)
            .create(true)
            .open(&points)
            .unwrap();
        writeln!(file, "{point}").unwrap();
        if told.rival && point == "clone: ended" {
            push_as_rival(&told.bare);
        }
        if Some(count.fetch_add(1, Ordering::Relaxed)) == told.kill_at {
            kill_process(getpid(), Signal::KILL).unwrap();
        }
    }));
    let disk = OnDisk(folder.join("status.json"));
    let mut run = promotion(&steps(&told.repo, &told.stage));
    run.progress = disk.read();
    let outcome = engine::run(run, &cx, &disk, CancellationToken::new()).await;
    let Outcome::Finished(progress) = outcome else {
        panic!("{outcome:?}")
    };
    disk.record(&progress).await.unwrap();
}

fn steps(repo: &str, stage: &str) -> String {
    STEPS.replace("REPO", repo).replace("STAGE", stage)
}

/// Adds an empty commit to `main`, once.
fn push_as_rival(bare: &Path) {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command
            .arg("-c")
            .arg("safe.directory=*")
            .arg("--git-dir")
            .arg(bare)
            .args(arguments);
        for variable in [
            "GIT_AUTHOR_NAME",
            "GIT_AUTHOR_EMAIL",
            "GIT_COMMITTER_NAME",
            "GIT_COMMITTER_EMAIL",
        ] {
            command.env(variable, "rival@example.com");
        }
        String::from_utf8(command.output().unwrap().stdout)
            .unwrap()
            .trim()
            .to_owned()
    };
    if git(&["log", "--format=%s", "main"]).contains("Theirs") {
        return;
    }
    let commit = git(&["commit-tree", "-p", "main", "-m", "Theirs", "main^{tree}"]);
    git(&["update-ref", "refs/heads/main", &commit]);
}

/// What all promotions share.
struct Servers {
    git: GitServer,
    cluster: Cluster,
}

impl Servers {
    fn start() -> Self {
        Self {
            git: GitServer::start(Access::Open).unwrap(),
            cluster: Cluster::start(),
        }
    }
}

/// One promotion: a repository, a Stage and a folder of its own.
struct Fixture<'a> {
    servers: &'a Servers,
    name: String,
    folder: tempfile::TempDir,
    rival: bool,
}

impl<'a> Fixture<'a> {
    fn new(servers: &'a Servers, name: String, rival: bool) -> Self {
        let files = [
            (
                "env/kustomization.yaml",
                "resources: [a.yaml]\nimages:\n- name: web\n  newTag: v1\n",
            ),
            (
                "env/a.yaml",
                "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: web}]}\n",
            ),
            ("values.yaml", "tag: v1\n"),
            ("old/file", "old\n"),
        ];
        servers.git.create(&name, &files).unwrap();
        servers.cluster.create_stage(&name);
        Self {
            servers,
            name,
            folder: tempfile::tempdir().unwrap(),
            rival,
        }
    }

    /// Starts the process; says whether it ended well.
    fn start(&self, kill_at: Option<usize>, time: Option<Duration>) -> bool {
        let told = Told {
            repo: self.servers.git.url(&self.name),
            kubeconfig: self.servers.cluster.kubeconfig(),
            stage: self.name.clone(),
            bare: self.servers.git.path(&self.name),
            kill_at,
            rival: self.rival,
        };
        fs::write(
            self.folder.path().join("told.json"),
            serde_json::to_vec(&told).unwrap(),
        )
        .unwrap();
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::a_process_that_runs_a_promotion",
                "--nocapture",
            ])
            .env(FOLDER, self.folder.path())
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.folder.path().join("stderr")).unwrap())
            .spawn()
            .unwrap();
        if let Some(time) = time {
            #[expect(
                clippy::disallowed_methods,
                reason = "the process is to be killed at some instant"
            )]
            std::thread::sleep(time);
            process.kill().unwrap();
        }
        process.wait().unwrap().success()
    }

    fn lose_files(&self) {
        fs::remove_dir_all(self.folder.path().join("work")).unwrap();
    }

    fn points(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.path().join("points")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Lets the promotion end, and looks at what it did.
    fn finish(&self, what: &str) {
        let ended = self.start(None, None);
        let stderr = fs::read_to_string(self.folder.path().join("stderr")).unwrap();
        assert!(ended, "{what}: {stderr}");
        let progress = OnDisk(self.folder.path().join("status.json")).read();
        assert_eq!(
            progress.phase,
            PromotionPhase::Succeeded,
            "{what}: {}",
            progress.message
        );
        let git = |arguments: &[&str]| self.servers.git.git(&self.name, arguments).unwrap();
        let log = |branch: &str| git(&["log", "--reverse", "--format=%s", branch]);
        assert_eq!(log("stage/test"), "Initial commit\nRender v2\n", "{what}");
        let theirs = if self.rival { "Theirs\n" } else { "" };
        assert_eq!(log("main"), format!("Start\n{theirs}Record v2\n"), "{what}");
        let rendered = git(&["show", "stage/test:pod-a.yaml"]);
        assert!(rendered.contains("image: web:v2"), "{what}: {rendered}");
        let head = git(&["rev-parse", "stage/test"]);
        assert_eq!(progress.state["end"]["commit"], head.trim(), "{what}");
        let kept = self.servers.cluster.metadata_of_stage(&self.name);
        let expected = json!({"rendered": head.trim(), "recorded": true});
        assert_eq!(kept, expected, "{what}");
        let executions = progress.step_execution_metadata.iter();
        let failed: Vec<_> = executions
            .filter(|it| it.status == Some(StepStatus::Failed))
            .map(|it| (it.alias.as_str(), it.message.as_str()))
            .collect();
        assert_eq!(failed, [("fail", "as told")], "{what}");
    }
}

/// Kills at every point, once with the files kept and once with them lost, or only at points of one step.
fn check(prefix: &str, rival: bool) {
    let servers = Servers::start();
    let whole = Fixture::new(&servers, format!("whole{rival}"), rival);
    whole.finish("without a crash");
    let points = whole.points();
    check_boundaries(&points);
    let chosen: Vec<_> = (0..points.len())
        .filter(|index| points[*index].starts_with(prefix))
        .collect();
    assert!(chosen.len() > 3, "{points:?}");
    let next = AtomicUsize::new(0);
    // Four at a time: most of it is waiting for git.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(index) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    for files in ["kept", "lost"] {
                        let what = format!("killed at {:?}, files {files}", points[*index]);
                        let fixture =
                            Fixture::new(&servers, format!("{index}{files}{rival}"), rival);
                        assert!(!fixture.start(Some(*index), None), "{what}");
                        if files == "lost" {
                            fixture.lose_files();
                        }
                        fixture.finish(&what);
                    }
                }
            });
        }
    });
}

/// Makes sure that the process names the beginning and the end of each step, and that there is a step of every kind.
fn check_boundaries(points: &[String]) {
    let run = promotion(&steps("repo", "stage"));
    for step in &run.steps {
        for boundary in ["started", "ended"] {
            let point = format!("{}: {boundary}", step.alias);
            assert!(points.contains(&point), "{point} is not in {points:?}");
        }
    }
    let used: BTreeSet<&str> = run.steps.iter().map(|step| step.uses.as_str()).collect();
    let kinds: BTreeSet<&str> = engine::STEPS.iter().map(|entry| entry.kind).collect();
    assert_eq!(used, kinds);
}

#[test]
fn a_promotion_killed_at_any_point_has_each_effect_once() {
    check("", false);
}

#[test]
fn a_push_that_takes_in_what_others_pushed_has_its_effect_once() {
    check("push-source: ", true);
}

#[test]
fn a_promotion_killed_at_any_instant_has_each_effect_once() {
    let servers = Servers::start();
    for step in 0..10_u64 {
        let fixture = Fixture::new(&servers, format!("instant{step}"), false);
        let time = Duration::from_millis(30 + 67 * step);
        fixture.start(None, Some(time));
        fixture.finish(&format!("killed after {time:?}"));
    }
}
