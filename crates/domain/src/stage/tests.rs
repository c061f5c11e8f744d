//! Passes over a Stage, case by case.

use resources::{
    FreightOrigin, FreightReference, FreightRequest, FreightSources, HealthCheck, HealthState,
    PromotionPhase, PromotionPolicy, PromotionReference, PromotionStatus, Verification,
    VerificationPhase,
    condition::{HEALTHY, PROMOTING, READY, VERIFIED},
};

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).expect("a small number of seconds")
}

/// A case: a Stage that takes Freight directly, and what is around it.
struct Case {
    stage: Stage,
    config: Option<ProjectConfig>,
    promotions: Vec<Arc<Promotion>>,
    freight: Vec<Arc<Freight>>,
}

impl Case {
    fn new() -> Self {
        let mut stage = Stage::default();
        stage.metadata.name = Some("test".to_owned());
        stage.metadata.generation = Some(1);
        let sources = FreightSources {
            direct: true,
            ..FreightSources::default()
        };
        stage.spec.requested_freight = vec![FreightRequest {
            origin: FreightOrigin::warehouse("main"),
            sources,
        }];
        Self {
            stage,
            config: None,
            promotions: Vec::new(),
            freight: Vec::new(),
        }
    }

    fn auto(mut self) -> Self {
        let policy = PromotionPolicy {
            stage: "test".to_owned(),
            auto_promotion_enabled: true,
            ..PromotionPolicy::default()
        };
        let mut config = ProjectConfig::default();
        config.spec.promotion_policies = vec![policy];
        self.config = Some(config);
        self
    }

    fn freight(mut self, name: &str) -> Self {
        self.freight.push(Arc::new(freight(name)));
        self
    }

    fn promotion(mut self, name: &str, freight: &str, phase: PromotionPhase) -> Self {
        self.promotions
            .push(Arc::new(promotion(name, freight, phase)));
        self
    }

    /// Goes over the Stage once; the status stays.
    fn pass(&mut self) -> Plan {
        let ended: Vec<Promotion> = unsettled(&self.stage, &self.promotions)
            .into_iter()
            .map(|it| Promotion::clone(it))
            .collect();
        let staying: Vec<_> = self
            .freight
            .iter()
            .filter(|it| it.is_currently_in("test"))
            .cloned()
            .collect();
        let next = next(&self.promotions)
            .and_then(|next| {
                self.freight
                    .iter()
                    .find(|it| it.name() == next.spec.freight)
            })
            .cloned();
        let choices = [crate::availability::choose_among(
            "test",
            &self.stage.spec.requested_freight[0],
            &self.freight,
            at(100),
        )];
        let plan = decide(&Seen {
            now: at(100),
            stage: &self.stage,
            config: self.config.as_ref(),
            promotions: &self.promotions,
            ended: &ended,
            next_freight: next.as_deref(),
            staying: &staying,
            held: &self.freight,
            choices: &choices,
            fresh_id: "v1",
        });
        self.stage.status = Some(plan.status.clone());
        plan
    }

    /// Passes until nothing more is to be done at once, and gives the last plan.
    fn rest(&mut self) -> Plan {
        let mut plan = self.pass();
        while plan.again == Again::Now {
            plan = self.pass();
        }
        plan
    }
}

fn freight(name: &str) -> Freight {
    let mut freight = Freight {
        origin: FreightOrigin::warehouse("main"),
        ..Freight::default()
    };
    freight.metadata.name = Some(name.to_owned());
    freight
}

fn promotion(name: &str, of: &str, phase: PromotionPhase) -> Promotion {
    let mut promotion = Promotion::default();
    promotion.metadata.name = Some(name.to_owned());
    promotion.spec.freight = of.to_owned();
    let reference = FreightReference {
        name: of.to_owned(),
        origin: FreightOrigin::warehouse("main"),
        ..FreightReference::default()
    };
    promotion.status = Some(PromotionStatus {
        phase: Some(phase),
        freight_collection: Some(FreightCollection::of([reference.clone()])),
        freight: Some(reference),
        ..PromotionStatus::default()
    });
    promotion
}

#[track_caller]
fn check_condition(plan: &Plan, kind: &str, status: &str, reason: &str) {
    let condition = condition::find(&plan.status.conditions, kind).expect("the condition is set");
    assert_eq!(
        (condition.status.as_str(), condition.reason.as_str()),
        (status, reason),
        "{kind}"
    );
}

fn entered(name: &str) -> FreightChange {
    FreightChange::Entered {
        freight: name.to_owned(),
        at: at(100),
    }
}

