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
        about: &[],
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
fn a_fault_hits_what_a_request_is_about_too() {
    let occasion = Occasion {
        about: &["projects/shop/topics/gcr", "projects/example.com:web/x"],
        ..mint()
    };
    for (scope, hit) in [
        (json!({"project": "shop"}), true),
        (json!({"project": "example.com:web"}), true),
        (json!({"project": "web"}), false),
        (json!({"path": "topics/gcr"}), true),
        (
            json!({"pathPattern": "^projects/shop/topics/[a-z]+$"}),
            true,
        ),
        (json!({"pathPattern": "^projects/shop$"}), false),
    ] {
        let mut faults = Faults::with_seed(1);
        let mut fault = Effect::Unavailable.everywhere();
        fault.scope = serde_json::from_value(scope.clone()).unwrap();
        faults.add(fault);
        assert_eq!(hits(&mut faults, &occasion), hit, "{scope}");
    }
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

#[test]
fn every_fault_is_known_by_its_name() {
    for text in [
        r#"{"fault":"mds_not_ready","how":"refuse"}"#,
        r#"{"fault":"mds_499_overload"}"#,
        r#"{"fault":"mds_wrong_identity"}"#,
        r#"{"fault":"mds_near_expiry","seconds":30}"#,
        r#"{"fault":"mds_expired"}"#,
        r#"{"fault":"latency","milliseconds":50,"p99Milliseconds":900}"#,
        r#"{"fault":"slow_body","milliseconds":50}"#,
        r#"{"fault":"hang"}"#,
        r#"{"fault":"burst_429","times":3}"#,
        r#"{"fault":"burst_503","times":3}"#,
        r#"{"fault":"internal"}"#,
        r#"{"fault":"deadline_exceeded"}"#,
        r#"{"fault":"html_502"}"#,
        r#"{"fault":"conn_reset"}"#,
        r#"{"fault":"truncated_json"}"#,
        r#"{"fault":"bad_content_type"}"#,
        r#"{"fault":"null_body"}"#,
        r#"{"fault":"service_disabled"}"#,
        r#"{"fault":"consumer_refused","reason":"BILLING_DISABLED"}"#,
        r#"{"fault":"gsa_missing"}"#,
        r#"{"fault":"gsa_denied"}"#,
        r#"{"fault":"gsa_disabled"}"#,
        r#"{"fault":"binding_revoked","afterSeconds":90}"#,
        r#"{"fault":"propagation_delay","grantSeconds":70,"revokeSeconds":90,"flapping":true}"#,
        r#"{"fault":"federated_outlives_provider"}"#,
        r#"{"fault":"clock_skew","seconds":-90}"#,
        r#"{"fault":"etag_conflict","times":1}"#,
        r#"{"fault":"drs_reject"}"#,
        r#"{"fault":"org_lifetime_cap"}"#,
        r#"{"fault":"vpcsc","uid":"u"}"#,
        r#"{"fault":"partial_permissions","permissions":["a.b.c"]}"#,
        r#"{"fault":"registry_401_nochallenge"}"#,
        r#"{"fault":"registry_slow_catalog","milliseconds":9}"#,
        r#"{"fault":"tags_10k_no_link"}"#,
        r#"{"fault":"tags_without_extension"}"#,
        r#"{"fault":"asset_stale","seconds":600}"#,
        r#"{"fault":"operation_slow","seconds":60}"#,
        r#"{"fault":"operation_failed","code":9,"message":"m"}"#,
        r#"{"fault":"pubsub_dup"}"#,
        r#"{"fault":"pubsub_reorder"}"#,
        r#"{"fault":"pubsub_drop"}"#,
    ] {
        let fault: Fault = serde_json::from_str(text).expect(text);
        let written = serde_json::to_string(&fault).unwrap();
        assert_eq!(serde_json::from_str::<Fault>(&written).unwrap(), fault);
    }
}
