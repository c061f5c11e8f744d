//! What takes minutes: many kills, many tags. Built with the feature `slow`, run by `cargo xtask check --slow`.

use std::time::{Duration, Instant};

use testkit::servers::{Quickstart, wait};

use crate::crash::{self, At, Kill, Promotions, STEPS, When};
use crate::{binary, example};

const PATIENCE: Duration = Duration::from_mins(2);

/// How many times the process is killed while Freight arrives.
const KILLS: u64 = 60;

/// How many tags a large repository has here; each is pushed by a run of skopeo.
const TAGS: usize = 1_000;

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
