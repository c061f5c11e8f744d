//! What is planned by choice: another role, another reader, a cluster that is not there yet.

use super::*;

const CUSTOM: Options = Options {
    minter: Minter::CustomRole,
    readers: Readers::Projects,
    enable_workload_identity: false,
    organisation_policies: Policies::AsTheyAre,
    audit_logs: false,
};

const OWN_ROLE: &str = "projects/acme-gke/roles/own";

fn unbound(facts: &mut Facts) -> &mut ProjectFacts {
    let web = facts.projects.get_mut("web").expect("web");
    web.policy = Reading::known_from("POST", Policy::default());
    web
}

fn with_role(carried: &[&str]) -> Facts {
    let mut facts = whole();
    unbound(&mut facts);
    let carried = carried.iter().map(|&it| it.to_owned()).collect();
    let name = minter_role(&project("acme-gke"));
    facts.custom_roles.0.insert(name, carried);
    facts
}

fn minting() -> Action {
    Action::Grant(RoleGrant::new(
        Resource::ServiceAccount(account("web")),
        "projects/acme-gke/roles/kargoGsaTokenMinter",
        Grantee::Kubernetes(controller()),
    ))
}

fn create() -> Action {
    Action::CreateRole {
        project: project("acme-gke"),
    }
}

#[test]
fn the_tightest_role_is_made_where_it_is_not_there_and_only_once() {
    let mut facts = whole();
    unbound(&mut facts);
    let plan = |facts: &Facts| super::plan(facts, CUSTOM).expect("a plan").actions;
    assert_eq!(plan(&facts), [create(), minting()]);
    let deleted = with_role(&[]);
    assert_eq!(plan(&deleted), [create(), minting()], "it is undeleted");
    assert_eq!(plan(&with_role(&[MINT])), [minting()]);
    let made = plan(&bare());
    let roles = made.iter().filter(|it| **it == create()).count();
    assert_eq!(roles, 1, "two Projects, one role");
}

#[test]
fn a_role_of_that_name_that_carries_something_else_is_not_granted() {
    let plan = plan(&with_role(&["iam.serviceAccounts.get"]), CUSTOM).expect("a plan");
    assert_eq!(plan.actions, []);
    let [note] = plan.impossible.as_slice() else {
        panic!("{:?}", plan.impossible);
    };
    let add = "gcloud iam roles update kargoGsaTokenMinter --project=acme-gke \
        --add-permissions=iam.serviceAccounts.getAccessToken";
    assert!(note.contains(add), "{note}");
}

#[test]
fn with_the_tightest_role_nothing_is_missing_and_nothing_is_too_much() {
    let mut facts = with_role(&[MINT]);
    let role = minter_role(&project("acme-gke"));
    for seen in facts.projects.values_mut() {
        let policy = granting(&role, &controller().to_string());
        seen.policy = Reading::known_from("POST", policy);
    }
    assert_eq!(plan(&facts, CUSTOM), Ok(Plan::default()));
    let report = crate::doctor::diagnose(&facts);
    assert_eq!(report.exit_code(), 0);
    let report = crate::audit::audit(&facts);
    assert_eq!(report.findings, Vec::new());
    assert_eq!(report.unread, Vec::new());
}

#[test]
fn a_role_that_was_not_read_is_taken_for_not_enough_and_that_is_said() {
    let plan = after(|facts| {
        let web = facts.projects.get_mut("web").expect("web");
        let policy = granting(OWN_ROLE, &controller().to_string());
        web.policy = Reading::known_from("POST", policy);
        let apps = facts.repositories.get_mut(&repository("apps"));
        let policy = granting(OWN_ROLE, &account("web").member());
        apps.expect("apps").policy = Reading::known_from("GET", policy);
    });
    assert_eq!(plan.actions.len(), 2, "{:?}", plan.actions);
    let notes = plan.assumed.iter();
    let notes: Vec<_> = notes.filter(|it| it.contains(OWN_ROLE)).collect();
    assert_eq!(notes.len(), 2, "{:?}", plan.assumed);
    assert!(notes.iter().all(|it| it.contains("was not read")));
}

#[test]
fn whoever_reads_the_whole_project_reads_no_repository_that_is_not_there() {
    let plan = after(|facts| {
        let apps = facts.repositories.get_mut(&repository("apps"));
        let apps = apps.expect("apps");
        apps.policy = Reading::absent("GET");
        let policy = granting(READER, &account("web").member());
        apps.project_policy = Reading::known_from("POST", policy);
    });
    assert_eq!(plan.actions, []);
    assert!(
        plan.impossible[0].contains("does not exist"),
        "{:?}",
        plan.impossible
    );
}

#[test]
fn the_controller_reads_too_where_somebody_wants_that() {
    let options = Options {
        readers: Readers::ControllerToo,
        ..CUSTOM
    };
    let plan = plan(&whole(), options).expect("a plan");
    let wanted = ["shop", "apps"].map(|it| {
        Action::Grant(RoleGrant::new(
            Resource::Repository(repository(it)),
            READER,
            Grantee::Kubernetes(controller()),
        ))
    });
    assert_eq!(plan.actions, wanted);
}

#[test]
fn where_there_is_no_cluster_it_is_said_how_to_make_one() {
    let plan = after(|facts| facts.cluster = Reading::absent("GET clusters"));
    let [note] = plan.impossible.as_slice() else {
        panic!("{:?}", plan.impossible);
    };
    for part in [
        "gcloud container clusters create-auto CLUSTER --project=acme-gke --location=LOCATION",
        "gcloud container clusters create CLUSTER --project=acme-gke --location=LOCATION \
         --workload-pool=acme-gke.svc.id.goog",
    ] {
        assert!(note.contains(part), "no {part:?}: {note}");
    }
}

#[test]
fn steps_that_call_another_api_switch_it_on() {
    let without = |service: &str| {
        let mut facts = bare();
        for (name, on) in &mut facts.services {
            *on = Reading::known_from("GET services:batchGet", name.service != service);
        }
        facts
    };
    for (service, options) in [
        (
            "orgpolicy.googleapis.com",
            Options {
                organisation_policies: Policies::Baseline,
                ..Options::default()
            },
        ),
        (
            "cloudresourcemanager.googleapis.com",
            Options {
                audit_logs: true,
                ..Options::default()
            },
        ),
    ] {
        let switches_on = |options| {
            let plan = plan(&without(service), options).expect("a plan");
            plan.actions.iter().any(|it| {
                matches!(it, Action::EnableServices { services, .. } if services == &[service.to_owned()])
            })
        };
        assert!(switches_on(options), "{service}");
        assert!(!switches_on(Options::default()), "{service} is not needed");
    }
}
