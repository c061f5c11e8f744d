//! Discovery, Freight and conditions, case by case.

use resources::{DiscoveredImageReference, FreightCreationPolicy, condition::find};

use super::*;

mod partial;

const NOW: i64 = 10_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a small number of seconds")
}

fn fresh() -> Warehouse {
    let mut warehouse = Warehouse::default();
    warehouse.metadata.name = Some("main".to_owned());
    warehouse.metadata.generation = Some(1);
    warehouse
}

/// A Warehouse that discovered so many seconds ago; it does so every 300.
fn discovered(ago: i64) -> Warehouse {
    let mut warehouse = fresh();
    let found = DiscoveredArtifacts {
        discovered_at: Some(Time(at(NOW - ago))),
        images: vec![image("old", "1")],
        ..DiscoveredArtifacts::default()
    };
    let status = WarehouseStatus {
        observed_generation: 1,
        discovered_artifacts: Some(found),
        ..WarehouseStatus::default()
    };
    warehouse.status = Some(status);
    warehouse
}

fn image(repository: &str, tag: &str) -> DiscoveredImage {
    let reference = DiscoveredImageReference {
        tag: tag.to_owned(),
        digest: "sha256:1".to_owned(),
        ..DiscoveredImageReference::default()
    };
    DiscoveredImage {
        repo_url: repository.to_owned(),
        references: vec![reference],
        ..DiscoveredImage::default()
    }
}

fn seen(warehouse: &Warehouse, work: Work) -> Seen<'_> {
    Seen {
        now: at(NOW),
        warehouse,
        shortest_interval: Duration::ZERO,
        work,
    }
}

fn ended(answers: Vec<Result<Found, Failure>>) -> Work {
    ended_for(1, answers)
}

fn ended_for(generation: i64, answers: Vec<Result<Found, Failure>>) -> Work {
    Work::Ended(Discovery {
        generation,
        refresh: None,
        answers,
        identities: Some(Vec::new()),
        remarks: Vec::new(),
        cost: Cost::default(),
    })
}

fn failure() -> Result<Found, Failure> {
    Err(Failure {
        subscription: "example.com/web".to_owned(),
        message: "unreachable".to_owned(),
    })
}

#[track_caller]
fn check_condition(status: &WarehouseStatus, kind: &str, value: &str, reason: &str) {
    let condition = find(&status.conditions, kind).expect("the condition is set");
    assert_eq!(
        (condition.status.as_str(), condition.reason.as_str()),
        (value, reason),
        "{kind}"
    );
}

#[test]
fn discovery_starts_when_it_is_due() {
    for (warehouse, due) in [
        (fresh(), true),
        (discovered(299), false),
        (discovered(330), true),
        (discovered(9_000), true),
    ] {
        let plan = decide(&seen(&warehouse, Work::None));
        assert_eq!(plan.act == Act::Discover, due);
    }
    let (warehouse, hundred) = (discovered(100), Duration::from_secs(100));
    let seen = seen(&warehouse, Work::None);
    let left = interval(&seen, at(NOW - 100)).checked_sub(hundred);
    assert_eq!(
        decide(&seen).again,
        Again::After(left.expect("it is longer"))
    );
}

#[test]
fn intervals_are_lengthened_by_up_to_a_tenth_and_each_differently() {
    let of = |name: &str, last: i64| {
        let mut warehouse = fresh();
        warehouse.metadata.uid = Some(name.to_owned());
        interval(&seen(&warehouse, Work::None), at(last))
    };
    let mut all: Vec<Duration> = (0..100).map(|it| of(&it.to_string(), NOW)).collect();
    let (shortest, longest) = (Duration::from_mins(5), Duration::from_secs(330));
    assert!(
        all.iter().all(|it| (shortest..longest).contains(it)),
        "{all:?}"
    );
    assert_eq!(
        of("1", NOW),
        of("1", NOW),
        "it is known after a restart too"
    );
    assert_ne!(of("1", NOW), of("1", NOW + 300), "and different every time");
    all.sort();
    all.dedup();
    assert!(all.len() > 80, "{}", all.len());
}

