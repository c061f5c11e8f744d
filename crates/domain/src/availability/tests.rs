//! Which Freight a Stage may take, case by case. Times are seconds since the epoch.

use resources::{
    ApprovedStage, CurrentStage, Duration, FreightOrigin, FreightStatus, VerifiedStage,
    stage::AutoPromotionOptions,
};

use super::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{AvailabilityStrategy, FreightSources};

const NOW: i64 = 1_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a small number of seconds")
}

fn freight(name: &str) -> Freight {
    let mut freight = Freight {
        origin: FreightOrigin::warehouse("main"),
        ..Freight::default()
    };
    freight.metadata.name = Some(name.to_owned());
    freight.status = Some(FreightStatus::default());
    freight
}

fn discovered(name: &str, seconds: i64) -> Freight {
    Freight {
        discovered_at: Some(Time(at(seconds))),
        ..freight(name)
    }
}

fn verified(mut freight: Freight, stage: &str, longest: i64) -> Freight {
    let longest = Duration::from_nanos(longest * 1_000_000_000);
    let verified = VerifiedStage {
        verified_at: Some(Time(at(0))),
        longest_completed_soak: Some(longest),
    };
    freight
        .status
        .get_or_insert_default()
        .verified_in
        .insert(stage.to_owned(), verified);
    freight
}

fn staying(mut freight: Freight, stage: &str, since: i64) -> Freight {
    let current = CurrentStage {
        since: Some(Time(at(since))),
    };
    freight
        .status
        .get_or_insert_default()
        .currently_in
        .insert(stage.to_owned(), current);
    freight
}

fn approved(mut freight: Freight, stage: &str) -> Freight {
    freight
        .status
        .get_or_insert_default()
        .approved_for
        .insert(stage.to_owned(), ApprovedStage::default());
    freight
}

fn upstream(stages: &[&str], strategy: AvailabilityStrategy, soak: i64) -> FreightRequest {
    let sources = FreightSources {
        stages: stages.iter().map(|it| (*it).to_owned()).collect(),
        availability_strategy: strategy,
        required_soak_time: (soak > 0).then(|| Duration::from_nanos(soak * 1_000_000_000)),
        ..FreightSources::default()
    };
    FreightRequest {
        origin: FreightOrigin::warehouse("main"),
        sources,
    }
}

fn direct() -> FreightRequest {
    let sources = FreightSources {
        direct: true,
        ..FreightSources::default()
    };
    FreightRequest {
        origin: FreightOrigin::warehouse("main"),
        sources,
    }
}

#[track_caller]
fn check(request: &FreightRequest, freight: &Freight, expected: Availability) {
    assert_eq!(requested("prod", request, freight, at(NOW)), expected);
}

#[test]
fn direct_freight_is_available_at_once() {
    check(&direct(), &freight("a"), Availability::Now);
}

#[test]
fn freight_of_another_origin_never_is() {
    let mut other = approved(freight("a"), "prod");
    other.origin = FreightOrigin::warehouse("other");
    check(&direct(), &other, Availability::No);
}

#[test]
fn one_upstream_stage_suffices_unless_all_are_asked_for() {
    let in_uat = verified(freight("a"), "uat", 0);
    let both = verified(in_uat.clone(), "qa", 0);
    for strategy in [AvailabilityStrategy::OneOf, AvailabilityStrategy::Unset] {
        check(
            &upstream(&["uat", "qa"], strategy, 0),
            &in_uat,
            Availability::Now,
        );
    }
    check(
        &upstream(&["uat", "qa"], AvailabilityStrategy::All, 0),
        &in_uat,
        Availability::No,
    );
    check(
        &upstream(&["uat", "qa"], AvailabilityStrategy::All, 0),
        &both,
        Availability::Now,
    );
}

#[test]
fn freight_that_was_verified_elsewhere_too_is_still_available() {
    // The upstream implementation compares sets here, and counts Stages that nobody asked for.
    let everywhere = ["test", "uat", "qa", "canary"]
        .iter()
        .fold(freight("a"), |it, stage| verified(it, stage, 3600));
    check(
        &upstream(&["uat", "qa"], AvailabilityStrategy::All, 60),
        &everywhere,
        Availability::Now,
    );
    let elsewhere = verified(verified(freight("b"), "canary", 3600), "uat", 0);
    check(
        &upstream(&["uat"], AvailabilityStrategy::OneOf, 60),
        &elsewhere,
        Availability::No,
    );
}

