//! Which Event tells of which phase.

use resources::PromotionStatus;

use super::*;

fn freight() -> Freight {
    let mut freight = Freight::default();
    freight.metadata.name = Some("f1".to_owned());
    freight.metadata.namespace = Some("shop".to_owned());
    freight
}

#[test]
fn every_phase_that_ends_a_promotion_has_its_reason_and_the_others_have_none() {
    use PromotionPhase::{Aborted, Errored, Failed, Other, Pending, Running, Succeeded};
    for (phase, expected) in [
        (
            Succeeded,
            Some(("PromotionSucceeded", "Promotion succeeded")),
        ),
        (Failed, Some(("PromotionFailed", "Promotion failed"))),
        (Errored, Some(("PromotionErrored", "Promotion errored"))),
        (Aborted, Some(("PromotionAborted", "Promotion aborted"))),
        (Pending, None),
        (Running, None),
        (Other("Paused".into()), None),
    ] {
        for (said, end) in [("", ""), ("why", ": why")] {
            let mut promotion = Promotion::default();
            promotion.metadata.name = Some("test.1.f1".to_owned());
            promotion.metadata.namespace = Some("shop".to_owned());
            promotion.status = Some(PromotionStatus {
                phase: Some(phase.clone()),
                message: said.to_owned(),
                ..PromotionStatus::default()
            });
            let event = promotion_ended(&promotion, Some(&freight()), None, "controller:x");
            let told = event.as_ref().map(|event| {
                assert_eq!(event.tone, Tone::Normal, "{phase:?}");
                let on = (event.kind, event.name.as_str(), event.project.as_str());
                assert_eq!(on, ("Promotion", "test.1.f1", "shop"), "{phase:?}");
                (event.reason, event.message.clone())
            });
            let expected = expected.map(|(reason, message)| (reason, format!("{message}{end}")));
            assert_eq!(told, expected, "{phase:?}");
        }
    }
}

#[test]
fn every_phase_of_a_verification_has_its_reason() {
    use VerificationPhase::{
        Aborted, Error, Failed, Inconclusive, Other, Pending, Running, Successful,
    };
    for (phase, reason, outcome) in [
        (
            Some(Successful),
            "FreightVerificationSucceeded",
            "succeeded",
        ),
        (Some(Failed), "FreightVerificationFailed", "failed"),
        (Some(Error), "FreightVerificationErrored", "errored"),
        (Some(Aborted), "FreightVerificationAborted", "was aborted"),
        (
            Some(Inconclusive),
            "FreightVerificationInconclusive",
            "was inconclusive",
        ),
        (
            Some(Pending),
            "FreightVerificationUnknown",
            "ended in an unknown way",
        ),
        (
            Some(Running),
            "FreightVerificationUnknown",
            "ended in an unknown way",
        ),
        (
            Some(Other("Paused".into())),
            "FreightVerificationUnknown",
            "ended in an unknown way",
        ),
        (
            None,
            "FreightVerificationUnknown",
            "ended in an unknown way",
        ),
    ] {
        for (said, end) in [("", ""), ("why", ": why")] {
            let record = VerificationRecord {
                phase: phase.clone(),
                message: said.to_owned(),
                ..VerificationRecord::default()
            };
            let event = freight_verified(&freight(), "test", &record, "controller:x");
            assert_eq!(event.reason, reason, "{phase:?}");
            assert_eq!(event.tone, Tone::Normal, "{phase:?}");
            let on = (event.kind, event.name.as_str(), event.project.as_str());
            assert_eq!(on, ("Freight", "f1", "shop"), "{phase:?}");
            let message = format!("Freight verification {outcome}{end}");
            assert_eq!(event.message, message, "{phase:?}");
            let stage = event.annotations.get(&format!("{EVENT_PREFIX}stage-name"));
            assert_eq!(stage.map(String::as_str), Some("test"), "{phase:?}");
        }
    }
}

#[test]
fn an_event_names_who_acted() {
    let actor = |event: &Event| event.annotations[&format!("{EVENT_PREFIX}actor")].clone();
    let mut record = VerificationRecord::default();
    let told = freight_verified(&freight(), "test", &record, "controller:x");
    assert_eq!(actor(&told), "controller:x");
    record.actor = "email:ann@example.com".to_owned();
    let told = freight_verified(&freight(), "test", &record, "controller:x");
    assert_eq!(actor(&told), "email:ann@example.com");
}
