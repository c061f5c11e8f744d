//! Promotions that start git, while somebody looks at the arguments and the environment of every program they start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context as _, Result, anyhow, ensure};
use resources::PromotionPhase;
use scenarios::{PROJECT, direct};
use serde_json::{Value, json};
use testkit::servers::{Access, GitServer, PASSWORD, USER};

use super::watch::check;
use crate::port::Port;

const STAGE: &str = "test";
/// A variable of each git that Argosy starts, and the one that carries a login to it.
const OURS: &str = "GIT_CONFIG_NOSYSTEM=1";
const LOGIN: &str = "ARGOSY_GIT_PASSWORD=";
/// How many promotions there are at most until a git with a login was seen: each has two.
const ATTEMPTS: usize = 10;

/// Promotes until programs with and without a login were seen at work.
pub(crate) async fn are_started(port: &Port) -> Result<()> {
    let server = GitServer::start(Access::Password)?;
    server.create("acme/config", &[("values.yaml", "tag: none\n")])?;
    let url = server.url("acme/config");
    let login = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "git", "namespace": PROJECT, "labels": {"kargo.akuity.io/cred-type": "git"}},
        "stringData": {"repoURL": url, "username": USER, "password": PASSWORD},
    });
    port.harbour.world.apply(&login.to_string()).await?;
    port.harbour.stage(STAGE, direct(), steps(&url)).await?;
    let look = Look::begin();
    for attempt in 0..ATTEMPTS {
        let freight = port.harbour.freight(&format!("1.0.{attempt}")).await?;
        let promotion = port.harbour.promote(STAGE, &freight).await?;
        let phase = PromotionPhase::Succeeded;
        port.harbour.phase(&promotion, phase).await?;
        if look.has_seen_logins.load(Ordering::Relaxed) {
            break;
        }
    }
    look.end()
}

/// Clones, commits and pushes.
fn steps(url: &str) -> Value {
    let checkout = json!([{"branch": "main", "path": "./src"}]);
    let update = json!([{"key": "tag", "value": "${{ ctx.promotion }}"}]);
    json!([
        {"uses": "git-clone", "config": {"repoURL": url, "checkout": checkout}},
        {"uses": "yaml-update", "config": {"path": "./src/values.yaml", "updates": update}},
        {"uses": "git-commit", "config": {"path": "./src", "message": "Deploy"}},
        {"uses": "git-push", "config": {"path": "./src"}},
    ])
}

/// Looks at all programs that this one has started, again and again.
struct Look {
    is_over: Arc<AtomicBool>,
    has_seen_logins: Arc<AtomicBool>,
    looking: JoinHandle<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The arguments of the programs that Argosy started.
    ours: BTreeSet<String>,
    shown: Vec<String>,
}

impl Look {
    fn begin() -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let has_seen_logins = Arc::new(AtomicBool::new(false));
        let (over, logins) = (Arc::clone(&is_over), Arc::clone(&has_seen_logins));
        let looking = std::thread::spawn(move || {
            let mut seen = Seen::default();
            while !over.load(Ordering::Relaxed) {
                seen.look_once(&logins);
                std::thread::yield_now();
            }
            seen
        });
        Self {
            is_over,
            has_seen_logins,
            looking,
        }
    }

    /// Says what was shown, if anything was seen at all.
    fn end(self) -> Result<()> {
        self.is_over.store(true, Ordering::Relaxed);
        let seen = self.looking.join().map_err(|_| anyhow!("looking failed"))?;
        ensure!(seen.shown.is_empty(), "programs show: {:#?}", seen.shown);
        ensure!(
            seen.ours.iter().any(|it| it.starts_with("git")),
            "no git was seen at work: {:?}",
            seen.ours
        );
        let logins = self.has_seen_logins.load(Ordering::Relaxed);
        ensure!(logins, "no git was seen that had a login: {:?}", seen.ours);
        Ok(())
    }
}

impl Seen {
    fn look_once(&mut self, has_seen_logins: &AtomicBool) {
        for process in descendants(std::process::id(), &parents()) {
            let (arguments, environment) =
                (arguments_of(process), read(&file_of(process, "environ")));
            let is_ours = environment.contains(OURS);
            let is_shown = check("arguments", &arguments).is_err()
                || is_ours && check("the environment", &environment).is_err()
                // The password of a repository is for the environment of git, and for no arguments.
                || is_ours && arguments.contains(PASSWORD);
            if is_shown {
                self.shown.push(format!("{arguments} | {environment}"));
            }
            if is_ours {
                self.ours.insert(arguments);
                if environment.contains(LOGIN) {
                    has_seen_logins.store(true, Ordering::Relaxed);
                }
            }
        }
    }
}

/// Lists this program and all that it has started and that still run.
pub(crate) fn family() -> BTreeSet<u32> {
    let own = std::process::id();
    let mut family = descendants(own, &parents());
    family.insert(own);
    family
}

/// Reads the arguments that a program was started with.
pub(crate) fn arguments_of(process: u32) -> String {
    read(&file_of(process, "cmdline"))
}

fn file_of(process: u32, name: &str) -> PathBuf {
    Path::new("/proc").join(process.to_string()).join(name)
}

/// Reads which program of this machine was started by which.
fn parents() -> BTreeMap<u32, u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parent = |folder: &Path| {
        let status = read(&folder.join("status"));
        let line = status.lines().find_map(|it| it.strip_prefix("PPid:"))?;
        line.trim().parse().ok()
    };
    processes
        .filter_map(|it| Some((it.file_name().to_str()?.parse().ok()?, parent(&it.path())?)))
        .collect()
}

/// Lists who was started by a program, or by one that it started: others on this machine are not judged.
fn descendants(of: u32, parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let descends = |process: &u32| {
        let line = std::iter::successors(Some(*process), |it| parents.get(it).copied());
        // Numbers are used again, so what was read over some time may hold a circle.
        line.skip(1).take(parents.len()).any(|it| it == of)
    };
    parents.keys().copied().filter(descends).collect()
}

/// Reads what a program was started with, as far as it may be looked at and is still there.
fn read(path: &Path) -> String {
    let bytes = fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

#[test]
fn other_programs_of_the_machine_are_not_judged() {
    let pairs = [
        (2, 1),
        (10, 1),
        (11, 10),
        (12, 11),
        (20, 2),
        (30, 31),
        (31, 30),
    ];
    assert_eq!(descendants(10, &pairs.into()), BTreeSet::from([11, 12]));
    assert!(parents().contains_key(&std::process::id()));
}

#[test]
fn a_token_that_another_program_of_the_machine_was_given_is_none_of_ours() -> Result<()> {
    super::watch::look_for_all_kinds();
    // It is given the token, and becomes a program that has it as an argument, once whoever started it is gone.
    let becomes = r#"read token <&3; exec sh -c "read line <&3; :" "$token""#;
    let starts = format!("exec 3<&0; sh -c '{becomes}' >/dev/null 2>&1 & echo $!");
    let mut starter = Command::new("sh")
        .args(["-c", &starts])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // It ends when nobody can write to it any more.
    let mut input = starter.stdin.take().context("its input")?;
    let output = starter.wait_with_output()?;
    let other: u32 = String::from_utf8(output.stdout)?.trim().parse()?;
    writeln!(input, "eyJhbGciOiJub25lIn0")?;
    while check("arguments", &arguments_of(other)).is_ok() {
        ensure!(file_of(other, "cmdline").exists(), "it has ended");
        std::thread::yield_now();
    }
    super::arguments()
}
