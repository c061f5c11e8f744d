//! `kill -9` in the middle of promotions: each completes after a restart, and each effect is there once.
//!
//! The process that is killed is the real one, its children are behind the real fence, and the kills are inside of steps
//! of every kind: at a chosen moment of a chosen child, or at a share of the time that a step usually takes.

mod children;
mod deployment;
mod kill;
mod promotions;
mod usual;
mod watch;

use std::time::Duration;

use serde_json::Value;
use testkit::servers::{Argosy, PROJECT, Quickstart, wait};

pub(crate) use self::kill::{At, Kill, When};
pub(crate) use self::promotions::{Promotions, processes_at_home_in};
use crate::{binary, example};

const PATIENCE: Duration = Duration::from_mins(2);

/// The steps of the promotion that is killed: one of every kind, named for it, in their order.
pub(crate) const STEPS: [&str; 12] = [
    "git-clone",
    "git-clear",
    "kustomize-set-image",
    "kustomize-build",
    "copy",
    "yaml-update",
    "delete",
    "git-commit",
    "git-push",
    "set-metadata",
    "fail",
    "compose-output",
];

/// When the process is killed, counted from the moment that Freight is there, which is promoted at once.
const MOMENTS: [u64; 4] = [5, 120, 240, 420];

#[test]
fn a_promotion_killed_inside_of_every_step_has_each_effect_once() {
    let mut promotions = Promotions::start();
    let usual = promotions.measure();
    let child = |step, command, when| Kill {
        step,
        at: At::Child(usual.number_of(step, command), when),
    };
    // Early, since the next attempt may be faster than what was measured.
    let instant = |step| Kill {
        step,
        at: At::Share(0.2),
    };
    let kills = [
        child("git-clone", "git clone", When::During(0.5)),
        child("git-clear", "git rm", When::Before),
        instant("kustomize-set-image"),
        child("kustomize-build", "kustomize build", When::During(0.5)),
        instant("copy"),
        instant("yaml-update"),
        instant("delete"),
        child("git-commit", "git commit", When::After),
        child("git-push", "git push", When::After),
        instant("set-metadata"),
        instant("fail"),
        instant("compose-output"),
    ];
    assert_eq!(kills.map(|kill| kill.step), STEPS);
    check(&mut promotions, &kills);
}

/// Kills at every place; where the step was over sooner than usual, once more in another promotion, and earlier.
#[track_caller]
pub(crate) fn check(promotions: &mut Promotions, kills: &[Kill]) {
    let mut left = kills.to_vec();
    for _ in 0..8 {
        left = promotions.promote(&left);
        if left.is_empty() {
            return;
        }
        for kill in &mut left {
            if let At::Share(share) = &mut kill.at {
                *share /= 2.0;
            }
        }
    }
    panic!("never inside of the step: {left:?}");
}

#[test]
fn freight_that_is_promoted_by_itself_is_promoted_once_whatever_is_killed() {
    kill_while_freight_arrives(MOMENTS.map(Duration::from_millis));
}

/// Kills the process so long after each new Freight was found, which a Stage takes by itself.
pub(crate) fn kill_while_freight_arrives(moments: impl IntoIterator<Item = Duration>) {
    let example = Quickstart::start(&example()).unwrap();
    example.push_image("1.0.0").unwrap();
    let mut argosy = example.argosy(binary(), &[]).unwrap();
    argosy
        .kubectl()
        .run(&["apply", "-f", &example.manifests().display().to_string()])
        .unwrap();
    find_freight(&example, &argosy, "1.0.0");
    let mut promotions = 1;
    for moment in moments {
        // Freight found in the same second has no order but that of its names, so a second passes in between.
        pause(Duration::from_millis(1_100));
        let version = format!("1.{promotions}.0");
        example.push_image(&version).unwrap();
        refresh(&example, &argosy, &version);
        let freight = find_freight(&example, &argosy, &version);
        pause(moment);
        drop(argosy);
        argosy = example.argosy(binary(), &[]).unwrap();
        wait("promoted", PATIENCE, || {
            let there = example.freight_in(argosy.kubectl(), "test")?;
            Ok((there.as_deref() == Some(&freight)).then_some(()))
        })
        .unwrap_or_else(|error| {
            panic!(
                "killed after {moment:?}: {error}: {}",
                example.state(&argosy)
            )
        });
        let log = example.git(&["log", "--format=%B", "stage/test"]).unwrap();
        let commits = log
            .lines()
            .filter(|line| line.contains(&format!(":{version}")));
        assert_eq!(commits.count(), 1, "killed after {moment:?}: {log}");
        promotions += 1;
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
    let others: Vec<&Value> = list["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|it| it["status"]["phase"] != "Succeeded")
        .map(|it| &it["status"])
        .collect();
    assert!(others.is_empty(), "{others:#?}");
    assert_eq!(phases.len(), promotions);
}

fn find_freight(example: &Quickstart, argosy: &Argosy, version: &str) -> String {
    wait("Freight", PATIENCE, || {
        example.find_freight(argosy.kubectl(), version)
    })
    .unwrap_or_else(|error| panic!("{error}: {}", example.state(argosy)))
}

/// Lets the Warehouse look at its repositories now.
fn refresh(example: &Quickstart, argosy: &Argosy, token: &str) {
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

#[expect(
    clippy::disallowed_methods,
    reason = "the moment of the kill is what is tested"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
