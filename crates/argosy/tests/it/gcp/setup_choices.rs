//! `setup` where next to nothing is there, at a desk, and with what is planned on request alone.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{CONTROLLER, Place, text};

const PROJECT: &str = "--project=web";
const ANNOTATION: &str = "kargo.akuity.io/refresh";

/// The book's step 0 switches these on, and a cluster and a repository are made by them.
const STEP_0: [&str; 4] = [
    "artifactregistry.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "container.googleapis.com",
    "serviceusage.googleapis.com",
];

/// A project in which only these APIs are on.
async fn with_services(services: &[&str]) -> Result<Place> {
    let place = Place::empty().await?;
    place.google().change(|world| {
        world.projects[0].services = services.iter().map(|&it| it.to_owned()).collect();
    });
    Ok(place)
}

#[tokio::test]
async fn what_the_first_step_of_the_book_switches_on_is_enough_to_begin_with() -> Result<()> {
    let place = with_services(&STEP_0).await?;
    let apply = [
        "setup",
        PROJECT,
        "--enable-wif",
        "--org-policies",
        "--audit-logs",
        "--apply",
        "--yes",
    ];
    let applied = place.run(&apply).await?;
    let said = text(&applied.stderr);
    assert!(applied.status.success(), "{said}");
    assert!(said.contains("orgpolicy.googleapis.com"), "{said}");
    assert!(said.contains("it works"), "{said}");
    let planned = place
        .run(&["setup", PROJECT, "--org-policies", "--audit-logs"])
        .await?;
    assert_eq!(text(&planned.stdout), "", "nothing is left to do");
    Ok(())
}

#[tokio::test]
async fn where_not_even_the_project_can_be_asked_for_the_first_command_is_named() -> Result<()> {
    let place = with_services(&STEP_0[2..3]).await?;
    let refused = place.run(&["setup", PROJECT]).await?;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    let command = "gcloud services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com \
        --project=acme-prod";
    assert!(said.contains(command), "{said}");
    Ok(())
}

#[tokio::test]
async fn an_api_that_no_step_switches_on_is_not_waited_for() -> Result<()> {
    let place = with_services(&STEP_0[..3]).await?;
    let started = std::time::Instant::now();
    let refused = place.run(&["setup", PROJECT, "--apply", "--yes"]).await?;
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(started.elapsed().as_secs() < 60, "{said}");
    let command = "gcloud services enable serviceusage.googleapis.com --project=";
    assert!(said.contains(command), "{said}");
    Ok(())
}

#[tokio::test]
async fn at_a_desk_nobody_asks_warehouses_to_look_before_it_is_known_to_work() -> Result<()> {
    let place = Place::empty().await?;
    let mut command = place.laptop(&["setup", PROJECT, "--apply", "--yes"]);
    let token = place.file("token");
    let applied = command
        .arg(format!("--access-token-file={}", token.display()))
        .output()
        .await?;
    let said = text(&applied.stderr);
    assert!(applied.status.success(), "{said}");
    let later =
        "kubectl annotate warehouses --all --namespace=web --overwrite kargo.akuity.io/refresh=";
    assert!(said.contains(later), "{said}");
    let api = "kargo.akuity.io/v1alpha1";
    let warehouse = place.cluster.find(api, "Warehouse", Some("web"), "web");
    let warehouse = warehouse.await?.context("no such Warehouse")?;
    assert_eq!(
        warehouse["metadata"]["annotations"][ANNOTATION],
        Value::Null
    );
    Ok(())
}

#[tokio::test]
async fn with_the_tightest_role_doctor_passes_and_audit_is_clean() -> Result<()> {
    let place = Place::empty().await?;
    let role = json!({"id": "kargoGsaTokenMinter", "includedPermissions": ["iam.serviceAccounts.getAccessToken"]});
    let role = serde_json::from_value(role)?;
    place
        .google()
        .change(|world| world.projects[0].roles.push(role));
    let everything = [
        "setup",
        PROJECT,
        "--minter=custom-role",
        "--org-policies=all",
        "--audit-logs",
        "--apply",
        "--yes",
    ];
    let applied = place.run(&everything).await?;
    let said = text(&applied.stderr);
    assert!(applied.status.success(), "{said}");
    let granted = "--role=projects/acme-prod/roles/kargoGsaTokenMinter";
    assert!(said.contains(granted), "{said}");
    let (code, report) = place.json(&["doctor", "-o", "json"]).await?;
    assert_eq!(code, 0, "{report:#}");
    let (code, report) = place
        .json(&["audit", "-o", "json", "--fail-on=info"])
        .await?;
    assert_eq!(code, 0, "{report:#}");
    Ok(())
}

#[tokio::test]
async fn the_controller_reads_only_where_that_was_asked_for_and_the_audit_says_so() -> Result<()> {
    let place = Place::empty().await?;
    let without = place.run(&["setup", PROJECT]).await?;
    let reads = |script: &str| {
        let script = script.replace("\\\n", " ");
        let lines = script
            .lines()
            .filter(|it| it.contains("artifacts repositories"));
        lines.filter(|it| it.contains(CONTROLLER)).count()
    };
    assert_eq!(reads(&text(&without.stdout)), 0);
    let apply = ["setup", PROJECT, "--fallback", "--apply", "--yes"];
    let applied = place.run(&apply).await?;
    let said = text(&applied.stderr);
    assert!(applied.status.success(), "{said}");
    let (_, report) = place.json(&["audit", "-o", "json"]).await?;
    let findings = report["findings"].as_array().context("no findings")?;
    assert!(findings.iter().any(|it| it["rule"] == "A12"), "{report:#}");
    Ok(())
}
