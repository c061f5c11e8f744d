//! A cluster in the pool of another project, the host of its fleet, whose number stands in every member.

use super::*;
use crate::audit::audit;
use crate::doctor::{DoctorReport, Status, diagnose};
use crate::principal::ProjectNumber;

const MEMBER: &str = "principal://iam.googleapis.com/projects/8088/locations/global/workloadIdentityPools/\
    acme-fleet.svc.id.goog/subject/ns/argosy/sa/controller";

fn joined(facts: &mut Facts) {
    let mut one = cluster("one");
    "acme-fleet.svc.id.goog".clone_into(&mut one.workload_identity_config.workload_pool);
    facts.cluster = cluster_reading(one);
    facts.pool_number = Reading::known_from("GET projects/acme-fleet", ProjectNumber(8088));
}

/// Everything works: what lets the controller act as accounts names the pool of the fleet.
fn of_the_fleet() -> Facts {
    let mut facts = whole();
    joined(&mut facts);
    for seen in facts.projects.values_mut() {
        seen.policy = Reading::known_from("POST", granting(TIGHT_MINTER, MEMBER));
    }
    facts
}

fn unread(mut facts: Facts) -> Facts {
    facts.pool_number = refused("IAM_PERMISSION_DENIED", "denied on resource");
    facts
}

fn statuses(report: &DoctorReport, id: &str) -> Vec<Status> {
    let found = report.results.iter().filter(|it| it.id == id);
    found.map(|it| it.status).collect()
}

#[test]
fn the_right_grant_is_no_near_miss_and_nothing_is_planned_beside_it() {
    let facts = of_the_fleet();
    let report = diagnose(&facts);
    for check in ["GSA-BINDING", "GSA-BINDING-NEARMISS"] {
        assert_eq!(statuses(&report, check), [Status::Pass; 2], "{check}");
    }
    let found = audit(&facts).findings;
    let slips: Vec<_> = found.iter().filter(|it| it.rule == "A24").collect();
    assert!(slips.is_empty(), "{slips:?}");
    assert_eq!(plan(&facts, EVERYTHING), Ok(Plan::default()));
}

#[test]
fn the_number_of_the_controllers_project_before_that_pool_is_a_near_miss() {
    let mut facts = of_the_fleet();
    let wrong = MEMBER.replace("/8088/", "/4711/");
    facts.projects.get_mut("web").expect("web").policy =
        Reading::known_from("POST", granting(TIGHT_MINTER, &wrong));
    let found = audit(&facts).findings;
    let slip = found.iter().find(|it| it.rule == "A24").expect("a slip");
    let granted = format!("--member={MEMBER}");
    assert!(slip.fix.commands.contains(&granted), "{slip:?}");
}

#[test]
fn each_form_names_the_number_of_the_pools_project() {
    let mut facts = bare();
    joined(&mut facts);
    let plan = plan(&facts, Options::default()).expect("a plan");
    for written in [gcloud::script(&plan), config_connector::write(&plan)] {
        assert_eq!(written.matches(MEMBER).count(), 2, "{written}");
        assert!(!written.contains("/projects/4711/"), "{written}");
    }
    let written = terraform::write(&plan);
    let reference = "/projects/${data.google_project.acme_fleet.number}/locations";
    assert_eq!(written.matches(reference).count(), 2, "{written}");
    assert!(!written.contains("4711"), "{written}");
}

#[test]
fn without_that_number_it_is_unknown_who_the_controller_is() {
    let facts = unread(of_the_fleet());
    let gap = plan(&facts, EVERYTHING).expect_err("no plan");
    assert!(gap.why.contains("in the pool of acme-fleet"), "{gap:?}");
    let report = diagnose(&facts);
    for check in ["GSA-BINDING", "GSA-BINDING-NEARMISS"] {
        assert_eq!(statuses(&report, check), [Status::Unknown; 2], "{check}");
    }
    let report = audit(&facts);
    assert!(report.findings.iter().all(|it| it.rule != "A24"));
    assert!(report.unread.iter().any(|it| it.rule == "A24"));
}

#[test]
fn what_a_kubernetes_account_is_in_iam_is_unknown_too_and_no_service_account_takes_its_place() {
    let mut facts = unread(of_the_fleet());
    let web = facts.projects.get_mut("web").expect("web");
    web.kubernetes_account = Reading::known_from("GET serviceaccount", ());
    web.account = Reading::absent("GET account");
    web.mint = Reading::absent("POST generateAccessToken");
    assert!(facts.acting_as("web").is_err());
}

#[test]
fn the_repair_of_the_pools_project_has_the_number_where_it_was_read() {
    let fix = |facts: &Facts| {
        let report = diagnose(facts);
        let found = report
            .results
            .into_iter()
            .find(|it| it.id == "POOL-PROJECT");
        found.and_then(|it| it.fix).expect("a fix").commands
    };
    assert!(fix(&of_the_fleet()).contains(MEMBER));
    let asked = "$(gcloud projects describe acme-fleet --format='value(projectNumber)')";
    assert!(fix(&unread(of_the_fleet())).contains(asked));
}
