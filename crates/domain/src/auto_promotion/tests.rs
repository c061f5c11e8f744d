//! Policies and holds, case by case.

use resources::{FreightRequest, ProjectConfigSpec, PromotionStatus};
use serde_json::json;

use super::*;

fn stage(name: &str) -> Stage {
    let mut stage = Stage::default();
    stage.metadata.name = Some(name.to_owned());
    stage.metadata.labels = Some([("tier".to_owned(), "edge".to_owned())].into());
    let request = |name| FreightRequest {
        origin: FreightOrigin::warehouse(name),
        ..FreightRequest::default()
    };
    stage.spec.requested_freight = vec![request("main"), request("charts")];
    stage
}

#[track_caller]
#[expect(
    clippy::needless_pass_by_value,
    reason = "cases read better without references"
)]
fn check(policies: serde_json::Value, expected: bool) {
    let promotion_policies =
        serde_json::from_value(policies.clone()).expect("policies are well-formed");
    let spec = ProjectConfigSpec {
        promotion_policies,
        ..ProjectConfigSpec::default()
    };
    let config = ProjectConfig {
        spec,
        ..ProjectConfig::default()
    };
    assert_eq!(
        enabled(Some(&config), &stage("test")),
        expected,
        "{policies}"
    );
}

#[test]
fn without_a_policy_nothing_is_promoted_by_itself() {
    assert!(!enabled(None, &stage("test")));
    check(json!([]), false);
    check(
        json!([{"stage": "prod", "autoPromotionEnabled": true}]),
        false,
    );
}

#[test]
fn the_first_policy_that_matches_wins_also_when_it_says_no() {
    check(
        json!([{"stage": "test", "autoPromotionEnabled": true}]),
        true,
    );
    check(
        json!([{"stage": "test"}, {"stageSelector": {}, "autoPromotionEnabled": true}]),
        false,
    );
    check(
        json!([{"stage": "prod"}, {"stageSelector": {}, "autoPromotionEnabled": true}]),
        true,
    );
}

#[test]
fn a_selector_needs_name_and_labels_to_match() {
    let selector = |selector| json!([{"stageSelector": selector, "autoPromotionEnabled": true}]);
    check(selector(json!({"name": "glob:t*"})), true);
    check(
        selector(json!({"name": "glob:t*", "matchLabels": {"tier": "edge"}})),
        true,
    );
    check(
        selector(json!({"name": "glob:t*", "matchLabels": {"tier": "core"}})),
        false,
    );
    check(
        selector(json!({"name": "regex:^p", "matchLabels": {"tier": "edge"}})),
        false,
    );
    check(selector(json!({"name": "what:ever"})), false);
}

#[test]
fn expressions_over_labels_mean_what_they_mean_in_kubernetes() {
    let expression = |key: &str, operator: &str, values: &[&str]| {
        let expression = json!({"key": key, "operator": operator, "values": values});
        json!([{"stageSelector": {"matchExpressions": [expression]}, "autoPromotionEnabled": true}])
    };
    check(expression("tier", "In", &["core", "edge"]), true);
    check(expression("tier", "NotIn", &["edge"]), false);
    check(expression("absent", "NotIn", &["edge"]), true);
    check(expression("tier", "Exists", &[]), true);
    check(expression("tier", "DoesNotExist", &[]), false);
    check(expression("tier", "Weird", &[]), false);
}

fn promotion(name: &str, phase: PromotionPhase, annotation: Option<(&str, &str)>) -> Promotion {
    let mut promotion = Promotion::default();
    promotion.metadata.name = Some(name.to_owned());
    promotion.metadata.annotations =
        annotation.map(|(key, value)| [(key.to_owned(), value.to_owned())].into());
    promotion.spec.freight = "f1".to_owned();
    promotion.status = Some(PromotionStatus {
        phase: Some(phase),
        ..PromotionStatus::default()
    });
    promotion
}

const HOLD: Option<(&str, &str)> = Some((annotation::AUTO_PROMOTION_HOLD, "Warehouse/main"));
const RESUME: Option<(&str, &str)> = Some((annotation::AUTO_PROMOTION_RESUME, "Warehouse/main"));

#[test]
fn a_promotion_that_ended_holds_and_another_resumes() {
    let mut holds = Holds::new();
    settle(
        &mut holds,
        &stage("test"),
        &promotion("p1", PromotionPhase::Failed, HOLD),
    );
    assert_eq!(holds["Warehouse/main"].freight_name, "f1");
    assert_eq!(holds["Warehouse/main"].promotion_name, "p1");
    assert_eq!(
        holds["Warehouse/main"].origin,
        FreightOrigin::warehouse("main")
    );
    settle(
        &mut holds,
        &stage("test"),
        &promotion("p2", PromotionPhase::Succeeded, None),
    );
    assert_eq!(holds.len(), 1);
    settle(
        &mut holds,
        &stage("test"),
        &promotion("p3", PromotionPhase::Succeeded, RESUME),
    );
    assert!(holds.is_empty());
}

#[test]
fn a_promotion_that_was_aborted_changes_nothing() {
    let mut holds = Holds::new();
    settle(
        &mut holds,
        &stage("test"),
        &promotion("p1", PromotionPhase::Aborted, HOLD),
    );
    assert!(holds.is_empty());
}

#[test]
fn nobody_holds_what_is_not_requested() {
    let mut holds = Holds::new();
    let other = Some((annotation::AUTO_PROMOTION_HOLD, "Warehouse/other"));
    settle(
        &mut holds,
        &stage("test"),
        &promotion("p1", PromotionPhase::Failed, other),
    );
    assert!(holds.is_empty());
}

#[test]
fn what_runs_holds_only_while_it_runs() {
    let running = promotion("p1", PromotionPhase::Running, HOLD);
    assert!(effective(&Holds::new(), &stage("test"), [&running]).contains_key("Warehouse/main"));
    assert!(effective(&Holds::new(), &stage("test"), []).is_empty());
}

#[test]
fn holds_go_with_auto_promotion_and_with_their_origin() {
    let held = || {
        effective(
            &Holds::new(),
            &stage("test"),
            [&promotion("p1", PromotionPhase::Running, HOLD)],
        )
    };
    let mut holds = held();
    prune(&mut holds, true, &stage("test"));
    assert_eq!(holds.len(), 1);
    prune(&mut holds, false, &stage("test"));
    assert!(holds.is_empty());
    let mut holds = held();
    prune(&mut holds, true, &Stage::default());
    assert!(holds.is_empty());
}
