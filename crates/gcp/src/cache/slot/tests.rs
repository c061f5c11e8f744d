//! What is remembered and for how long, second by second.

use std::time::Duration;

use secret::Secret;

use super::*;
use crate::error::Absence;
use crate::token::Identity;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn token(name: &str, expires: i64) -> Token {
    Token {
        access_token: Secret::from(name),
        identity: Identity::Federated("principal://x".to_owned()),
        expires: at(expires),
        doubt: None,
    }
}

fn absent() -> TokenError {
    TokenError::Absent {
        account: "a".to_owned(),
        why: Absence::NotFound,
    }
}

fn forbidden() -> TokenError {
    TokenError::Forbidden {
        account: "a".to_owned(),
        permission: "p".to_owned(),
        caller: "c".to_owned(),
    }
}

fn trouble() -> TokenError {
    TokenError::Unavailable {
        host: "google".to_owned(),
        status: 503,
    }
}

fn disabled() -> TokenError {
    TokenError::ApiDisabled {
        service: "s".to_owned(),
        project: "p".to_owned(),
    }
}

fn consumer_refused() -> TokenError {
    TokenError::ConsumerRefused {
        host: "google".to_owned(),
        consumer: "projects/4711".to_owned(),
        reason: "CONSUMER_SUSPENDED".to_owned(),
    }
}

fn limited(seconds: u64) -> TokenError {
    TokenError::RateLimited {
        host: "google".to_owned(),
        retry_after: Some(Duration::from_secs(seconds)),
    }
}

/// Says in a word what a caller gets at some second.
fn look(slot: &Slot, seconds: i64) -> String {
    match slot.look(at(seconds)) {
        Look::Serve(token) => format!("serve {}", name(&token)),
        Look::ServeAndRenew(token) => format!("serve {}, renew", name(&token)),
        Look::Refuse(error) => format!("refuse {}", error.label()),
        Look::Fetch => "fetch".to_owned(),
    }
}

fn name(token: &Token) -> String {
    let doubt = token
        .doubt
        .as_ref()
        .map(|error| format!(" despite {}", error.label()));
    format!(
        "{}{}",
        token.access_token.expose(),
        doubt.unwrap_or_default()
    )
}

fn settle(slot: &mut Slot, fetched: Result<Token, TokenError>, seconds: i64) -> String {
    match slot.settle(fetched, at(seconds), 1.0) {
        Ok(token) => name(&token),
        Err(error) => format!("refuse {}", error.label()),
    }
}

fn check(slot: &Slot, expected: &[(i64, &str)]) {
    for (seconds, expected) in expected {
        assert_eq!(look(slot, *seconds), *expected, "at second {seconds}");
    }
}

#[test]
fn a_token_is_renewed_ahead_of_need_and_awaited_five_minutes_before_its_end() {
    let mut slot = Slot::default();
    check(&slot, &[(0, "fetch")]);
    assert_eq!(settle(&mut slot, Ok(token("a", 3_600)), 0), "a");
    check(
        &slot,
        &[
            (0, "serve a"),
            (2_999, "serve a"),
            (3_000, "serve a, renew"),
            (3_299, "serve a, renew"),
            (3_300, "fetch"),
            (3_700, "fetch"),
        ],
    );
}

#[test]
fn renewals_are_spread_over_a_minute() {
    let mut starts = std::collections::BTreeSet::new();
    for jitter in [0.8, 0.9, 1.0] {
        let mut slot = Slot::default();
        slot.settle(Ok(token("a", 3_600)), at(0), jitter)
            .expect("a token");
        let first = (0..3_600).find(|second| look(&slot, *second) == "serve a, renew");
        starts.insert(first.expect("a renewal"));
    }
    assert_eq!(starts, [3_000, 3_030, 3_060].into());
}

#[test]
fn a_token_that_is_nearly_over_is_used_and_not_asked_for_in_a_loop() {
    for (life, asked_from) in [(239, 30), (100, 30), (30, 15), (12, 2)] {
        let mut slot = Slot::default();
        settle(&mut slot, Ok(token("a", life)), 0);
        check(
            &slot,
            &[
                (0, "serve a"),
                (asked_from - 1, "serve a"),
                (asked_from, "fetch"),
            ],
        );
        // The metadata server gives the same one again.
        settle(&mut slot, Ok(token("a", life)), asked_from);
        let next = asked_from + 30.min((life - asked_from) / 2);
        check(&slot, &[(next, "fetch")]);
    }
}

