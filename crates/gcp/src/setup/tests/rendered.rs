//! The same plan in each form, against files.

use super::*;

pub(super) fn whole_plan() -> Plan {
    let mut plan = plan(&bare(), EVERYTHING).expect("a plan");
    plan.actions.push(Action::LogReads {
        project: project("acme-gke"),
        service: "iam.googleapis.com".to_owned(),
        logged: Some(vec![
            AuditLog {
                log_type: "ADMIN_READ".to_owned(),
                exempted_members: Vec::new(),
            },
            AuditLog {
                log_type: "DATA_WRITE".to_owned(),
                exempted_members: vec!["user:ann@acme.example".to_owned()],
            },
        ]),
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
            Action::EnableServiceAccount {
                email: account("shop"),
            },
            Action::CreateRole {
                project: project("acme-gke"),
            },
            Action::Grant(RoleGrant::new(
                Resource::ServiceAccount(account("shop")),
                &minter_role(&project("acme-gke")),
                Grantee::Kubernetes(controller()),
            )),
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
    let repairs = config_connector::write(&repairs());
    for part in ["kind: IAMCustomRole", "resourceID: kargoGsaTokenMinter"] {
        assert!(repairs.contains(part), "no {part:?}: {repairs}");
    }
}

#[test]
fn no_api_is_switched_off_with_the_manifest_that_switched_it_on() {
    let written = config_connector::write(&whole_plan());
    let services = written.matches("kind: Service\n").count();
    let kept = "cnrm.cloud.google.com/disable-on-destroy: \"false\"";
    assert_eq!(written.matches(kept).count(), services, "{written}");
}

#[test]
fn where_it_was_not_read_what_is_logged_each_form_says_that_it_says_all_of_it() {
    let plan = Plan {
        actions: vec![Action::LogReads {
            project: project("acme-gke"),
            service: "iam.googleapis.com".to_owned(),
            logged: None,
        }],
        ..Plan::default()
    };
    for written in [terraform::write(&plan), config_connector::write(&plan)] {
        assert!(written.contains("# What is logged of the service today was not read"));
    }
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