#[test]
fn freight_soaks_in_the_stage_that_verified_it() {
    let request = upstream(&["uat"], AvailabilityStrategy::OneOf, 600);
    check(
        &request,
        &staying(verified(freight("a"), "uat", 0), "uat", 500),
        Availability::From(at(1_100)),
    );
    check(
        &request,
        &staying(verified(freight("a"), "uat", 0), "uat", 400),
        Availability::Now,
    );
    check(
        &request,
        &verified(freight("a"), "uat", 600),
        Availability::Now,
    );
    check(
        &request,
        &verified(freight("a"), "uat", 599),
        Availability::No,
    );
    check(&request, &staying(freight("a"), "uat", 0), Availability::No);
}

#[test]
fn with_all_the_longest_wait_counts_and_with_one_the_shortest() {
    let soaking = staying(verified(freight("a"), "uat", 0), "uat", 500);
    let soaking = staying(verified(soaking, "qa", 0), "qa", 700);
    check(
        &upstream(&["uat", "qa"], AvailabilityStrategy::All, 600),
        &soaking,
        Availability::From(at(1_300)),
    );
    check(
        &upstream(&["uat", "qa"], AvailabilityStrategy::OneOf, 600),
        &soaking,
        Availability::From(at(1_100)),
    );
}

#[test]
fn approval_stands_for_verification_and_soaking() {
    let request = upstream(&["uat"], AvailabilityStrategy::All, 600);
    check(&request, &approved(freight("a"), "prod"), Availability::Now);
    check(
        &request,
        &approved(freight("a"), "canary"),
        Availability::No,
    );
}

#[test]
fn freight_of_another_project_is_not_available() {
    let mut stage = Stage::default();
    stage.metadata.namespace = Some("acme".to_owned());
    stage.spec.requested_freight = vec![direct()];
    let mut it = freight("a");
    it.metadata.namespace = Some("other".to_owned());
    assert_eq!(available(&stage, &it, at(NOW)), Availability::No);
    it.metadata.namespace = Some("acme".to_owned());
    assert_eq!(available(&stage, &it, at(NOW)), Availability::Now);
}

#[track_caller]
fn check_choice(
    request: &FreightRequest,
    freight: &[Freight],
    expected: Option<&str>,
    soaked_at: Option<i64>,
) {
    let choice = choose_among("prod", request, freight, at(NOW));
    assert_eq!(choice.freight.as_ref().map(Freight::name), expected);
    assert_eq!(choice.soaked_at, soaked_at.map(at));
}

#[test]
fn the_newest_is_chosen_and_names_decide_between_equals() {
    check_choice(
        &direct(),
        &[discovered("a", 3), discovered("b", 1), discovered("c", 2)],
        Some("a"),
        None,
    );
    check_choice(
        &direct(),
        &[discovered("a", 3), discovered("b", 3)],
        Some("b"),
        None,
    );
    check_choice(&direct(), &[], None, None);
}

#[test]
fn while_the_newest_soaks_the_one_before_is_chosen_and_the_time_is_known() {
    let request = upstream(&["uat"], AvailabilityStrategy::OneOf, 600);
    let newest = staying(verified(discovered("c", 3), "uat", 0), "uat", 900);
    let before = verified(discovered("b", 2), "uat", 700);
    check_choice(
        &request,
        &[discovered("d", 4), newest, before],
        Some("b"),
        Some(1_500),
    );
}

#[test]
fn a_search_reads_no_further_than_it_must() {
    let request = direct();
    let mut search = Search::new("prod", &request, at(NOW));
    assert!(search.see(&discovered("b", 2)).is_break());
    assert!(search.see(&discovered("a", 1)).is_break());
    assert_eq!(
        search.finish().freight.as_ref().map(Freight::name),
        Some("b")
    );
}

#[test]
fn what_is_upstream_is_matched_even_where_it_is_older() {
    let mut request = upstream(&["uat"], AvailabilityStrategy::OneOf, 0);
    request.sources.auto_promotion_options = Some(AutoPromotionOptions {
        selection_policy: Some(SelectionPolicy::MatchUpstream),
    });
    let newer = verified(discovered("b", 2), "uat", 0);
    let older = staying(verified(discovered("a", 1), "uat", 0), "uat", 10);
    check_choice(&request, &[newer.clone(), older.clone()], Some("a"), None);
    check_choice(&request, &[staying(newer, "uat", 10), older], None, None);
}
