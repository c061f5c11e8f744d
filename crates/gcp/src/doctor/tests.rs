//! Each check with a whole link, a broken one and one that cannot be seen.

mod broken;
mod broken_cloud;
mod broken_grants;
mod broken_organisation;
mod broken_pod;
mod fallback;
mod kubernetes_account;
mod network;
mod reading;
mod whole_links;

use std::collections::BTreeSet;

use super::*;
use crate::facts::whole::{account, controller, granting, project, refused, whole};
use crate::facts::{Facts, Reading, Seen};
use crate::policy::TIGHT_MINTER;

fn result(report: &DoctorReport, id: &str) -> CheckResult {
    let found = report.results.iter().filter(|it| it.id == id);
    let worst = found.max_by_key(|it| match it.status {
        Status::Fail => 4,
        Status::Unknown => 3,
        Status::Warn => 2,
        Status::Skip => 1,
        Status::Pass => 0,
    });
    worst.unwrap_or_else(|| panic!("no result of {id}")).clone()
}

fn after(change: impl FnOnce(&mut Facts)) -> DoctorReport {
    let mut facts = whole();
    change(&mut facts);
    diagnose(&facts)
}

#[test]
fn everything_passes_where_everything_is_whole() {
    let report = diagnose(&whole());
    for result in &report.results {
        // There is no address of the former Container Registry to look at.
        let wanted = if result.id == "AR-GCRIO" {
            Status::Skip
        } else {
            Status::Pass
        };
        assert_eq!(
            result.status, wanted,
            "{} {}: {}",
            result.id, result.subject, result.says
        );
    }
    assert_eq!(report.exit_code(), 0);
    let ids: BTreeSet<_> = report.results.iter().map(|it| it.id).collect();
    assert_eq!(ids.len(), CHECKS.len(), "every check has a result");
}

#[test]
fn whatever_passes_says_where_it_was_seen() {
    // These look at names, at the command line, and at what others saw.
    let without = ["AR-ADDRESS", "FALLBACK-MODE", "GSA-NAME", "VPCSC"];
    let passed = diagnose(&whole()).results.into_iter();
    let bare: BTreeSet<_> = passed
        .filter(|it| it.status == Status::Pass && it.evidence.is_empty())
        .map(|it| it.id)
        .collect();
    assert_eq!(bare, without.into_iter().collect());
}

#[test]
fn a_check_depends_only_on_checks_above_it() {
    for (place, check) in CHECKS.iter().enumerate() {
        for link in check.depends_on {
            assert!(
                CHECKS[..place].iter().any(|it| it.id == *link),
                "{} depends on {link}",
                check.id
            );
        }
    }
}

#[test]
fn where_nothing_was_looked_at_nothing_passes_as_seen() {
    let mut facts = Facts {
        intent: whole().intent,
        ..Facts::default()
    };
    facts.intent.fallback = crate::Fallback::Deny;
    let report = diagnose(&facts);
    let passed: BTreeSet<_> = report
        .results
        .iter()
        .filter(|it| it.status == Status::Pass)
        .map(|it| it.id)
        .collect();
    // These look at the command line and at what others saw, not at the outside.
    let without_looking = ["AR-ADDRESS", "FALLBACK-MODE"];
    assert_eq!(passed, without_looking.into_iter().collect());
    assert_eq!(report.count(Status::Fail), 0);
    assert_eq!(report.exit_code(), 0);
}

#[test]
fn nothing_is_guessed_below_a_broken_link() {
    let report = after(|facts| {
        facts.pod.metadata.server = Reading::unreachable("GET /", "connection refused");
    });
    for id in [
        "MDS-FLAVOR",
        "MDS-EMAIL",
        "MDS-TOKEN",
        "API-PROBE",
        "GSA-MINT",
        "AR-PULL",
        "AR-REST",
    ] {
        let it = result(&report, id);
        assert_eq!(it.status, Status::Skip, "{id}");
        assert_eq!(
            it.depends_on,
            Some("MDS-REACH"),
            "{id} names the link that is broken, not the one between"
        );
        assert_eq!(it.says, "depends on MDS-REACH");
    }
    assert_eq!(
        result(&report, "CLUSTER-WIF").status,
        Status::Pass,
        "the operator's side is looked at all the same"
    );
    assert_eq!(report.exit_code(), 1);
}

