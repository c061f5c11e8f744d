//! `kill -9` in the middle of promotions: each completes after a restart, and each effect is there once.

use std::time::Duration;

use serde_json::Value;
use testkit::servers::{PROJECT, Quickstart, wait};

use crate::{binary, example};

const PATIENCE: Duration = Duration::from_secs(40);

/// When the process is killed, counted from the creation of a Promotion. A promotion takes about half a second.
const MOMENTS: &[u64] = &[5, 60, 120, 180, 240, 300, 360, 420, 500, 600];

#[test]
fn a_killed_promotion_completes_and_is_pushed_once() {
    let example = Quickstart::start(&example()).unwrap();
    example.push_image("1.0.0").unwrap();
    let mut argosy = example.argosy(binary(), &[]).unwrap();
    argosy
        .kubectl()
        .run(&["apply", "-f", &example.manifests().display().to_string()])
        .unwrap();
    let freight = wait("Freight", PATIENCE, || {
        example.find_freight(argosy.kubectl(), "1.0.0")
    })
    .unwrap();
    let mut promoted: Vec<String> = vec![freight];
    for (round, moment) in MOMENTS.iter().enumerate() {
        // Every round brings a newer image, which test takes by itself while the process is killed.
        // Freight found in the same second has no order but that of its names, so a second passes in between.
        pause(1_100);
        let version = format!("1.0.{}", round + 1);
        example.push_image(&version).unwrap();
        let refresh = format!("kargo.akuity.io/refresh={version}");
        let kubectl = argosy.kubectl();
        kubectl
            .run(&[
                "-n",
                PROJECT,
                "annotate",
                "--overwrite",
                "warehouse",
                "web",
                &refresh,
            ])
            .unwrap();
        let freight = wait("Freight", PATIENCE, || {
            example.find_freight(kubectl, &version)
        })
        .unwrap();
        pause(*moment);
        drop(argosy);
        argosy = example.argosy(binary(), &[]).unwrap();
        let kubectl = argosy.kubectl();
        wait("promoted", PATIENCE, || {
            Ok((example.freight_in(kubectl, "test")?.as_deref() == Some(&freight)).then_some(()))
        })
        .unwrap_or_else(|error| {
            panic!(
                "killed after {moment} ms: {error}: {}",
                example.state(&argosy)
            )
        });
        promoted.push(freight);
        let log = example.git(&["log", "--format=%B", "stage/test"]).unwrap();
        let commits = log
            .lines()
            .filter(|line| line.contains(&format!(":{version}")))
            .count();
        assert_eq!(commits, 1, "killed after {moment} ms: {log}");
    }
    let list = argosy
        .kubectl()
        .json(&["-n", PROJECT, "get", "promotions"])
        .unwrap();
    let phases: Vec<&str> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|promotion| promotion.pointer("/status/phase").and_then(Value::as_str))
        .collect();
    assert_eq!(phases, vec!["Succeeded"; promoted.len()]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the moment of the kill is what is tested"
)]
fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}
