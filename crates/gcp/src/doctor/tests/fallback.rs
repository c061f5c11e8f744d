//! Which Projects are said to fall back, with the Pod's view and at a desk.

use super::broken::*;
use super::*;
use crate::Fallback;
use crate::Fallback::{Allow, Deny, IfAbsent};
use crate::policy::{Policy, TIGHT_MINTER};

type Change = fn(&mut Facts);

/// At a desk nobody asked for a token.
fn untried(facts: &mut Facts) {
    for seen in facts.projects.values_mut() {
        seen.mint = Reading::default();
    }
}

fn wish(facts: &mut Facts, policy: &str) {
    web(facts).fallback = known(Some(policy.to_owned()));
}

fn without_right(facts: &mut Facts) {
    untried(facts);
    web(facts).policy = known(Policy::default());
}

fn without_account(facts: &mut Facts) {
    untried(facts);
    web(facts).account = Reading::absent("GET account");
    web(facts).policy = Reading::absent("POST account:getIamPolicy");
}

#[track_caller]
fn check(policy: Fallback, status: Status, says: &str, change: Change) {
    let report = after(|facts| {
        facts.intent.fallback = policy;
        change(facts);
    });
    let it = result(&report, "FALLBACK-MODE");
    assert_eq!(it.status, status, "{policy}: {}", it.says);
    assert!(it.says.contains(says), "{policy}: {}", it.says);
}

#[test]
fn a_desk_sees_who_falls_back_by_what_is_granted() {
    for (policy, status) in [
        (Allow, Status::Warn),
        (IfAbsent, Status::Warn),
        (Deny, Status::Pass),
    ] {
        check(policy, status, "", without_account);
    }
    check(Allow, Status::Warn, "web would use", without_right);
    check(IfAbsent, Status::Pass, "", without_right);
    check(Allow, Status::Pass, "acts as itself", untried);
    check(Allow, Status::Pass, "", |it| {
        without_right(it);
        it.home_policy = known(granting(TIGHT_MINTER, &controller().to_string()));
    });
}

#[test]
fn what_was_tried_counts_for_more_than_what_is_granted() {
    check(Allow, Status::Pass, "", |it| {
        web(it).policy = known(Policy::default());
    });
    check(Allow, Status::Warn, "web would use", |it| {
        web(it).mint = denied();
    });
    check(IfAbsent, Status::Pass, "", |it| web(it).mint = denied());
    check(IfAbsent, Status::Warn, "web would use", |it| {
        web(it).mint = Reading::absent("POST");
    });
}

#[test]
fn a_project_tightens_the_policy_by_its_annotation() {
    check(Allow, Status::Pass, "", |it| {
        without_account(it);
        wish(it, "deny");
    });
    check(Allow, Status::Pass, "", |it| {
        without_right(it);
        wish(it, "if-absent");
    });
    check(IfAbsent, Status::Warn, "web would use", |it| {
        without_account(it);
        wish(it, "allow");
    });
    check(
        Allow,
        Status::Warn,
        "unless the cluster, which was not read, has it otherwise",
        |it| {
            without_account(it);
            web(it).fallback = denied();
        },
    );
}

#[test]
fn a_name_that_is_too_long_has_no_account_ever() {
    check(IfAbsent, Status::Warn, "a-name-of-17-chars would", |it| {
        let name = "a-name-of-17-chars".to_owned();
        it.intent.projects.insert(name, Vec::new());
    });
}

#[test]
fn what_was_neither_tried_nor_read_does_not_pass() {
    check(Allow, Status::Unknown, "whether web falls back", |it| {
        untried(it);
        web(it).account = denied();
    });
    check(Allow, Status::Unknown, "whether web falls back", |it| {
        untried(it);
        web(it).policy = denied();
    });
    check(Allow, Status::Unknown, "timed out", |it| {
        web(it).mint = Reading::unreachable("POST", "timed out");
        web(it).account = Reading::default();
    });
    check(Allow, Status::Skip, "not looked at from here", |it| {
        untried(it);
        web(it).account = Reading::default();
    });
    // An account that is there never falls back under this policy.
    check(IfAbsent, Status::Pass, "", |it| {
        untried(it);
        web(it).policy = denied();
    });
}
