//! What is written as Terraform is read by Terraform, which would format it no otherwise.

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

#[test]
fn terraform_refuses_another_format_and_a_name_that_is_taken() {
    let unaligned = "locals {\n  a = 1\n  long = 2\n}\n";
    let refusal = accepts(unaligned).map_err(|error| error.to_string());
    assert!(refusal.is_err_and(|text| text.contains("+  a    = 1")));
    let plan = terraform::write(&whole_plan());
    let refusal = accepts(&format!("{plan}\n{plan}")).map_err(|error| error.to_string());
    assert!(refusal.is_err_and(|text| text.contains("Duplicate data \"google_project\"")));
}
