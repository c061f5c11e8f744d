//! What takes minutes: many kills, many tags, many commits. Built with the feature `slow`, run by `cargo xtask check --slow`.

use std::time::{Duration, Instant};

use testkit::servers::{PROJECT, Quickstart, wait};

use crate::crash::{self, At, Kill, Promotions, STEPS, When};
use crate::{binary, example};

const PATIENCE: Duration = Duration::from_mins(2);

/// How many times the process is killed while Freight arrives.
const KILLS: u64 = 60;

/// How many tags a large repository has here; each is pushed by a run of skopeo.
const TAGS: usize = 1_000;

/// How many commits a large repository has here.
const COMMITS: usize = 20_000;

/// Watches the repository of manifests itself, whose login the example's project has.
const COMMITS_OF_MAIN: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: manifests, namespace: quickstart}
spec:
  interval: 5m
  freightCreationPolicy: Manual
  subscriptions: [{git: {repoURL: REPOSITORY, branch: main, commitSelectionStrategy: NewestFromBranch}}]
";

/// The shares of a step's usual time at which it is killed.
const SHARES: [f64; 8] = [0.02, 0.1, 0.25, 0.4, 0.55, 0.7, 0.85, 0.95];

#[test]
fn a_promotion_killed_at_every_child_and_many_instants_has_each_effect_once() {
    let mut promotions = Promotions::start();
    let usual = promotions.measure();
    let places = STEPS.map(|step| places(step, usual.children_of(step).len()));
    let start = Instant::now();
    let mut done = 0;
    for round in 0.. {
        // In every step one kill, where it has places left.
        let kills: Vec<Kill> = places
            .iter()
            .filter_map(|places| places.get(round).copied())
            .collect();
        if kills.is_empty() {
            break;
        }
        crash::check(&mut promotions, &kills);
        done += kills.len();
    }
    println!("{done} kills in {:.0?}", start.elapsed());
}

/// Everywhere that a step is killed: at instants, and before, inside and after each of its children.
fn places(step: &'static str, children: usize) -> Vec<Kill> {
    let of_children = (1..=children).flat_map(|number| {
        [When::Before, When::During(0.5), When::After].map(|when| At::Child(number, when))
    });
    let instants = SHARES.map(At::Share).into_iter();
    instants
        .chain(of_children)
        .map(|at| Kill { step, at })
        .collect()
}

#[test]
fn sixty_kills_lose_nothing_and_repeat_nothing() {
    // Moments over a second and a half, so that every step of a promotion is hit in the end.
    crash::kill_while_freight_arrives((1..=KILLS).map(|it| Duration::from_millis(it * 25)));
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

#[test]
fn a_repository_of_twenty_thousand_commits_is_watched_and_promoted() {
    let example = Quickstart::start(&example()).unwrap();
    example.grow_repository(COMMITS).unwrap();
    let newest = example.git(&["rev-parse", "main"]).unwrap();
    example.push_image("1.0.0").unwrap();
    let argosy = example.argosy(binary(), &[]).unwrap();
    let kubectl = argosy.kubectl();
    let start = Instant::now();
    kubectl
        .run(&["apply", "-f", &example.manifests().display().to_string()])
        .unwrap();
    let warehouse = COMMITS_OF_MAIN.replace("REPOSITORY", &example.repository_url());
    kubectl.run_with(&["apply", "-f", "-"], &warehouse).unwrap();
    let freight = wait("Freight", PATIENCE, || {
        example.find_freight(kubectl, "1.0.0")
    })
    .unwrap();
    wait("promoted", PATIENCE, || {
        Ok((example.freight_in(kubectl, "test")?.as_deref() == Some(&freight)).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error}: {}", example.state(&argosy)));
    println!("promoted after {:.1?}", start.elapsed());
    let discovered = wait("the newest commit", PATIENCE, || {
        let arguments = ["-n", PROJECT, "get", "warehouse", "manifests"];
        let commit = "/status/discoveredArtifacts/git/0/commits/0/id";
        let found = kubectl.json(&arguments)?;
        Ok(found
            .pointer(commit)
            .and_then(|it| it.as_str())
            .map(str::to_owned))
    })
    .unwrap_or_else(|error| panic!("{error}: {}", example.state(&argosy)));
    println!("discovered after {:.1?}", start.elapsed());
    assert_eq!(discovered, newest.trim());
}
