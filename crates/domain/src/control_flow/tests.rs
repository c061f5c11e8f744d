//! Passes over a control-flow Stage, case by case.

use std::time::Duration;

use resources::{
    CurrentStage, FreightOrigin, FreightRequest, FreightSources, PromotionReference, VerifiedStage,
    condition::is_true,
};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a small number of seconds")
}

fn stage(sources: FreightSources) -> Stage {
    let mut stage = Stage::default();
    stage.metadata.name = Some("gate".to_owned());
    stage.metadata.generation = Some(4);
    stage.spec.requested_freight = vec![FreightRequest {
        origin: FreightOrigin::warehouse("main"),
        sources,
    }];
    stage
}

fn freight(name: &str) -> Freight {
    let mut freight = Freight {
        origin: FreightOrigin::warehouse("main"),
        ..Freight::default()
    };
    freight.metadata.name = Some(name.to_owned());
    freight
}

fn pass(stage: &Stage, freight: Vec<Freight>) -> Plan {
    let freight: Vec<_> = freight.into_iter().map(Arc::new).collect();
    decide(&Seen {
        now: at(100),
        stage,
        freight: &freight,
        staying: &[],
    })
}

fn direct() -> FreightSources {
    FreightSources {
        direct: true,
        ..FreightSources::default()
    }
}

#[test]
fn everything_within_reach_is_passed_on_once() {
    let mut known = freight("f1");
    known
        .status
        .get_or_insert_default()
        .verified_in
        .insert("gate".to_owned(), VerifiedStage::default());
    let plan = pass(&stage(direct()), vec![known, freight("f2")]);
    assert_eq!(
        plan.freight,
        [FreightChange::Verified {
            freight: "f2".to_owned(),
            at: at(100)
        }]
    );
    assert!(is_true(&plan.status.conditions, READY));
    assert_eq!(
        (
            plan.status.freight_summary.as_str(),
            plan.status.observed_generation
        ),
        ("N/A", 4)
    );
}

#[test]
fn it_looks_again_when_the_next_freight_has_soaked() {
    let sources = FreightSources {
        stages: vec!["test".to_owned()],
        required_soak_time: Some(resources::Duration::from_secs(60)),
        ..FreightSources::default()
    };
    let mut soaking = freight("f1");
    let status = soaking.status.get_or_insert_default();
    status
        .verified_in
        .insert("test".to_owned(), VerifiedStage::default());
    status.currently_in.insert(
        "test".to_owned(),
        CurrentStage {
            since: Some(Time(at(90))),
        },
    );
    let plan = pass(&stage(sources), vec![soaking]);
    assert_eq!(
        (plan.freight.len(), plan.again),
        (0, Again::After(Duration::from_secs(50)))
    );
    assert_eq!(pass(&stage(direct()), vec![]).again, Again::OnChange);
}

#[test]
fn what_it_remembers_from_its_time_with_steps_is_dropped() {
    let mut stage = stage(direct());
    stage.metadata.annotations =
        Some([(annotation::ARGOCD_CONTEXT.to_owned(), "[]".to_owned())].into());
    let status = stage.status.get_or_insert_default();
    status.last_promotion = Some(PromotionReference::default());
    status.auto_promotion_enabled = true;
    let stayed = Arc::new(freight("f1"));
    let plan = decide(&Seen {
        now: at(100),
        stage: &stage,
        freight: &[],
        staying: &[stayed],
    });
    assert!(
        plan.status.last_promotion.is_none()
            && !plan.status.auto_promotion_enabled
            && plan.drop_argocd_context
    );
    assert_eq!(
        plan.freight,
        [FreightChange::Left {
            freight: "f1".to_owned(),
            at: at(100)
        }]
    );
}
