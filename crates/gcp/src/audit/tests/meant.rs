//! What is excessive and meant to be so: `--expected` and `--public`.

use super::excessive::*;
use super::*;
use crate::policy::{OPEN_MINTER, READER};

const TEAM: &str = "group:sre@example.com";

/// What one rule finds, with a member and a repository that are as they are meant to be.
fn meant(rule: &str, change: fn(&mut Facts)) -> Vec<Finding> {
    let report = after(|facts| {
        change(facts);
        facts.intent.expected = ["group:SRE@example.com".to_owned()].into();
        facts.intent.public = [repository("apps")].into();
    });
    let findings = report.findings.into_iter();
    findings.filter(|it| it.rule == rule).collect()
}

#[test]
fn members_that_are_meant_to_act_are_listed_as_information() {
    let changes: [fn(&mut Facts); 2] = [
        |it| web_grant(it, OPEN_MINTER, TEAM),
        |it| home(it, OPEN_MINTER, TEAM),
    ];
    for change in changes {
        let found = meant("A07", change);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].severity, Severity::Info);
        let argument = "--expected group:SRE@example.com";
        assert_eq!(found[0].expected.as_deref(), Some(argument));
        let says = format!("that is meant to be, by {argument}");
        assert!(found[0].says.ends_with(&says), "{}", found[0].says);
    }
}

#[test]
fn the_controller_itself_is_no_emergency() {
    let mut facts = whole();
    let member = controller().to_string();
    home(&mut facts, OPEN_MINTER, &member);
    facts.intent.expected = [member].into();
    let report = audit(&facts);
    let found = report.findings.iter().find(|it| it.rule == "A02");
    let found = found.expect("it may act as everybody");
    assert_eq!(found.severity, Severity::Critical);
    assert_eq!(found.expected, None);
}

#[test]
fn others_are_found_as_ever() {
    let found = meant("A07", |it| {
        web_grant(it, OPEN_MINTER, "user:ann@example.com");
    });
    assert_eq!(found[0].severity, Severity::High);
    assert_eq!(found[0].expected, None);
    let found = meant("A10", |it| {
        let shop = it.repositories.get_mut(&repository("shop"));
        shop.expect("shop").policy = known(granting(READER, "allUsers"));
    });
    assert_eq!(found[0].severity, Severity::High);
}

#[test]
fn a_public_repository_is_for_reading_only() {
    for (role, severity) in [
        (READER, Severity::Info),
        ("roles/artifactregistry.writer", Severity::High),
        ("projects/acme-art/roles/own", Severity::High),
    ] {
        let report = after(|facts| {
            facts.intent.public = [repository("apps")].into();
            apps(facts).policy = known(granting(role, "allUsers"));
        });
        let mut found = report.findings.iter().filter(|it| it.rule == "A10");
        let found = found.next().expect("a finding");
        assert_eq!(found.severity, severity, "{role}");
        assert_eq!(found.expected.is_some(), severity == Severity::Info);
    }
}

#[test]
fn programs_and_code_hosts_are_told_what_is_meant_to_be() {
    let report = after(|facts| {
        facts.intent.public = [repository("apps")].into();
        apps(facts).policy = known(granting(READER, "allUsers"));
    });
    assert_eq!(report.exit_code(Severity::Low), 0);
    let argument = "--public projects/acme-art/locations/europe-west1/repositories/apps";
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["findings"][0]["expected"], argument);
    assert_eq!(json["findings"][0]["severity"], "info");
    let log = sarif::write(&report, "1.2.3");
    let result = &log["runs"][0]["results"][0];
    assert_eq!(result["level"], "note");
    assert_eq!(result["suppressions"][0]["justification"], argument);
}