#[test]
fn what_another_identity_may_do_says_nothing_about_the_controller() {
    let report = after(|facts| {
        let tied = "builds@acme-gke.iam.gserviceaccount.com".to_owned();
        facts.pod.metadata.email = Reading::known_from("GET email", tied);
        let (reason, says) = ("IAM_PERMISSION_DENIED", "it is denied on resource");
        facts.pod.impersonation_probe = refused(reason, says);
        facts.projects.get_mut("web").expect("web").mint = refused(reason, says);
        let held = Reading::known_from("POST", vec![crate::policy::MINT.to_owned()]);
        facts.pod.project_permissions = held.clone();
        facts
            .pod
            .direct_permissions
            .values_mut()
            .for_each(|it| *it = held.clone());
    });
    assert_eq!(result(&report, "MDS-EMAIL").status, Status::Fail);
    for id in [
        "API-PROBE",
        "GSA-MINT",
        "GSA-MINT-OTHERS",
        "KSA-DIRECT",
        "AR-PULL",
    ] {
        let it = result(&report, id);
        assert_eq!(it.depends_on, Some("MDS-EMAIL"), "{id}: {}", it.says);
    }
}

#[test]
fn a_broken_link_of_one_project_leaves_the_others_alone() {
    let report = after(|facts| {
        facts.projects.get_mut("web").expect("web").account = Reading::absent("GET account");
    });
    let of = |project: &str| {
        let mut all = report.results.iter();
        all.find(|it| it.id == "AR-READER" && it.subject.project.as_deref() == Some(project))
            .expect("a result")
    };
    assert_eq!(of("web").depends_on, Some("GSA-EXISTS"));
    assert_eq!(of("shop").status, Status::Pass);
}

#[test]
fn what_could_not_be_read_is_unknown_and_ends_with_two() {
    let report =
        after(|facts| facts.cluster = refused("IAM_PERMISSION_DENIED", "denied on resource"));
    assert_eq!(result(&report, "CLUSTER-WIF").status, Status::Unknown);
    assert_eq!(
        result(&report, "NODEPOOL-MODE").status,
        Status::Unknown,
        "unknown above is not broken above"
    );
    assert_eq!(report.exit_code(), 2);
}

#[test]
fn a_near_miss_shows_both_members_and_mends_it() {
    let wrong = controller().to_string().replace("/4711/", "/acme-gke/");
    let report = after(|facts| {
        let policy = granting(crate::policy::TIGHT_MINTER, &wrong);
        facts.projects.get_mut("web").expect("web").policy = Reading::known_from("POST", policy);
    });
    let it = result(&report, "GSA-BINDING-NEARMISS");
    assert_eq!(it.status, Status::Fail);
    assert!(
        it.says
            .contains(&format!("\n- {wrong}\n+ {}", controller())),
        "{}",
        it.says
    );
    let fix = it.fix.expect("a fix");
    assert!(
        fix.commands.contains(&format!("--member={}", controller())),
        "{}",
        fix.commands
    );
    assert!(
        fix.commands.contains("remove-iam-policy-binding"),
        "{}",
        fix.commands
    );
}

#[test]
fn a_legacy_member_is_a_grant_to_be_spelled_anew_unless_that_was_done() {
    let role = crate::policy::TIGHT_MINTER;
    let judged = |policy: crate::policy::Policy| {
        let report = after(|facts| {
            let web = facts.projects.get_mut("web").expect("web");
            web.policy = Reading::known_from("POST", policy);
        });
        assert_eq!(result(&report, "GSA-BINDING").status, Status::Pass);
        result(&report, "GSA-BINDING-NEARMISS")
    };
    let mut policy = granting(role, &controller().legacy_member());
    let alone = judged(policy.clone());
    assert_eq!(alone.status, Status::Warn, "{}", alone.says);
    let fix = alone.fix.expect("a fix");
    assert!(
        fix.commands.contains(&controller().to_string()),
        "{}",
        fix.commands
    );
    policy.add(role, &controller().to_string());
    assert_eq!(judged(policy).status, Status::Pass);
}