fn verified(name: &str) -> FreightChange {
    FreightChange::Verified {
        freight: name.to_owned(),
        at: at(100),
    }
}

#[test]
fn a_new_stage_is_empty_and_says_so() {
    let plan = Case::new().pass();
    assert_eq!(plan.status.freight_summary, "0/1 Fulfilled");
    assert_eq!(plan.status.observed_generation, 1);
    check_condition(&plan, HEALTHY, "Unknown", "NoFreight");
    check_condition(&plan, READY, "False", "NoFreight");
    assert_eq!(plan.again, Again::After(POLL));
}

#[test]
fn the_oldest_promotion_that_waits_becomes_current() {
    let plan = Case::new()
        .freight("f1")
        .promotion("p2", "f1", PromotionPhase::Pending)
        .promotion("p1", "f1", PromotionPhase::Pending)
        .pass();
    let current = plan
        .status
        .current_promotion
        .as_ref()
        .expect("one of them may run");
    assert_eq!(
        (
            current.name.as_str(),
            current.freight.as_ref().map(|it| it.name.as_str())
        ),
        ("p1", Some("f1"))
    );
    check_condition(&plan, PROMOTING, "True", "ActivePromotion");
    check_condition(&plan, READY, "False", "ActivePromotion");
}

#[test]
fn a_promotion_that_succeeded_enters_the_history_and_the_next_pass_verifies_it() {
    let mut case = Case::new()
        .freight("f1")
        .promotion("p1", "f1", PromotionPhase::Succeeded);
    let first = case.pass();
    assert_eq!(
        (first.again, first.status.freight_history.len()),
        (Again::Now, 1)
    );
    check_condition(&first, HEALTHY, "Unknown", "WaitingForHealthCheck");
    assert!(first.freight.is_empty());
    let second = case.pass();
    check_condition(&second, HEALTHY, "True", "Healthy");
    check_condition(&second, VERIFIED, "True", "Verified");
    check_condition(&second, READY, "True", "Verified");
    assert_eq!(second.freight, [entered("f1"), verified("f1")]);
    assert_eq!(second.announce.len(), 1);
    assert_eq!(second.status.freight_summary, "f1");
    let third = case.pass();
    assert_eq!(
        (third.status, third.announce.len()),
        (second.status, 0),
        "a third pass changes nothing"
    );
}

#[test]
fn a_promotion_that_failed_changes_nothing_but_what_is_said() {
    let mut case = Case::new()
        .freight("f1")
        .promotion("p1", "f1", PromotionPhase::Failed);
    let plan = case.rest();
    assert!(plan.status.freight_history.is_empty() && plan.freight.is_empty());
    check_condition(&plan, HEALTHY, "Unknown", "LastPromotionFailed");
    check_condition(&plan, READY, "False", "LastPromotionFailed");
    assert_eq!(
        plan.status.last_promotion.map(|it| it.name).as_deref(),
        Some("p1")
    );
}

#[test]
fn all_promotions_that_ended_meanwhile_are_entered_in_order() {
    let case =
        Case::new()
            .freight("f1")
            .freight("f2")
            .promotion("p3", "f2", PromotionPhase::Aborted);
    let mut case = case
        .promotion("p1", "f1", PromotionPhase::Succeeded)
        .promotion("p2", "f2", PromotionPhase::Succeeded);
    let plan = case.pass();
    let names: Vec<_> = plan
        .status
        .freight_history
        .iter()
        .flat_map(|it| it.references().map(|it| it.name.as_str()))
        .collect();
    assert_eq!(names, ["f2", "f1"]);
    assert_eq!(
        plan.status.last_promotion.map(|it| it.name).as_deref(),
        Some("p3")
    );
}

#[test]
fn one_that_ended_early_waits_for_the_older_one_that_runs() {
    let case = Case::new()
        .freight("f1")
        .promotion("p1", "f1", PromotionPhase::Running);
    let mut case = case.promotion("p2", "f1", PromotionPhase::Aborted);
    let plan = case.pass();
    assert!(plan.status.last_promotion.is_none());
    assert_eq!(
        plan.status
            .current_promotion
            .as_ref()
            .map(|it| it.name.as_str()),
        Some("p1")
    );
    case.promotions[0] = Arc::new(promotion("p1", "f1", PromotionPhase::Succeeded));
    let plan = case.pass();
    assert_eq!(plan.status.freight_history.len(), 1, "p1 is not lost");
    assert_eq!(
        plan.status.last_promotion.map(|it| it.name).as_deref(),
        Some("p2")
    );
}

