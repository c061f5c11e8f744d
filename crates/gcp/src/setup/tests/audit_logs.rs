//! Lines in the audit log, which cost money and are planned for whoever wants them.

use super::*;

const WITH_LOGS: Options = Options {
    minter: Minter::WorkloadIdentityUser,
    readers: Readers::Projects,
    enable_workload_identity: false,
    organisation_policies: Policies::AsTheyAre,
    audit_logs: true,
};

fn without_logs() -> Facts {
    Facts {
        home_policy: Reading::known_from("POST acme-gke:getIamPolicy", Policy::default()),
        ..whole()
    }
}

fn log_reads(service: &str) -> Action {
    Action::LogReads {
        project: project("acme-gke"),
        service: service.to_owned(),
        logged: Some(Vec::new()),
    }
}

#[test]
fn reads_are_logged_for_whoever_asked_for_it() {
    let facts = without_logs();
    let asked = plan(&facts, WITH_LOGS).expect("a plan");
    let both = ["iam.googleapis.com", "sts.googleapis.com"].map(log_reads);
    assert_eq!(asked.actions, both);
    let not_asked = plan(&facts, Options::default()).expect("a plan");
    assert_eq!(not_asked, Plan::default());
}

#[test]
fn what_is_logged_already_is_left_out_and_what_was_not_read_is_said() {
    let mut facts = without_logs();
    let mut policy = Policy::default();
    policy.log_reads_of("sts.googleapis.com");
    facts.home_policy = Reading::known_from("POST acme-gke:getIamPolicy", policy);
    let one = plan(&facts, WITH_LOGS).expect("a plan");
    assert_eq!(one.actions, [log_reads("iam.googleapis.com")]);
    facts.home_policy = refused("IAM_PERMISSION_DENIED", "denied on resource");
    let unread = plan(&facts, WITH_LOGS).expect("a plan");
    assert_eq!(unread.actions.len(), 2, "{:?}", unread.actions);
    let says = |it: &String| it.starts_with("whether reads of iam.googleapis.com are logged");
    assert!(unread.assumed.iter().any(says), "{:?}", unread.assumed);
}

#[test]
fn a_script_says_that_a_person_has_to_do_it_and_stops_for_nothing() {
    let plan = plan(&without_logs(), WITH_LOGS).expect("a plan");
    let script = gcloud::script(&plan);
    let commands = script
        .lines()
        .filter(|it| !it.starts_with('#') && !it.is_empty());
    let others: Vec<_> = commands.filter(|it| *it != "set -eu").collect();
    assert_eq!(others.len(), 2, "{script}");
    let is_told = |it: &&str| it.starts_with("echo 'left to you: ") && it.ends_with(" >&2");
    assert!(others.iter().all(is_told), "{script}");
}