#[test]
fn cost_and_remarks_are_on_the_status_and_an_identity_nobody_could_find_out_stays() {
    let Work::Ended(discovery) = ended(vec![Ok(Found::Images(image("a", "2")))]) else {
        panic!("it has ended");
    };
    let identity = Identity {
        subscription: "a".to_owned(),
        member: Some("serviceAccount:a".to_owned()),
        reason: "OwnServiceAccount",
        why: "it is the Project's own".to_owned(),
        next: None,
        tone: Tone::Normal,
        message: "it acts".to_owned(),
        gist: "it is the Project's own".to_owned(),
    };
    let remark = Remark {
        subscription: "a".to_owned(),
        reason: "BuildTimesEqual",
        message: "upload time decides".to_owned(),
    };
    let first = Discovery {
        identities: Some(vec![identity]),
        remarks: vec![remark],
        ..discovery.clone()
    };
    let mut warehouse = fresh();
    let status = decide(&seen(&warehouse, Work::Ended(first))).status;
    check_condition(&status, "DiscoveryCost", TRUE, "Measured");
    check_condition(&status, "SelectionRemarks", TRUE, "BuildTimesEqual");
    check_condition(&status, "RegistryIdentity", TRUE, "OwnServiceAccount");

    warehouse.status = Some(status);
    let unknown = Discovery {
        identities: None,
        ..discovery
    };
    let status = decide(&seen(&warehouse, Work::Ended(unknown))).status;
    check_condition(&status, "RegistryIdentity", TRUE, "OwnServiceAccount");
    assert_eq!(find(&status.conditions, "SelectionRemarks"), None);
}

#[test]
fn discovery_starts_when_somebody_asks_or_the_spec_changed() {
    let mut asked = discovered(1);
    asked.metadata.annotations = Some([(annotation::REFRESH.to_owned(), "now".to_owned())].into());
    assert_eq!(decide(&seen(&asked, Work::None)).act, Act::Discover);
    asked
        .status
        .as_mut()
        .expect("it has a status")
        .last_handled_refresh = "now".to_owned();
    assert_eq!(decide(&seen(&asked, Work::None)).act, Act::Rest);
    let mut changed = discovered(1);
    changed.metadata.generation = Some(2);
    assert_eq!(decide(&seen(&changed, Work::None)).act, Act::Discover);
}

#[test]
fn an_operator_may_ask_for_longer_intervals() {
    let warehouse = discovered(400);
    let patient = Seen {
        shortest_interval: Duration::from_secs(1_000),
        ..seen(&warehouse, Work::None)
    };
    let (longer, passed) = (interval(&patient, at(NOW - 400)), Duration::from_secs(400));
    assert!(longer >= Duration::from_secs(1_000), "{longer:?}");
    let left = longer.checked_sub(passed).expect("it is longer");
    assert_eq!(decide(&patient).again, Again::After(left));
}

#[test]
fn while_discovery_runs_nothing_is_started() {
    assert_eq!(decide(&seen(&fresh(), Work::Running)).act, Act::Rest);
}

#[test]
fn what_was_found_for_an_older_spec_is_not_used() {
    let mut warehouse = discovered(1);
    warehouse.metadata.generation = Some(2);
    let plan = decide(&seen(
        &warehouse,
        ended(vec![Ok(Found::Images(image("a", "2")))]),
    ));
    assert_eq!(plan.act, Act::Discover);
}

#[test]
fn what_was_found_becomes_freight() {
    let warehouse = discovered(300);
    let plan = decide(&seen(
        &warehouse,
        ended(vec![Ok(Found::Images(image("a", "2")))]),
    ));
    let Act::Create(freight) = &plan.act else {
        panic!("Freight should be made, not {:?}", plan.act)
    };
    assert_eq!(freight.images[0].tag, "2");
    let found = plan
        .status
        .discovered_artifacts
        .as_ref()
        .expect("what was found is kept");
    assert_eq!(
        (found.images.len(), found.discovered_at.clone()),
        (1, Some(Time(at(NOW))))
    );
    check_condition(&plan.status, READY, FALSE, "AwaitingFreightCreation");
    let creation = Creation::Created {
        name: "f1".to_owned(),
    };
    let (status, again) = created(&seen(&warehouse, Work::None), plan.status, &creation);
    assert_eq!(
        (status.last_freight_id.as_str(), again),
        (
            "f1",
            Again::After(interval(&seen(&warehouse, Work::None), at(NOW)))
        )
    );
    check_condition(&status, READY, TRUE, "ArtifactsDiscovered");
    check_condition(&status, FREIGHT_CREATED, TRUE, "NewFreight");
}

