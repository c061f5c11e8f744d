//! Each rule with something to find and with nothing.

mod excessive;
mod excessive_wide;
mod harmless;
mod meant;
mod unread;

use std::collections::BTreeSet;

use super::*;
use crate::facts::whole::{account, cluster, controller, granting, refused, repository, whole};
use crate::facts::{Facts, Reading};
use crate::policy::{Policy, READER};

fn after(change: impl FnOnce(&mut Facts)) -> AuditReport {
    let mut facts = whole();
    change(&mut facts);
    audit(&facts)
}

#[test]
fn nothing_is_found_where_nothing_more_is_granted_than_is_needed() {
    let report = audit(&whole());
    assert_eq!(report.findings, Vec::new());
    assert_eq!(report.unread, Vec::new());
    assert_eq!(report.exit_code(Severity::Info), 0);
}

#[test]
fn what_was_not_read_is_never_clean() {
    let facts = Facts {
        intent: whole().intent,
        ..Facts::default()
    };
    let report = audit(&facts);
    assert_eq!(report.findings, Vec::new());
    let unread: BTreeSet<_> = report.unread.iter().map(|it| it.rule).collect();
    let rules: BTreeSet<_> = RULES.iter().map(|it| it.id).collect();
    assert_eq!(unread, rules, "every rule says that it could not look");
    assert_eq!(report.exit_code(Severity::Info), 2);
}

#[test]
fn the_worst_stands_first_and_decides_how_it_ends() {
    let report = after(|facts| {
        facts.home_policy = Reading::known_from(
            "POST",
            granting(crate::policy::OPEN_MINTER, &controller().to_string()),
        );
    });
    let severities: Vec<_> = report.findings.iter().map(|it| it.severity).collect();
    assert_eq!(severities[0], Severity::Critical);
    assert!(severities.is_sorted_by(|a, b| a >= b), "{severities:?}");
    assert_eq!(report.exit_code(Severity::Critical), 1);
    let mild =
        after(|facts| facts.clusters = refused("IAM_PERMISSION_DENIED", "denied on resource"));
    assert_eq!(mild.exit_code(Severity::High), 2);
}

/// `web` acts as the Kubernetes account in its namespace, and there is another cluster with the same pool.
fn web_is_known_elsewhere(facts: &mut Facts) {
    facts.clusters = Reading::known_from("GET clusters", vec![cluster("one"), cluster("two")]);
    let web = facts.projects.get_mut("web").expect("web");
    web.kubernetes_account = Reading::known_from("GET serviceaccount", ());
    web.mint = Reading::absent("POST generateAccessToken");
}

#[test]
fn of_the_names_in_other_clusters_those_count_that_act_here() {
    let advice = |report: AuditReport| {
        let mut found = report.findings.into_iter().filter(|it| it.rule == "A15");
        found.next().expect("a finding").fix.advice
    };
    let both = advice(after(web_is_known_elsewhere));
    assert!(
        both.ends_with("or keep namespaces argosy, web out of two"),
        "{both}"
    );
    let alone = after(|facts| {
        web_is_known_elsewhere(facts);
        let web = facts.projects.get_mut("web").expect("web");
        web.mint = whole().projects["web"].mint.clone();
    });
    assert!(alone.unread.is_empty(), "{:?}", alone.unread);
    let alone = advice(alone);
    assert!(
        alone.ends_with("or keep namespace argosy out of two"),
        "{alone}"
    );
}

#[test]
fn who_acts_for_a_project_elsewhere_may_be_left_open() {
    let report = after(|facts| {
        web_is_known_elsewhere(facts);
        let web = facts.projects.get_mut("web").expect("web");
        web.kubernetes_account = refused("FORBIDDEN", "serviceaccounts is forbidden");
        web.account = Reading::absent("GET account");
    });
    let open: Vec<_> = report.unread.iter().filter(|it| it.rule == "A15").collect();
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0].resource, "who acts for web");
}

#[test]
fn terraform_reads_what_mends_each_finding() -> anyhow::Result<()> {
    let mut written = BTreeSet::new();
    for (_, _, _, change) in excessive::cases() {
        let repairs = after(change).findings.into_iter().map(|it| it.fix);
        written.extend(repairs.map(|it| it.terraform.text().to_owned()));
    }
    loopback_servers::terraform::accepts_each(written.iter().map(String::as_str))
}

#[test]
fn severities_are_read_as_they_are_written() {
    for severity in [
        Severity::Info,
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ] {
        assert_eq!(severity.to_string().parse(), Ok(severity));
    }
    assert!("severe".parse::<Severity>().is_err());
}

