//! Promotions that are killed on their way, and what each must leave in the end.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::servers::{Access, Argosy, GitServer, PASSWORD, USER, wait};

use super::deployment::{FILES, VALUES, WRITES, files, steps};
use super::kill::Kill;
use super::usual::Usual;
use super::watch::{Due, Watch};
use super::{STEPS, children, pause};
use crate::binary;
use crate::pipeline::{Pipeline, STAGE};

/// How long one promotion may take, with all its restarts.
const PATIENCE: Duration = Duration::from_mins(2);
/// The folder of the scripts; the name matters, for the fence opens what a folder called `bin` lies in.
const PROGRAMS: &str = "programs/bin";
const REPOSITORY: &str = "acme/deploy";

/// A running `argosy up` with one Stage, and its Git host.
pub(crate) struct Promotions {
    git: GitServer,
    folder: tempfile::TempDir,
    watch: Arc<Watch>,
    argosy: Argosy,
    pipeline: Pipeline,
    done: Vec<String>,
}

impl Promotions {
    pub(crate) fn start() -> Self {
        let git = GitServer::start(Access::Password).unwrap();
        let files = files();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(name, text)| (name.as_str(), text.as_str()))
            .collect();
        git.create(REPOSITORY, &files).unwrap();
        // There from the start, so that every promotion has the same children.
        git.git(REPOSITORY, &["branch", "stage/test", "main"])
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let watch = Arc::new(Watch::new(&folder.path().join("argosy.log")));
        children::stand_before(&folder.path().join(PROGRAMS), &watch);
        let argosy = start(folder.path());
        let url = git.url(REPOSITORY);
        let login = json!({"repoURL": url, "username": USER, "password": PASSWORD});
        Self {
            pipeline: Pipeline::create(argosy.kubectl(), &login, &steps(&url)),
            git,
            folder,
            watch,
            argosy,
            done: Vec::new(),
        }
    }

    /// Promotes without a kill and learns how long everything takes.
    pub(crate) fn measure(&mut self) -> Usual {
        self.promote(&[]);
        self.watch.usual()
    }

    /// Promotes once, killed at each of these places and started again; gives the kills that came too late.
    pub(crate) fn promote(&mut self, kills: &[Kill]) -> Vec<Kill> {
        self.watch.begin(kills);
        let promotion = self.pipeline.promote();
        let began = Instant::now();
        loop {
            assert!(began.elapsed() < PATIENCE, "{kills:?}: {}", self.state());
            match self.watch.due() {
                Due::End => break,
                Due::Kill => {
                    self.argosy.process().kill().unwrap();
                    self.watch.killed();
                    self.argosy = start(self.folder.path());
                }
                Due::Nothing => pause(Duration::from_micros(500)),
            }
        }
        self.check(&promotion, &format!("{kills:?}"));
        self.done.push(promotion);
        self.watch.missed()
    }

    /// Looks at everything that a promotion leaves.
    fn check(&self, promotion: &str, what: &str) {
        let status = self.pipeline.status("promotion", promotion);
        assert_eq!(status["phase"], "Succeeded", "{what}: {}", self.state());
        self.check_repository(promotion, what);
        let head = self.git(&["rev-parse", "stage/test"]);
        for (step, execution) in STEPS
            .iter()
            .zip(status["stepExecutionMetadata"].as_array().unwrap())
        {
            let expected = if *step == "fail" {
                "Failed"
            } else {
                "Succeeded"
            };
            assert_eq!(execution["status"], expected, "{what}: {step}: {execution}");
        }
        for step in ["git-commit", "git-push", "compose-output"] {
            assert_eq!(status["state"][step]["commit"], head, "{what}: {step}");
        }
        for (kind, name) in [("stage", STAGE), ("freight", &self.pipeline.freight)] {
            let metadata = &self.pipeline.status(kind, name)["metadata"];
            let values: Vec<&Value> = metadata.as_object().unwrap().values().collect();
            assert_eq!(values, vec![&Value::from(head.clone()); WRITES], "{what}");
        }
        let events = self.pipeline.json(&["get", "events"]);
        let told = events["items"].as_array().unwrap().iter().filter(|event| {
            event["reason"] == "PromotionSucceeded" && event["involvedObject"]["name"] == promotion
        });
        assert_eq!(told.count(), 1, "{what}: {events}");
        let work = self.folder.path().join("data/promotions");
        wait("an empty folder of work directories", PATIENCE, || {
            Ok(fs::read_dir(&work)?.next().is_none().then_some(()))
        })
        .unwrap();
        assert_eq!(processes_at_home_in(&work), 0, "{what}");
    }

    fn check_repository(&self, promotion: &str, what: &str) {
        let log = self.git(&["log", "--reverse", "--format=%s", "stage/test"]);
        let mut expected = vec!["Start".to_owned()];
        let all = self.done.iter().map(String::as_str).chain([promotion]);
        expected.extend(all.map(|name| format!("Deploy {name}")));
        assert_eq!(log.lines().collect::<Vec<_>>(), expected, "{what}");
        let made = self.git(&["log", "--format=%s", &format!("made/{promotion}")]);
        assert_eq!(made, "Initial commit", "{what}");
        assert_eq!(self.git(&["log", "--format=%s", "main"]), "Start", "{what}");
        let tree = self.git(&["ls-tree", "-r", "--name-only", "stage/test"]);
        let mut files: Vec<String> = (0..FILES).map(|it| format!("keep/{it}.txt")).collect();
        files.extend(["rendered.yaml".to_owned(), "values.yaml".to_owned()]);
        files.sort();
        assert_eq!(tree.lines().collect::<Vec<_>>(), files, "{what}");
        let rendered = self.git(&["show", "stage/test:rendered.yaml"]);
        assert!(
            rendered.contains(&format!("image: web-0:{promotion}")),
            "{what}: {rendered}"
        );
        let values = self.git(&["show", "stage/test:values.yaml"]);
        assert_eq!(
            values.matches(promotion).count(),
            VALUES,
            "{what}: {values}"
        );
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.git
            .git(REPOSITORY, arguments)
            .unwrap()
            .trim()
            .to_owned()
    }

    /// What the Promotions and the log say.
    fn state(&self) -> String {
        let objects = self.pipeline.json(&["get", "promotions"]);
        let log = fs::read_to_string(self.folder.path().join("argosy.log")).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(40).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        format!("{objects:#}\n{}", end.join("\n"))
    }
}

/// Starts `argosy up`, which finds the scripts before git and kustomize.
fn start(folder: &Path) -> Argosy {
    let programs = folder.join(PROGRAMS);
    Argosy::start_with(binary(), folder, &["--log-format", "json"], Some(&programs)).unwrap()
}

/// Counts the processes that have their home inside of a folder: children of a promotion that nobody ended.
pub(crate) fn processes_at_home_in(folder: &Path) -> usize {
    let home = format!("HOME={}", folder.display());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes
        .filter(|it| {
            let environment = fs::read(it.path().join("environ")).unwrap_or_default();
            environment
                .split(|byte| *byte == 0)
                .any(|variable| variable.starts_with(home.as_bytes()))
        })
        .count()
}