#[test]
fn an_error_is_remembered_as_long_as_it_is_likely_to_last() {
    let refused = |status| TokenError::Refused {
        host: String::new(),
        status,
        reason: String::new(),
        message: String::new(),
    };
    for (error, seconds) in [
        (absent(), 300),
        (forbidden(), 120),
        (disabled(), 60),
        (refused(403), 60),
        (consumer_refused(), 60),
    ] {
        for jitter in [0.8, 1.0] {
            let mut slot = Slot::default();
            let label = format!("refuse {}", error.label());
            let refused = slot.settle(Err(error.clone()), at(0), jitter);
            assert!(refused.is_err());
            #[expect(clippy::cast_possible_truncation, reason = "whole seconds")]
            let until = (f64::from(seconds) * jitter) as i64;
            check(&slot, &[(0, &label), (until - 1, &label), (until, "fetch")]);
        }
    }
    for (asked, seconds) in [(20, 20), (600, 600), (3_600, 3_600)] {
        let mut slot = Slot::default();
        let refused = slot.settle(Err(limited(asked)), at(0), 0.8);
        assert!(refused.is_err());
        let limit = "refuse rate-limited";
        check(
            &slot,
            &[(0, limit), (seconds - 1, limit), (seconds, "fetch")],
        );
    }
    let of_node = TokenError::OfNode {
        account: "serviceAccount:node".to_owned(),
    };
    for (jitter, until) in [(0.8, 24), (1.0, 30)] {
        let mut slot = Slot::default();
        assert!(slot.settle(Err(of_node.clone()), at(0), jitter).is_err());
        check(&slot, &[(until - 1, "refuse of-node"), (until, "fetch")]);
    }
    for error in [
        trouble(),
        refused(400),
        TokenError::Unauthenticated {
            host: String::new(),
            reason: String::new(),
        },
        TokenError::Unexpected {
            host: String::new(),
            status: 404,
        },
        TokenError::Silent {
            host: String::new(),
        },
    ] {
        let mut slot = Slot::default();
        settle(&mut slot, Err(error.clone()), 0);
        assert_eq!(look(&slot, 0), "fetch", "{error}");
    }
}

#[test]
fn trouble_does_not_take_away_a_token_that_is_still_good() {
    let mut slot = Slot::default();
    settle(&mut slot, Ok(token("a", 3_600)), 0);
    assert_eq!(
        settle(&mut slot, Err(trouble()), 3_300),
        "a despite unavailable"
    );
    check(
        &slot,
        &[(3_301, "serve a despite unavailable"), (3_330, "fetch")],
    );
    assert_eq!(
        settle(&mut slot, Err(limited(60)), 3_330),
        "a despite rate-limited"
    );
    check(
        &slot,
        &[(3_389, "serve a despite rate-limited"), (3_390, "fetch")],
    );
    assert_eq!(
        settle(&mut slot, Err(trouble()), 3_595),
        "refuse unavailable"
    );
    check(&slot, &[(3_596, "fetch")]);
}

#[test]
fn a_limit_lasts_longer_than_the_token_that_serves_meanwhile() {
    let mut slot = Slot::default();
    settle(&mut slot, Ok(token("a", 3_600)), 0);
    let limited = settle(&mut slot, Err(limited(600)), 3_300);
    assert_eq!(limited, "a despite rate-limited");
    check(
        &slot,
        &[
            (3_589, "serve a despite rate-limited"),
            (3_590, "refuse rate-limited"),
            (3_899, "refuse rate-limited"),
            (3_900, "fetch"),
        ],
    );
    assert_eq!(settle(&mut slot, Ok(token("b", 7_500)), 3_900), "b");
    check(&slot, &[(3_901, "serve b")]);
}

#[test]
fn a_wrong_configuration_is_said_once_the_token_is_due() {
    let mut slot = Slot::default();
    settle(&mut slot, Ok(token("a", 3_600)), 0);
    assert_eq!(
        settle(&mut slot, Err(disabled()), 3_000),
        "a despite api-disabled"
    );
    assert_eq!(
        settle(&mut slot, Err(disabled()), 3_300),
        "refuse api-disabled"
    );
    check(&slot, &[(3_301, "refuse api-disabled"), (3_360, "fetch")]);
}