#[test]
fn a_log_of_findings_has_what_sarif_asks_for() {
    let report = after(|facts| {
        facts.clusters = refused("IAM_PERMISSION_DENIED", "denied on resource");
        facts.home_policy = Reading::known_from(
            "POST",
            granting(crate::policy::OPEN_MINTER, &controller().to_string()),
        );
    });
    let log = sarif::write(&report, "1.2.3");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["version"], "1.2.3");
    assert_eq!(
        run["tool"]["driver"]["rules"].as_array().map(Vec::len),
        Some(RULES.len())
    );
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "A02");
    assert_eq!(result["level"], "error");
    assert_eq!(
        result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"],
        "projects/acme-gke"
    );
    // Code hosts refuse a result that is in no file.
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "gcp/projects/acme-gke");
    assert_eq!(place["region"]["startLine"], 1);
    let hash = &result["partialFingerprints"]["primaryLocationLineHash"];
    assert_eq!(hash.as_str().map(str::len), Some(18), "{hash}");
    let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
    let is_security = |it: &serde_json::Value| it["properties"]["tags"][0] == "security";
    assert!(rules.iter().all(is_security), "{rules:?}");
    let text = result["message"]["text"].as_str().expect("a text");
    assert!(
        text.contains("gcloud projects remove-iam-policy-binding acme-gke"),
        "{text}"
    );
    let notes = run["invocations"][0]["toolExecutionNotifications"]
        .as_array()
        .expect("notes");
    assert!(
        notes.iter().any(|it| it["associatedRule"]["id"] == "A15"),
        "{notes:?}"
    );
}

#[test]
fn a_kubernetes_account_of_a_project_must_not_write_either() {
    let principal = whole().kubernetes_principal("web").expect("a principal");
    for (role, found) in [
        ("roles/artifactregistry.writer", true),
        (crate::policy::READER, false),
    ] {
        let report = after(|facts| {
            let policy = granting(role, &principal.to_string());
            for seen in facts.repositories.values_mut() {
                seen.policy = Reading::known_from("GET policy", policy.clone());
            }
        });
        let says = format!("{principal} may write to");
        let mut all = report.findings.iter();
        let is_found = all.any(|it| it.rule == "A11" && it.says.contains(&says));
        assert_eq!(is_found, found, "{role}: {:?}", report.findings);
    }
}

#[test]
fn projects_that_share_a_repository_are_named_whichever_account_reads_for_them() {
    let kubernetes = |name: &str| whole().kubernetes_principal(name).expect("a principal");
    let of_shop = account("shop").member();
    let all = kubernetes("web")
        .to_string()
        .replace("/subject/ns/web/sa/argosy-gcp", "/*");
    let all = all.replacen("principal://", "principalSet://", 1);
    for (members, says) in [
        // One of each kind, a Project that is not looked at, and the older spelling.
        (
            vec![of_shop.clone(), kubernetes("web").to_string()],
            Some("shop, web"),
        ),
        (
            vec![of_shop.clone(), kubernetes("other").to_string()],
            Some("other, shop"),
        ),
        (
            vec![of_shop.clone(), kubernetes("web").legacy_member()],
            Some("shop, web"),
        ),
        // Both accounts of one Project, an account of another name, and of a set only what is there.
        (vec![of_shop.clone(), kubernetes("shop").to_string()], None),
        (vec![of_shop.clone(), controller().to_string()], None),
        (vec![of_shop.clone(), all.clone()], Some("shop, web")),
        (vec![all], None),
    ] {
        let report = after(|facts| {
            let web = facts.projects.get_mut("web").expect("web");
            web.kubernetes_account = Reading::known_from("GET serviceaccount", ());
            let apps = facts
                .repositories
                .get_mut(&repository("apps"))
                .expect("apps");
            let mut policy = Policy::default();
            for member in &members {
                policy.add(READER, member);
            }
            apps.policy = Reading::known_from("GET policy", policy);
        });
        let mut found = report.findings.iter().filter(|it| it.rule == "A13");
        let found = found.next().map(|it| it.says.as_str());
        let expected = says.map(|it| format!("is read by the Projects {it}"));
        let is_so = match (&found, &expected) {
            (Some(found), Some(expected)) => found.ends_with(expected),
            (None, None) => true,
            _ => false,
        };
        assert!(is_so, "{members:?}: {found:?}, not {expected:?}");
    }
}
