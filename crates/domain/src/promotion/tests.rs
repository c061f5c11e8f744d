//! Turn, start, end and abort of Promotions, case by case.

use resources::{
    FreightOrigin, FreightReference, FreightRequest, FreightSources, PromotionReference,
    StepExecution, VerificationRecord,
};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a small number of seconds")
}

fn promotion(phase: Option<PromotionPhase>) -> Promotion {
    let mut promotion = Promotion::default();
    promotion.metadata.name = Some("test.1.f1".to_owned());
    promotion.spec.stage = "test".to_owned();
    promotion.spec.freight = "f1".to_owned();
    promotion.status = phase.map(|it| PromotionStatus {
        phase: Some(it),
        ..PromotionStatus::default()
    });
    promotion
}

fn annotated(mut promotion: Promotion, key: &str, value: &str) -> Promotion {
    promotion
        .metadata
        .annotations
        .get_or_insert_default()
        .insert(key.to_owned(), value.to_owned());
    promotion
}

fn stage(current: &str) -> Stage {
    let mut stage = Stage::default();
    stage.metadata.name = Some("test".to_owned());
    let sources = FreightSources {
        direct: true,
        ..FreightSources::default()
    };
    stage.spec.requested_freight = vec![FreightRequest {
        origin: FreightOrigin::warehouse("main"),
        sources,
    }];
    let current = PromotionReference {
        name: current.to_owned(),
        ..PromotionReference::default()
    };
    stage.status.get_or_insert_default().current_promotion = Some(current);
    stage
}

fn freight(name: &str, origin: &str) -> Freight {
    let mut freight = Freight {
        origin: FreightOrigin::warehouse(origin),
        ..Freight::default()
    };
    freight.metadata.name = Some(name.to_owned());
    freight
}

#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "cases read better without references"
)]
fn check(
    promotion: &Promotion,
    stage: Option<&Stage>,
    work: Work,
    act: Act,
    phase: Option<PromotionPhase>,
) -> Plan {
    let freight = freight("f1", "main");
    let plan = decide(&Seen {
        now: at(100),
        promotion,
        stage,
        freight: Some(&freight),
        work,
    });
    assert_eq!((&plan.act, &plan.status.phase), (&act, &phase), "{plan:?}");
    plan
}

const PENDING: Option<PromotionPhase> = Some(PromotionPhase::Pending);
const RUNNING: Option<PromotionPhase> = Some(PromotionPhase::Running);

#[test]
fn a_promotion_waits_until_its_stage_names_it() {
    check(
        &promotion(None),
        Some(&stage("another")),
        Work::None,
        Act::Rest,
        PENDING,
    );
    let plan = check(
        &promotion(PENDING),
        Some(&stage("test.1.f1")),
        Work::None,
        Act::Start,
        RUNNING,
    );
    assert_eq!(plan.status.started_at, Some(Time(at(100))));
    assert_eq!(plan.status.freight.map(|it| it.name).as_deref(), Some("f1"));
    assert!(
        plan.status
            .freight_collection
            .is_some_and(|it| it.includes("f1"))
    );
}

#[test]
fn without_its_stage_a_promotion_is_tried_again_later() {
    let plan = check(&promotion(None), None, Work::None, Act::Rest, PENDING);
    assert_eq!(plan.again, Again::AfterError);
}

#[test]
fn what_was_running_when_the_process_ended_starts_again_and_keeps_its_time() {
    let mut promotion = promotion(RUNNING);
    promotion
        .status
        .as_mut()
        .expect("it has a status")
        .started_at = Some(Time(at(5)));
    let plan = check(
        &promotion,
        Some(&stage("test.1.f1")),
        Work::None,
        Act::Start,
        RUNNING,
    );
    assert_eq!(plan.status.started_at, Some(Time(at(5))));
    check(
        &promotion,
        Some(&stage("test.1.f1")),
        Work::Ended(End::Stopped),
        Act::Start,
        RUNNING,
    );
    check(
        &promotion,
        Some(&stage("test.1.f1")),
        Work::Running,
        Act::Rest,
        RUNNING,
    );
}

#[test]
fn freight_that_is_gone_or_out_of_reach_ends_a_promotion() {
    let stage = stage("test.1.f1");
    let (pending, other) = (promotion(PENDING), freight("f1", "other"));
    for freight in [None, Some(&other)] {
        let plan = decide(&Seen {
            now: at(100),
            promotion: &pending,
            stage: Some(&stage),
            freight,
            work: Work::None,
        });
        assert_eq!(
            (plan.act, plan.status.phase),
            (Act::End, Some(PromotionPhase::Errored))
        );
    }
}

#[test]
fn the_end_of_the_steps_is_the_end_of_the_promotion() {
    for phase in [
        PromotionPhase::Succeeded,
        PromotionPhase::Failed,
        PromotionPhase::Errored,
    ] {
        let end = End::Finished {
            phase: phase.clone(),
            message: "so it is".to_owned(),
        };
        let plan = check(
            &promotion(RUNNING),
            Some(&stage("test.1.f1")),
            Work::Ended(end),
            Act::End,
            Some(phase),
        );
        assert_eq!(
            (plan.status.message.as_str(), plan.status.finished_at),
            ("so it is", Some(Time(at(100))))
        );
    }
    check(
        &promotion(Some(PromotionPhase::Succeeded)),
        None,
        Work::None,
        Act::CleanUp,
        Some(PromotionPhase::Succeeded),
    );
}