#[test]
fn a_refusal_counts_at_once_where_there_never_was_a_token() {
    for error in [absent(), forbidden()] {
        let mut slot = Slot::default();
        let label = format!("refuse {}", error.label());
        assert_eq!(settle(&mut slot, Err(error), 0), label);
        check(&slot, &[(0, &label)]);
    }
}

#[test]
fn after_a_token_a_refusal_counts_when_said_twice_half_a_minute_apart() {
    let mut slot = Slot::default();
    settle(&mut slot, Ok(token("a", 3_600)), 0);
    assert_eq!(
        settle(&mut slot, Err(forbidden()), 3_300),
        "a despite unconfirmed"
    );
    check(
        &slot,
        &[(3_329, "serve a despite unconfirmed"), (3_330, "fetch")],
    );
    assert_eq!(
        settle(&mut slot, Err(forbidden()), 3_330),
        "refuse forbidden"
    );
    check(&slot, &[(3_331, "refuse forbidden"), (3_450, "fetch")]);
    assert_eq!(
        settle(&mut slot, Err(forbidden()), 3_450),
        "refuse forbidden"
    );
}

#[test]
fn the_first_refusal_after_a_token_has_expired_does_not_count_either() {
    let mut slot = Slot::default();
    settle(&mut slot, Ok(token("a", 3_600)), 0);
    assert_eq!(
        settle(&mut slot, Err(absent()), 9_000),
        "refuse unconfirmed"
    );
    check(&slot, &[(9_029, "refuse unconfirmed"), (9_030, "fetch")]);
    assert_eq!(settle(&mut slot, Err(absent()), 9_030), "refuse absent");
    check(&slot, &[(9_031, "refuse absent")]);
}

#[test]
fn another_refusal_or_a_success_starts_the_count_anew() {
    let mut slot = Slot::default();
    settle(&mut slot, Ok(token("a", 3_600)), 0);
    settle(&mut slot, Err(absent()), 9_000);
    assert_eq!(
        settle(&mut slot, Err(forbidden()), 9_030),
        "refuse unconfirmed"
    );
    assert_eq!(
        settle(&mut slot, Err(trouble()), 9_060),
        "refuse unavailable"
    );
    assert_eq!(
        settle(&mut slot, Err(forbidden()), 9_061),
        "refuse forbidden"
    );

    let mut slot = Slot::default();
    settle(&mut slot, Ok(token("a", 3_600)), 0);
    settle(&mut slot, Err(absent()), 9_000);
    assert_eq!(settle(&mut slot, Ok(token("b", 12_630)), 9_030), "b");
    assert_eq!(
        settle(&mut slot, Err(absent()), 15_000),
        "refuse unconfirmed"
    );
}

#[test]
fn a_token_that_was_turned_down_is_forgotten_once_and_strikes_still_count() {
    let mut slot = Slot::default();
    settle(&mut slot, Ok(token("a", 3_600)), 0);
    assert!(!slot.forget(&token("b", 3_600)));
    assert!(slot.forget(&token("a", 3_600)));
    assert!(!slot.forget(&token("a", 3_600)));
    check(&slot, &[(1, "fetch")]);
    assert_eq!(settle(&mut slot, Err(absent()), 2), "refuse unconfirmed");
}

#[test]
fn what_keeps_everybody_out_may_be_mended_too_and_a_limit_stays() {
    for (error, is_forgotten) in [(disabled(), true), (limited(40), false)] {
        let mut slot = Slot::default();
        assert!(slot.settle(Err(error.clone()), at(0), 1.0).is_err());
        assert!(matches!(slot.look(at(1)), Look::Refuse(_)), "{error}");
        slot.forget_refusal();
        assert_eq!(
            matches!(slot.look(at(1)), Look::Fetch),
            is_forgotten,
            "{error}"
        );
    }
}

#[test]
fn a_refusal_that_was_mended_is_not_waited_out_and_a_strike_is() {
    let mut slot = Slot::default();
    assert!(slot.settle(Err(absent()), at(0), 1.0).is_err());
    assert!(matches!(slot.look(at(1)), Look::Refuse(_)));
    slot.forget_refusal();
    assert!(matches!(slot.look(at(1)), Look::Fetch));
    assert!(slot.settle(Ok(token("t", 20)), at(1), 1.0).is_ok());
    assert!(slot.settle(Err(forbidden()), at(15), 1.0).is_err());
    slot.forget_refusal();
    let Look::Refuse(error) = slot.look(at(16)) else {
        panic!("it was said once only");
    };
    assert!(!error.is_definite(), "{error}");
}
