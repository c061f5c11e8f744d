//! The same plan in each form, against files.

use super::*;

pub(super) fn whole_plan() -> Plan {
    let mut plan = plan(&bare(), EVERYTHING).expect("a plan");
    plan.actions.push(Action::LogReads {
        project: project("acme-gke"),
        service: "iam.googleapis.com".to_owned(),
    });
    plan.actions.push(Action::CreateTopic {
        project: project("acme-art"),
    });
    plan
}

/// Actions that repair what was granted too much.
pub(super) fn repairs() -> Plan {
    Plan {
        actions: vec![
            Action::Revoke(RoleGrant::new(
                Resource::Project(project("acme-gke")),
                OPEN_MINTER,
                Grantee::Member(controller().legacy_member()),
            )),
            Action::Revoke(RoleGrant::new(
                Resource::Other("folders/12".to_owned()),
                READER,
                Grantee::Kubernetes(controller()),
            )),
            Action::DisableKey {
                email: account("web"),
                key: "k1".to_owned(),
            },
            Action::DisableServiceAccount {
                email: account("web"),
            },
            Action::MakeTagsImmutable {
                repository: repository("apps"),
            },
        ],
        ..Plan::default()
    }
}

#[track_caller]
fn same(written: &str, file: &str, expected: &str) {
    if written != expected {
        println!("{written}");
        panic!("{file} differs from what is written above");
    }
}

#[test]
fn a_plan_is_a_script_of_gcloud() {
    same(
        &gcloud::script(&whole_plan()),
        "plan.sh",
        include_str!("plan.sh"),
    );
    same(
        &gcloud::commands(&repairs()),
        "repairs.sh",
        include_str!("repairs.sh"),
    );
}

#[test]
fn a_plan_is_a_file_of_terraform() {
    same(
        &terraform::write(&whole_plan()),
        "plan.tf",
        include_str!("plan.tf"),
    );
    same(
        &terraform::write(&repairs()),
        "repairs.tf",
        include_str!("repairs.tf"),
    );
}

#[test]
fn a_plan_is_a_file_of_config_connector() {
    let written = config_connector::write(&whole_plan());
    same(&written, "plan.yaml", include_str!("plan.yaml"));
    let documents = written
        .split("---\n")
        .filter(|it| it.starts_with("apiVersion:"))
        .count();
    let grants = written.matches("kind: IAMPolicyMember").count();
    assert_eq!(grants, 4, "two accounts, two repositories");
    assert!(documents > grants);
}

#[test]
fn an_empty_plan_is_empty_in_each_form() {
    let nothing = Plan::default();
    assert_eq!(gcloud::script(&nothing), "");
    assert_eq!(terraform::write(&nothing), "");
    assert_eq!(config_connector::write(&nothing), "");
}

#[test]
fn a_plan_is_json_with_resources_and_members_spelled_out() {
    let json = serde_json::to_value(whole_plan()).expect("JSON");
    let grant = json["actions"]
        .as_array()
        .and_then(|it| it.iter().find(|it| it["action"] == "grant"));
    let grant = grant.expect("a grant");
    assert_eq!(
        grant["resource"],
        format!("projects/acme-gke/serviceAccounts/{}", account("shop"))
    );
    assert_eq!(grant["member"], controller().to_string());
}
