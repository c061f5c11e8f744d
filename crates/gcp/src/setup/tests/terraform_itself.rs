//! What is written as Terraform is read by Terraform, which would format it no otherwise.

use std::collections::BTreeSet;

use anyhow::Result;
use loopback_servers::terraform::accepts;

use super::rendered::{repairs, whole_plan};
use super::*;

/// Grants wherever they can be, to whoever can be, with texts that need care.
fn unusual() -> Plan {
    let someone = || Grantee::Member("user:${var.x} %{if} \"q\" \\ @acme.example".to_owned());
    let grants = [
        (Resource::Project(project("acme-gke")), someone()),
        (
            Resource::ServiceAccount(account("web")),
            Grantee::ServiceAccount(account("shop")),
        ),
        (Resource::Repository(repository("apps")), someone()),
        (
            Resource::Other("folders/12".to_owned()),
            Grantee::Kubernetes(controller()),
        ),
        (Resource::Other("organizations/7".to_owned()), someone()),
    ];
    let mut actions: Vec<Action> = grants
        .into_iter()
        .map(|(resource, member)| Action::Grant(RoleGrant::new(resource, READER, member)))
        .collect();
    actions.push(Action::EnableServiceAccount {
        email: account("web"),
    });
    Plan {
        actions,
        assumed: vec![
            "the policy of acme-art\nwas not read".to_owned(),
            "nor that of acme-gke".to_owned(),
        ],
        ..Plan::default()
    }
}

#[test]
fn terraform_reads_every_kind_of_plan_and_would_format_it_no_otherwise() -> Result<()> {
    for plan in [whole_plan(), repairs(), unusual(), Plan::default()] {
        accepts(&terraform::write(&plan))?;
    }
    Ok(())
}

/// The file of a Project that needs everything, and reads what others read.
fn of_project(name: &str, options: Options) -> String {
    let mut facts = bare();
    let shop = facts.intent.projects["shop"].clone();
    facts.intent.projects = [(name.to_owned(), shop)].into();
    terraform::write_for(name, &plan(&facts, options).expect("a plan"))
}

#[test]
fn the_files_of_two_projects_stand_in_one_module() -> Result<()> {
    let options = Options {
        readers: Readers::ControllerToo,
        ..Options::default()
    };
    let files = ["web", "shop"].map(|it| of_project(it, options));
    accepts(&files.join("\n"))?;
    let refusal = accepts(&[&*files[0]; 2].join("\n")).map_err(|error| error.to_string());
    assert!(refusal.is_err_and(|text| text.contains("Duplicate")));
    Ok(())
}

#[test]
fn what_is_set_is_imported_and_what_was_not_read_is_said() -> Result<()> {
    let written = |own: &Reading<BTreeSet<String>>| {
        let mut facts = bare();
        facts.own_constraints = own.clone();
        let options = Options {
            organisation_policies: Policies::Baseline,
            ..Options::default()
        };
        terraform::write(&plan(&facts, options).expect("a plan"))
    };
    let constraint = BASELINE[0].constraint;
    let set = Reading::known_from("GET policies", BTreeSet::from([constraint.to_owned()]));
    let one = written(&set);
    assert_eq!(one.matches("import {").count(), 1, "{one}");
    let id = format!("id = \"projects/acme-gke/policies/{constraint}\"");
    assert!(one.contains(&id), "{one}");
    accepts(&one)?;
    let unread = written(&Reading::default());
    assert!(unread.starts_with("# A constraint that the project has set already"));
    assert!(!unread.contains("import {"), "{unread}");
    Ok(())
}

#[test]
fn what_a_step_is_done_by_is_switched_on_before() {
    let written = terraform::write(&plan(&bare(), EVERYTHING).expect("a plan"));
    for (kind, service) in [
        ("google_service_account\"", "acme_gke_iam"),
        (
            "google_artifact_registry_repository_iam_member\"",
            "acme_art_artifactregistry",
        ),
        ("google_org_policy_policy\"", "acme_gke_orgpolicy"),
    ] {
        let blocks = written
            .split("\n\nresource ")
            .filter(|it| it[1..].starts_with(kind));
        let after = format!("= [google_project_service.{service}]");
        assert!(blocks.clone().count() > 1, "{kind}");
        assert!(blocks.clone().all(|it| it.contains(&after)), "{kind}");
    }
}

#[test]
fn terraform_refuses_another_format_and_a_name_that_is_taken() {
    let unaligned = "locals {\n  a = 1\n  long = 2\n}\n";
    let refusal = accepts(unaligned).map_err(|error| error.to_string());
    assert!(refusal.is_err_and(|text| text.contains("+  a    = 1")));
    let plan = terraform::write(&whole_plan());
    let refusal = accepts(&format!("{plan}\n{plan}")).map_err(|error| error.to_string());
    assert!(refusal.is_err_and(|text| text.contains("Duplicate data \"google_project\"")));
}