#[test]
fn a_current_promotion_that_was_deleted_makes_room() {
    let mut case = Case::new()
        .freight("f1")
        .promotion("p1", "f1", PromotionPhase::Running);
    case.pass();
    case.promotions.clear();
    let plan = case.rest();
    assert!(plan.status.current_promotion.is_none());
    assert!(condition::find(&plan.status.conditions, PROMOTING).is_none());
}

#[test]
fn what_was_promoted_is_verified_before_the_next_promotion_runs() {
    let mut case =
        Case::new()
            .freight("f1")
            .freight("f2")
            .promotion("p1", "f1", PromotionPhase::Succeeded);
    case = case.promotion("p2", "f2", PromotionPhase::Pending);
    let settling = case.pass();
    assert_eq!(settling.again, Again::Now);
    let verifying = case.pass();
    assert!(verifying.status.current_promotion.is_none());
    assert!(verifying.freight.contains(&verified("f1")));
    assert_eq!(verifying.again, Again::After(SOON));
    assert_eq!(
        case.pass()
            .status
            .current_promotion
            .map(|it| it.name)
            .as_deref(),
        Some("p2")
    );
}

#[test]
fn freight_that_was_replaced_leaves() {
    let mut case = Case::new()
        .freight("f2")
        .promotion("p1", "f2", PromotionPhase::Succeeded);
    let mut old = freight("f1");
    old.status
        .get_or_insert_default()
        .currently_in
        .insert("test".to_owned(), resources::CurrentStage::default());
    case.freight.push(Arc::new(old));
    let plan = case.rest();
    assert!(plan.freight.contains(&FreightChange::Left {
        freight: "f1".to_owned(),
        at: at(100)
    }));
}

#[test]
fn new_freight_is_promoted_by_itself_once() {
    let mut case = Case::new().auto().freight("f1");
    assert_eq!(case.pass().promote, ["f1"]);
    for phase in [
        PromotionPhase::Pending,
        PromotionPhase::Running,
        PromotionPhase::Succeeded,
        PromotionPhase::Failed,
    ] {
        let mut case = Case::new()
            .auto()
            .freight("f1")
            .promotion("p1", "f1", phase);
        assert!(case.rest().promote.is_empty());
        assert!(case.pass().promote.is_empty());
    }
    assert!(
        Case::new().freight("f1").pass().promote.is_empty(),
        "nobody allowed it"
    );
}

#[test]
fn a_newer_success_does_not_bring_a_failure_back() {
    let case = Case::new().auto().freight("f1").freight("f2");
    let mut case = case
        .promotion("p1", "f2", PromotionPhase::Failed)
        .promotion("p2", "f1", PromotionPhase::Succeeded);
    assert!(case.rest().promote.is_empty());
}

#[test]
fn freight_that_was_here_before_is_taken_back_only_if_it_is_the_newest() {
    let case = Case::new().auto().freight("f1").freight("f2");
    let mut case = case
        .promotion("p1", "f2", PromotionPhase::Succeeded)
        .promotion("p2", "f1", PromotionPhase::Succeeded);
    assert_eq!(
        case.rest().promote,
        ["f2"],
        "without a hold the newest comes back"
    );
    let mut held = Case { ..case };
    let mut by_hand = promotion("p2", "f1", PromotionPhase::Succeeded);
    by_hand.metadata.annotations = Some(
        [(
            annotation::AUTO_PROMOTION_HOLD.to_owned(),
            "Warehouse/main".to_owned(),
        )]
        .into(),
    );
    held.promotions[1] = Arc::new(by_hand);
    held.stage.status = None;
    let plan = held.rest();
    assert!(plan.promote.is_empty());
    assert!(
        plan.status
            .effective_auto_promotion_holds
            .contains_key("Warehouse/main")
    );
}

#[test]
fn a_stage_looks_again_when_freight_has_soaked() {
    let mut case = Case::new().auto();
    case.stage.spec.requested_freight[0].sources = FreightSources {
        stages: vec!["dev".to_owned()],
        required_soak_time: Some(resources::Duration::from_secs(60)),
        ..FreightSources::default()
    };
    let mut soaking = freight("f1");
    let status = soaking.status.get_or_insert_default();
    status
        .verified_in
        .insert("dev".to_owned(), resources::VerifiedStage::default());
    status.currently_in.insert(
        "dev".to_owned(),
        resources::CurrentStage {
            since: Some(Time(at(70))),
        },
    );
    case.freight.push(Arc::new(soaking));
    let plan = case.pass();
    assert_eq!(
        (plan.promote.len(), plan.again),
        (0, Again::After(Duration::from_secs(30)))
    );
}

