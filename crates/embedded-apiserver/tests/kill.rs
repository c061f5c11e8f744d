//! A writer process killed hundreds of times: what it had been told is stored is there when its data is opened again.
//!
//! This program plays both parts: `kill write DIRECTORY` is the writer, anything else kills it.
#![expect(
    clippy::print_stdout,
    reason = "the writer reports what was answered on its standard output"
)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use embedded_apiserver::{EmbeddedApi, History, Options};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// How often the writer is killed, and how long that may take altogether on a busy machine.
const KILLS: u32 = 300;
const LEAST_KILLS: u32 = 200;
const AT_MOST: Duration = Duration::from_secs(40);

const TASKS: u64 = 8;
const NAMES: u64 = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime starts");
    match arguments.as_slice() {
        [part, directory] if part == "write" => runtime.block_on(write(Path::new(directory))),
        [flag, ..] if flag == "--list" => {}
        // A filter given to all tests of the package that does not mean this one.
        [filter, ..]
            if !filter.starts_with('-')
                && !"killed_writers_lose_nothing".contains(filter.as_str()) => {}
        _ => runtime.block_on(kill()),
    }
}

fn options() -> Options {
    Options {
        history: History {
            changes: 300,
            bytes: 4 << 20,
        },
        ..Options::default()
    }
}

/// What is written in a round: recognisable, and long enough to be torn.
fn text(name: &str, round: u64) -> String {
    let times = usize::try_from(round * 37 % 300 + 1).expect("it is small");
    format!("{name}.{round};").repeat(times)
}

fn config_map(name: &str, round: u64) -> ConfigMap {
    let data = BTreeMap::from([
        ("round".to_owned(), round.to_string()),
        ("text".to_owned(), text(name, round)),
    ]);
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    };
    ConfigMap {
        metadata,
        data: Some(data),
        ..ConfigMap::default()
    }
}

fn round(config_map: &ConfigMap) -> u64 {
    let round = config_map
        .data
        .as_ref()
        .and_then(|it| it.get("round"))
        .and_then(|it| it.parse().ok());
    round.expect("every object has its round")
}

/// Writes as fast as it can until it is killed, and says after each answer what is stored now.
async fn write(directory: &Path) {
    let server = EmbeddedApi::open(directory, options())
        .await
        .expect("the data opens");
    let tasks = (0..TASKS).map(|task| {
        let api: Api<ConfigMap> = Api::default_namespaced(server.client());
        tokio::spawn(async move {
            for step in 0.. {
                write_one(&api, &format!("it-{task}-{}", step % NAMES)).await;
            }
        })
    });
    futures::future::join_all(tasks).await;
}

async fn write_one(api: &Api<ConfigMap>, name: &str) {
    let found = api.get_opt(name).await.expect("reads work");
    let round = found.as_ref().map_or(0, |it| round(it) + 1);
    if found.is_some() {
        let patch = Patch::Merge(config_map(name, round));
        api.patch(name, &PatchParams::default(), &patch)
            .await
            .expect("patches work");
    } else {
        api.create(&PostParams::default(), &config_map(name, round))
            .await
            .expect("creates work");
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{name} {round}")
        .and_then(|()| out.flush())
        .expect("someone listens");
}

async fn kill() {
    let directory = tempfile::tempdir().expect("there is a place for files");
    let mut answered: BTreeMap<String, u64> = BTreeMap::new();
    let mut random = StdRng::seed_from_u64(7);
    let started = Instant::now();
    let mut kills = 0;
    while kills < KILLS && (kills < LEAST_KILLS || started.elapsed() < AT_MOST) {
        write_and_kill(
            directory.path(),
            Duration::from_micros(random.random_range(0..20_000)),
            &mut answered,
        );
        check(directory.path(), &answered).await;
        kills += 1;
    }
    let rounds: u64 = answered.values().sum();
    println!(
        "killed {kills} times in {:?} among {rounds} answered writes: none is missing",
        started.elapsed()
    );
}

/// Lets the writer write for a moment longer than its first answer.
fn write_and_kill(directory: &Path, moment: Duration, answered: &mut BTreeMap<String, u64>) {
    let program = std::env::current_exe().expect("this program has a path");
    let mut writer = Command::new(program)
        .arg("write")
        .arg(directory)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the writer starts");
    let lines = BufReader::new(writer.stdout.take().expect("it is piped")).lines();
    let mut kill_at = None;
    for line in lines {
        let line = line.expect("the writer writes text");
        let (name, round) = line.split_once(' ').expect("a name and a round");
        answered.insert(name.to_owned(), round.parse().expect("rounds are numbers"));
        let kill_at = *kill_at.get_or_insert_with(|| Instant::now() + moment);
        if Instant::now() >= kill_at {
            writer.kill().expect("the writer is ours");
        }
    }
    writer.wait().expect("the writer is ours");
    assert!(
        kill_at.is_some(),
        "the writer ended before it wrote anything"
    );
}

async fn check(directory: &Path, answered: &BTreeMap<String, u64>) {
    let server = EmbeddedApi::open(directory, options())
        .await
        .expect("what is left opens");
    let api: Api<ConfigMap> = Api::default_namespaced(server.client());
    let found = api
        .list(&ListParams::default())
        .await
        .expect("lists work")
        .items;
    let found: BTreeMap<String, ConfigMap> = found
        .into_iter()
        .map(|it| (it.metadata.name.clone().expect("it has a name"), it))
        .collect();
    for (name, least) in answered {
        let found = found
            .get(name)
            .unwrap_or_else(|| panic!("{name} is missing"));
        let round = round(found);
        assert!(
            round >= *least,
            "{name} is at round {round}, but {least} was answered"
        );
        let data = found.data.as_ref().expect("it has data");
        assert_eq!(data["text"], text(name, round), "{name} is torn");
    }
    server.shutdown().await;
}