#[test]
fn a_slip_in_a_role_that_lets_nobody_act_is_none_of_the_controllers() {
    let report = after(|facts| {
        let wrong = controller().to_string().replace("/4711/", "/acme-gke/");
        let mut policy = granting(crate::policy::TIGHT_MINTER, &controller().to_string());
        policy.add("roles/iam.serviceAccountViewer", &wrong);
        let web = facts.projects.get_mut("web").expect("web");
        web.policy = Reading::known_from("POST", policy);
    });
    let it = result(&report, "GSA-BINDING-NEARMISS");
    assert_eq!(it.status, Status::Pass, "{}", it.says);
}

#[test]
fn fixes_have_real_values_in_them() {
    let report = after(|facts| {
        facts.projects.get_mut("web").expect("web").account = Reading::absent("GET account");
    });
    let fix = result(&report, "GSA-EXISTS").fix.expect("a fix");
    assert!(
        fix.commands
            .starts_with("gcloud iam service-accounts create kargo-project-web"),
        "{}",
        fix.commands
    );
    assert!(
        fix.terraform.text().contains("= \"kargo-project-web\""),
        "{:?}",
        fix.terraform
    );
    assert!(fix.advice.contains(project("acme-gke").as_str()));
    assert_eq!(account("web").project(), Some(project("acme-gke")));
}

#[test]
fn a_report_is_json_with_stable_words() {
    let report = after(|facts| {
        facts.pod.metadata.server = Reading::unreachable("GET http://metadata/", "timed out");
    });
    let json = serde_json::to_value(&report).expect("JSON");
    let reach = json["results"]
        .as_array()
        .and_then(|it| it.iter().find(|it| it["id"] == "MDS-REACH"));
    let reach = reach.expect("a result");
    assert_eq!(reach["status"], "fail");
    assert_eq!(reach["vantage"], "pod");
    assert_eq!(reach["evidence"][0]["request"], "GET http://metadata/");
    assert_eq!(reach["documentation"], "gcp-checks.md#mds-reach");
}

#[test]
fn every_check_is_explained_in_the_book() {
    let book = include_str!("../../../../docs/book/gcp-checks.md");
    for check in CHECKS {
        assert!(
            book.contains(&format!("### {}\n", check.id)),
            "{} is not in the book",
            check.id
        );
    }
    for rule in crate::audit::RULES {
        assert!(
            book.contains(&format!("| {} |", rule.id)),
            "{} is not in the book",
            rule.id
        );
    }
    for symptom in SYMPTOMS {
        let text = format!("| `{}` | ", symptom.contains);
        let check = format!("[{}](#{})", symptom.check, symptom.check.to_lowercase());
        let explained = book
            .lines()
            .any(|line| line.starts_with(&text) && line.contains(&check));
        assert!(explained, "{text}and {check} are no row of the book");
    }
}

#[test]
fn the_metadata_server_is_never_skipped_as_seen() {
    let report = after(|facts| facts.pod.metadata.server.seen = Seen::Skipped);
    assert_eq!(result(&report, "MDS-REACH").status, Status::Skip);
}

#[test]
fn an_account_of_which_no_use_was_seen_may_be_new() {
    let report = after(|facts| {
        for seen in facts.projects.values_mut() {
            seen.last_used = Reading::known_from("GET activities:query", None);
        }
    });
    let unused = result(&report, "GSA-UNUSED");
    assert_eq!(unused.status, Status::Pass, "{unused:?}");
    assert!(unused.says.ends_with("it may be new"), "{unused:?}");
    assert_eq!(unused.fix, None, "nothing that was made today is disabled");
}

#[test]
fn the_controller_may_be_named_by_the_uid_of_its_account() {
    let pool = controller().to_string();
    let (pool, _) = pool.split_once("/subject/").expect("a subject");
    for (uid, status) in [("u-1", Status::Pass), ("u-2", Status::Fail)] {
        let report = after(|facts| {
            let member = format!("{pool}/kubernetes.serviceaccount.uid/{uid}");
            for seen in facts.projects.values_mut() {
                let policy = granting(TIGHT_MINTER, &member);
                seen.policy = Reading::known_from("POST account:getIamPolicy", policy);
            }
            let plan = crate::setup::plan(facts, crate::setup::Options::default());
            let plan = plan.expect("a plan");
            let is_missing = plan.actions.iter().any(
                |it| matches!(it, crate::setup::Action::Grant(grant) if grant.role == TIGHT_MINTER),
            );
            assert_eq!(is_missing, status == Status::Fail, "{uid}");
        });
        assert_eq!(result(&report, "GSA-BINDING").status, status, "{uid}");
    }
}