#[test]
fn health_checks_that_nobody_can_make_leave_health_unknown() {
    let mut case = Case::new().freight("f1");
    let mut ended = promotion("p1", "f1", PromotionPhase::Succeeded);
    let check = HealthCheck {
        uses: "argocd-update".to_owned(),
        config: None,
    };
    ended
        .status
        .as_mut()
        .expect("it has a status")
        .health_checks = vec![check];
    case.promotions.push(Arc::new(ended));
    let plan = case.rest();
    check_condition(&plan, HEALTHY, "Unknown", "Unknown");
    let health = plan.status.health.expect("it was assessed");
    assert_eq!(health.status, Some(HealthState::Unknown));
    assert!(health.issues[0].contains("argocd-update"));
    assert!(!plan.freight.contains(&verified("f1")));
}

#[test]
fn a_stage_that_wants_analysis_is_told_that_there_is_none() {
    let mut case = Case::new()
        .freight("f1")
        .promotion("p1", "f1", PromotionPhase::Succeeded);
    case.stage.spec.verification = Some(Verification::default());
    let plan = case.rest();
    check_condition(&plan, VERIFIED, "False", "VerificationError");
    assert!(!plan.freight.contains(&verified("f1")));
}

#[test]
fn a_verification_is_repeated_when_somebody_asks_for_it_by_id() {
    let mut case = Case::new()
        .freight("f1")
        .promotion("p1", "f1", PromotionPhase::Succeeded);
    case.rest();
    let history = &mut case
        .stage
        .status
        .as_mut()
        .expect("it was looked at")
        .freight_history[0]
        .verification_history;
    history[0].id = "v0".to_owned();
    let request = |id: &str| Some([(annotation::REVERIFY.to_owned(), id.to_owned())].into());
    case.stage.metadata.annotations = request("another");
    assert_eq!(
        case.pass().status.freight_history[0]
            .verification_history
            .len(),
        1
    );
    case.stage.metadata.annotations = request("v0");
    let history = case.pass().status.freight_history[0]
        .verification_history
        .clone();
    let found: Vec<_> = history
        .iter()
        .map(|it| (it.id.as_str(), it.phase.clone()))
        .collect();
    let successful = Some(VerificationPhase::Successful);
    assert_eq!(found, [("v1", successful.clone()), ("v0", successful)]);
    assert_eq!(
        case.pass().status.freight_history[0]
            .verification_history
            .len(),
        2,
        "once is enough"
    );
}

#[test]
fn what_is_promoted_again_comes_to_the_front_and_keeps_its_verifications() {
    let case = Case::new().freight("f1").freight("f2");
    let mut case = case.promotion("p1", "f1", PromotionPhase::Succeeded);
    case.rest();
    case.promotions
        .push(Arc::new(promotion("p2", "f2", PromotionPhase::Succeeded)));
    case.rest();
    case.promotions
        .push(Arc::new(promotion("p3", "f1", PromotionPhase::Succeeded)));
    let plan = case.rest();
    let history = &plan.status.freight_history;
    assert_eq!(history.len(), 2);
    assert!(history[0].includes("f1") && history[0].current_verification().is_some());
}

#[test]
fn an_error_is_said_in_the_status_and_taken_back_by_the_next_pass() {
    let mut case = Case::new();
    case.stage.status = Some(failed(
        StageStatus::default(),
        "no route",
        Some(1),
        Time(at(1)),
    ));
    let conditions = &case.stage.status.as_ref().expect("it is set").conditions;
    assert_eq!(
        condition::find(conditions, READY).map(|it| it.reason.as_str()),
        Some("ReconcileError")
    );
    assert!(condition::is_true(conditions, condition::RECONCILING));
    let plan = case.pass();
    assert!(condition::find(&plan.status.conditions, condition::RECONCILING).is_none());
}

#[test]
fn promotions_that_were_settled_are_not_settled_again() {
    let promotions = vec![
        Arc::new(promotion("p1", "f1", PromotionPhase::Succeeded)),
        Arc::new(promotion("p2", "f1", PromotionPhase::Failed)),
    ];
    let mut stage = Stage::default();
    let last = PromotionReference {
        name: "p1".to_owned(),
        ..PromotionReference::default()
    };
    stage.status.get_or_insert_default().last_promotion = Some(last);
    let names: Vec<_> = unsettled(&stage, &promotions)
        .into_iter()
        .map(|it| it.name())
        .collect();
    assert_eq!(names, ["p2"]);
}
