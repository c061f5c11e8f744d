//! Whom faults hit, how often, and how they are written.

use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

fn mint() -> Occasion<'static> {
    Occasion {
        service: "iamcredentials.googleapis.com",
        method: "generateAccessToken",
        principal: None,
        path: "/v1/projects/-/serviceAccounts/web@acme.iam.gserviceaccount.com:generateAccessToken",
    }
}

fn hits(faults: &mut Faults, occasion: &Occasion<'_>) -> bool {
    faults.strike(occasion, NOW, |_| true).is_some()
}

#[test]
fn a_burst_ends_after_its_count() {
    let mut faults = Faults::with_seed(1);
    faults.add(
        Effect::Unavailable
            .on("iamcredentials.googleapis.com")
            .times(2),
    );
    let found: Vec<bool> = (0..3).map(|_| hits(&mut faults, &mint())).collect();
    assert_eq!(found, [true, true, false]);
}

#[test]
fn a_fault_hits_only_in_its_scope() {
    let mut faults = Faults::with_seed(1);
    faults.add(Effect::Unavailable.on("sts.googleapis.com"));
    faults.add(Effect::Hang.everywhere().where_path_has("api@acme"));
    assert!(!hits(&mut faults, &mint()));
}

fn at_minute(minute: i64) -> Timestamp {
    NOW + jiff::SignedDuration::from_mins(minute)
}

#[test]
fn a_fault_hits_only_in_its_time() {
    let mut faults = Faults::with_seed(1);
    let mut fault = Effect::Unavailable.everywhere();
    (fault.from, fault.until) = (Some(at_minute(1)), Some(at_minute(2)));
    faults.add(fault);
    let hits: Vec<bool> = [0, 1, 2]
        .map(|minute| {
            faults
                .strike(&mint(), at_minute(minute), |_| true)
                .is_some()
        })
        .to_vec();
    assert_eq!(hits, [false, true, false]);
}

#[test]
fn a_path_is_scoped_by_project_and_by_pattern() {
    let scopes = [
        (json!({"project": "acme"}), true),
        (json!({"project": "acm"}), false),
        (
            json!({"pathPattern": "^/v1/projects/-/.*/web@[a-z]+"}),
            true,
        ),
        (json!({"pathPattern": "^web@"}), false),
    ];
    for (scope, hit) in scopes {
        let mut faults = Faults::with_seed(1);
        let mut fault = Effect::Unavailable.everywhere();
        fault.scope = serde_json::from_value(scope.clone()).unwrap();
        faults.add(fault);
        assert_eq!(hits(&mut faults, &mint()), hit, "{scope}");
    }
    let broken = serde_json::from_value::<Scope>(json!({"pathPattern": "("}));
    assert!(broken.is_err());
}

#[test]
fn the_same_seed_gives_the_same_faults() {
    let run = |seed| {
        let mut faults = Faults::with_seed(seed);
        let mut fault = Effect::Unavailable.everywhere();
        fault.probability = Some(0.5);
        faults.add(fault);
        (0..32)
            .map(|_| hits(&mut faults, &mint()))
            .collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn a_fault_is_written_as_one_flat_object() {
    let text = r#"{"fault":"burst_429","retryAfter":7,"times":3,"scope":{"service":"sts.googleapis.com"}}"#;
    let fault: Fault = serde_json::from_str(text).unwrap();
    let effect = Effect::TooManyRequests {
        retry_after: Some(7),
    };
    assert_eq!(fault, effect.on("sts.googleapis.com").times(3));
}