#[test]
fn a_step_that_waits_is_tried_again_when_it_asks_but_not_too_often() {
    for (after, again) in [
        (None, POLL),
        (Some(30), Duration::from_secs(30)),
        (Some(1), SHORTEST_WAIT),
    ] {
        let end = End::Waiting {
            after: after.map(Duration::from_secs),
        };
        let plan = check(
            &promotion(RUNNING),
            Some(&stage("test.1.f1")),
            Work::Ended(end),
            Act::Rest,
            RUNNING,
        );
        assert_eq!(plan.again, Again::After(again));
    }
}

#[test]
fn a_step_that_may_be_tried_again_is_and_says_why() {
    let end = End::Retrying {
        message: "no route".to_owned(),
    };
    let plan = check(
        &promotion(RUNNING),
        Some(&stage("test.1.f1")),
        Work::Ended(end),
        Act::Rest,
        RUNNING,
    );
    assert_eq!(
        (plan.again, plan.status.message.as_str()),
        (Again::AfterError, "no route")
    );
}

#[test]
fn an_abort_stops_the_steps_first_and_then_ends_the_promotion() {
    let mut aborted = annotated(
        promotion(RUNNING),
        annotation::ABORT,
        r#"{"action":"terminate","actor":"admin"}"#,
    );
    let step = StepExecution {
        status: Some(StepStatus::Running),
        ..StepExecution::default()
    };
    aborted
        .status
        .as_mut()
        .expect("it has a status")
        .step_execution_metadata = vec![step];
    check(
        &aborted,
        Some(&stage("test.1.f1")),
        Work::Running,
        Act::Stop,
        RUNNING,
    );
    for work in [
        Work::None,
        Work::Ended(End::Stopped),
        Work::Ended(End::Waiting { after: None }),
    ] {
        let plan = check(
            &aborted,
            Some(&stage("test.1.f1")),
            work,
            Act::End,
            Some(PromotionPhase::Aborted),
        );
        assert_eq!(plan.status.message, "Promotion terminated by admin");
        assert_eq!(
            plan.status.step_execution_metadata[0].status,
            Some(StepStatus::Aborted)
        );
    }
}

#[test]
fn what_was_finished_before_the_abort_came_stays_finished() {
    let aborted = annotated(promotion(RUNNING), annotation::ABORT, "terminate");
    let end = End::Finished {
        phase: PromotionPhase::Succeeded,
        message: String::new(),
    };
    check(
        &aborted,
        Some(&stage("test.1.f1")),
        Work::Ended(end),
        Act::End,
        Some(PromotionPhase::Succeeded),
    );
    let unknown = annotated(promotion(RUNNING), annotation::ABORT, "pause");
    check(
        &unknown,
        Some(&stage("test.1.f1")),
        Work::Running,
        Act::Rest,
        RUNNING,
    );
}

#[test]
fn a_refresh_is_echoed() {
    let refreshed = annotated(promotion(RUNNING), annotation::REFRESH, "now");
    let plan = check(
        &refreshed,
        Some(&stage("test.1.f1")),
        Work::Running,
        Act::Rest,
        RUNNING,
    );
    assert_eq!(plan.status.last_handled_refresh, "now");
}

#[test]
fn freight_of_other_origins_comes_along_if_it_is_still_requested() {
    let mut stage = stage("p");
    let request = |origin| FreightRequest {
        origin: FreightOrigin::warehouse(origin),
        ..FreightRequest::default()
    };
    stage.spec.requested_freight = vec![request("main"), request("charts")];
    let reference = |name: &str, origin| FreightReference {
        name: name.to_owned(),
        origin: FreightOrigin::warehouse(origin),
        ..FreightReference::default()
    };
    let before = [
        reference("m0", "main"),
        reference("c0", "charts"),
        reference("x0", "dropped"),
    ];
    let status = PromotionStatus {
        freight_collection: Some(FreightCollection::of(before)),
        ..PromotionStatus::default()
    };
    let last = PromotionReference {
        status: Some(status),
        ..PromotionReference::default()
    };
    stage.status.get_or_insert_default().last_promotion = Some(last);
    let collection = collection(&stage, &freight("m1", "main"));
    let names: Vec<_> = collection.references().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["c0", "m1"]);
    assert_eq!(collection.id, collection.compute_id());
}

#[test]
fn promoting_what_is_here_already_asks_for_a_new_verification() {
    let mut stage = stage("test.1.f1");
    let mut here = FreightCollection::of([freight("f1", "main").reference()]);
    here.record_verification(VerificationRecord {
        id: "v1".to_owned(),
        ..VerificationRecord::default()
    });
    stage.status.get_or_insert_default().freight_history = vec![here];
    let end = |phase| {
        Work::Ended(End::Finished {
            phase,
            message: String::new(),
        })
    };
    let succeeded = check(
        &promotion(RUNNING),
        Some(&stage),
        end(PromotionPhase::Succeeded),
        Act::End,
        Some(PromotionPhase::Succeeded),
    );
    assert_eq!(succeeded.reverify.map(|it| it.id).as_deref(), Some("v1"));
    let failed = check(
        &promotion(RUNNING),
        Some(&stage),
        end(PromotionPhase::Failed),
        Act::End,
        Some(PromotionPhase::Failed),
    );
    assert_eq!(failed.reverify, None);
}

#[test]
fn what_runs_is_most_urgent_then_the_oldest_that_waits_then_the_newest_that_ended() {
    let named = |name: &str, phase| {
        let mut it = promotion(Some(phase));
        it.metadata.name = Some(name.to_owned());
        it
    };
    let mut all = [
        named("a", PromotionPhase::Succeeded),
        named("b", PromotionPhase::Failed),
        named("c", PromotionPhase::Pending),
        named("d", PromotionPhase::Pending),
        named("e", PromotionPhase::Running),
    ];
    all.sort_by(by_urgency);
    assert_eq!(
        all.iter().map(Promotion::name).collect::<Vec<_>>(),
        ["e", "c", "d", "b", "a"]
    );
}
