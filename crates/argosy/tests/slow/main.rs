//! What takes minutes: many kills, many tags, many commits. Run by `cargo xtask check --slow`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use testkit::servers::{PROJECT, Quickstart, wait};

const PATIENCE: Duration = Duration::from_mins(2);

/// How many times the process is killed.
const KILLS: u64 = 60;

/// How many tags a large repository has here; each is pushed by a run of skopeo.
const TAGS: usize = 1_000;

fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_argosy"))
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart")
}

fn refresh(example: &Quickstart, argosy: &testkit::servers::Argosy, token: &str) {
    let annotation = format!("kargo.akuity.io/refresh={token}");
    let arguments = [
        "-n",
        PROJECT,
        "annotate",
        "--overwrite",
        "warehouse",
        "web",
        &annotation,
    ];
    argosy
        .kubectl()
        .run(&arguments)
        .unwrap_or_else(|error| panic!("{error}: {}", example.state(argosy)));
}

#[test]
fn sixty_kills_lose_nothing_and_repeat_nothing() {
    let example = Quickstart::start(&example()).unwrap();
    example.push_image("1.0.0").unwrap();
    let mut argosy = example.argosy(binary(), &[]).unwrap();
    argosy
        .kubectl()
        .run(&["apply", "-f", &example.manifests().display().to_string()])
        .unwrap();
    wait("Freight", PATIENCE, || {
        example.find_freight(argosy.kubectl(), "1.0.0")
    })
    .unwrap();
    for round in 1..=KILLS {
        // Freight found in the same second has no order but that of its names, so a second passes in between.
        pause(Duration::from_millis(1_100));
        let version = format!("1.{round}.0");
        example.push_image(&version).unwrap();
        refresh(&example, &argosy, &version);
        // Moments over three seconds, so that every step of a promotion is hit in the end.
        pause(Duration::from_millis(round * 50 % 3_000));
        drop(argosy);
        argosy = example.argosy(binary(), &[]).unwrap();
        refresh(&example, &argosy, &format!("{version}-again"));
        let kubectl = argosy.kubectl();
        let freight = wait("Freight", PATIENCE, || {
            example.find_freight(kubectl, &version)
        })
        .unwrap();
        wait("promoted", PATIENCE, || {
            Ok((example.freight_in(kubectl, "test")?.as_deref() == Some(&freight)).then_some(()))
        })
        .unwrap_or_else(|error| panic!("round {round}: {error}: {}", example.state(&argosy)));
        let log = example.git(&["log", "--format=%B", "stage/test"]).unwrap();
        let commits = log
            .lines()
            .filter(|line| line.contains(&format!(":{version}")))
            .count();
        assert_eq!(commits, 1, "round {round}: {log}");
    }
}

#[test]
fn the_newest_of_a_thousand_tags_is_found() {
    let example = Quickstart::start(&example()).unwrap();
    for tag in 0..TAGS {
        example
            .push_image(&format!("1.{}.{}", tag / 100, tag % 100))
            .unwrap();
    }
    let argosy = example.argosy(binary(), &[]).unwrap();
    let start = Instant::now();
    argosy
        .kubectl()
        .run(&["apply", "-f", &example.manifests().display().to_string()])
        .unwrap();
    wait("Freight", PATIENCE, || {
        example.find_freight(argosy.kubectl(), "1.9.99")
    })
    .unwrap();
    println!(
        "the newest of {TAGS} tags became Freight after {:.1?}",
        start.elapsed()
    );
}

#[expect(
    clippy::disallowed_methods,
    reason = "the moment of the kill is what is tested"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
