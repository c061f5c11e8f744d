//! What some subscriptions found while others failed.

use super::*;

/// Lets a Warehouse look once, as the controller does; gives the repositories that its status then tells of.
fn look(warehouse: &mut Warehouse, answers: Vec<Result<Found, Failure>>) -> Vec<String> {
    let started = decide(&seen(warehouse, Work::None));
    assert_eq!(started.act, Act::Discover);
    warehouse.status = Some(started.status);
    let generation = warehouse.metadata.generation.expect("it has one");
    let status = decide(&seen(warehouse, ended_for(generation, answers))).status;
    let found = status.discovered_artifacts.clone();
    warehouse.status = Some(status);
    let found = found.expect("what was found is kept").images;
    found.into_iter().map(|it| it.repo_url).collect()
}

#[test]
fn halves_that_answer_in_turn_are_both_kept_before_all_have_answered_at_once() {
    let mut warehouse = fresh();
    let answered = |repository: &str| Ok(Found::Images(image(repository, "2")));
    let first = look(&mut warehouse, vec![answered("a"), failure()]);
    assert_eq!(first, ["a"]);
    let second = look(&mut warehouse, vec![failure(), answered("b")]);
    assert_eq!(second, ["b", "a"]);
    let observed = |it: &Warehouse| it.status.as_ref().map(|it| it.observed_generation);
    assert_eq!(observed(&warehouse), Some(0), "no look was complete");

    // What was found for another spec goes, and what is found for this one stays.
    warehouse.metadata.generation = Some(2);
    let third = look(&mut warehouse, vec![failure(), answered("b")]);
    assert_eq!(third, ["b"]);
    let fourth = look(&mut warehouse, vec![answered("c"), failure()]);
    assert_eq!(fourth, ["c", "b"]);
    let fifth = look(&mut warehouse, vec![answered("c"), answered("b")]);
    assert_eq!((fifth.len(), observed(&warehouse)), (2, Some(2)));
}

#[test]
fn the_generation_of_what_was_found_is_the_later_of_two_that_are_told() {
    let mut status = WarehouseStatus::default();
    assert_eq!(discovered_generation(&status), 0);
    // Another controller writes no cost.
    status.observed_generation = 4;
    assert_eq!(discovered_generation(&status), 4);
    for (cost, expected) in [(3, 4), (4, 4), (5, 5)] {
        let time = Time(at(NOW));
        let told = condition::new(DISCOVERY_COST, TRUE, "Measured", "", Some(cost), time);
        condition::set(&mut status.conditions, told);
        assert_eq!(discovered_generation(&status), expected);
    }
}