#[test]
fn one_failure_keeps_freight_from_being_made_but_not_the_rest_from_being_seen() {
    let plan = decide(&seen(
        &discovered(300),
        ended(vec![Ok(Found::Images(image("new", "2"))), failure()]),
    ));
    assert_eq!((plan.act, plan.again), (Act::Rest, Again::AfterError));
    check_condition(&plan.status, HEALTHY, FALSE, "DiscoveryFailed");
    let message = &find(&plan.status.conditions, HEALTHY)
        .expect("the condition is set")
        .message;
    assert_eq!(message, "example.com/web: unreachable");
    let found = plan
        .status
        .discovered_artifacts
        .expect("what was found is kept");
    let repositories: Vec<_> = found.images.iter().map(|it| it.repo_url.as_str()).collect();
    assert_eq!(repositories, ["new", "old"]);
    assert_eq!(
        found.discovered_at,
        Some(Time(at(NOW - 300))),
        "so that it is still due"
    );
}

#[test]
fn a_wish_that_came_while_discovery_ran_is_not_forgotten() {
    let mut warehouse = discovered(300);
    let asked = [(annotation::REFRESH.to_owned(), "2".to_owned())];
    warehouse.metadata.annotations = Some(asked.into());
    let later = Again::After(interval(&seen(&warehouse, Work::None), at(NOW)));
    for (handled, again) in [("1", Again::Now), ("2", later)] {
        let discovery = Discovery {
            generation: 1,
            refresh: Some(handled.to_owned()),
            answers: vec![Ok(Found::Images(image("a", "2")))],
            identities: Some(Vec::new()),
            remarks: Vec::new(),
            cost: Cost::default(),
        };
        let plan = decide(&seen(&warehouse, Work::Ended(discovery)));
        assert_eq!(plan.again, again, "{handled}");
        let name = "f1".to_owned();
        let creation = Creation::AlreadyExists { name };
        let (_, found) = created(&seen(&warehouse, Work::None), plan.status, &creation);
        assert_eq!(found, again, "{handled}");
    }
}

#[test]
fn nothing_found_is_not_an_error_but_not_healthy_either() {
    let empty = DiscoveredImage {
        references: Vec::new(),
        ..image("a", "1")
    };
    let plan = decide(&seen(&fresh(), ended(vec![Ok(Found::Images(empty))])));
    let later = interval(&seen(&fresh(), Work::None), at(NOW));
    assert_eq!((plan.act, plan.again), (Act::Rest, Again::After(later)));
    check_condition(&plan.status, HEALTHY, FALSE, "NoImageReferencesDiscovered");
    check_condition(&plan.status, READY, FALSE, "MissingImageReferences");
}

#[test]
fn with_a_manual_policy_freight_is_left_to_people() {
    let mut warehouse = fresh();
    warehouse.spec.freight_creation_policy = FreightCreationPolicy::Manual;
    let plan = decide(&seen(
        &warehouse,
        ended(vec![Ok(Found::Images(image("a", "2")))]),
    ));
    assert_eq!(plan.act, Act::Rest);
    check_condition(&plan.status, READY, TRUE, "ArtifactsDiscovered");
}

#[test]
fn freight_that_could_not_be_made_is_tried_again() {
    let warehouse = fresh();
    let plan = decide(&seen(
        &warehouse,
        ended(vec![Ok(Found::Images(image("a", "2")))]),
    ));
    let creation = Creation::Failed {
        message: "no".to_owned(),
        next: "ask again".to_owned(),
    };
    let (status, again) = created(&seen(&warehouse, Work::None), plan.status, &creation);
    assert_eq!(again, Again::AfterError);
    check_condition(&status, READY, FALSE, "FreightCreationFailure");
    let ready = find(&status.conditions, READY).expect("the condition is set");
    assert_eq!(
        ready.message,
        "failed to create Freight: no; next: ask again"
    );
    let mut later = warehouse;
    later.status = Some(status);
    assert_eq!(decide(&seen(&later, Work::None)).act, Act::Discover);
}

#[test]
fn what_is_wrong_stays_readable_while_it_is_tried_again() {
    let mut warehouse = fresh();
    let failed = decide(&seen(&warehouse, ended(vec![failure()]))).status;
    warehouse.status = Some(failed);
    let again = decide(&seen(&warehouse, Work::None));
    assert_eq!(again.act, Act::Discover);
    check_condition(&again.status, READY, FALSE, "DiscoveryInProgress");
    check_condition(&again.status, HEALTHY, FALSE, "DiscoveryFailed");

    // Whether a new spec is healthy is not known.
    warehouse.metadata.generation = Some(2);
    let again = decide(&seen(&warehouse, Work::None));
    check_condition(&again.status, HEALTHY, UNKNOWN, "Pending");
}
