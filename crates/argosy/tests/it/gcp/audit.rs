//! What the audit finds, in which form, and how it ends.

use anyhow::{Context as _, Result};
use gcp_sim::{ResourceName, World as GoogleWorld};
use serde_json::Value;

use super::{ACCOUNT, Place, apps};

/// Lists the rules that found something.
fn rules(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array();
    findings
        .into_iter()
        .flatten()
        .filter_map(|it| it["rule"].as_str())
        .collect()
}

/// What a fresh project is never good at: organisation policies and audit logs.
const SURROUNDINGS: [&str; 2] = ["A21", "A23"];

#[tokio::test]
async fn what_is_granted_beyond_need_is_found_and_decides_the_exit_code() -> Result<()> {
    let place = Place::whole().await?;
    let google = place.google();
    google.grant("roles/artifactregistry.reader", "allUsers", &apps())?;
    let member = format!("serviceAccount:{ACCOUNT}");
    google.grant("roles/viewer", &member, &ResourceName::project("acme-prod"))?;
    let (code, report) = place.json(&["audit", "-o", "json"]).await?;
    let found = rules(&report);
    assert!(
        found.contains(&"A10") && found.contains(&"A03"),
        "{report:#}"
    );
    assert_eq!(code, 1, "both are high");
    let (code, _) = place
        .json(&["audit", "-o", "json", "--fail-on", "critical"])
        .await?;
    assert_ne!(code, 1, "none is critical");
    Ok(())
}

#[tokio::test]
async fn the_world_of_the_example_has_findings() -> Result<()> {
    let example =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/gcp/world.yaml");
    let place = Place::whole().await?;
    let world = GoogleWorld::read(&example)?;
    place.google().change(|own| *own = world);
    let arguments = [
        "audit",
        "-o",
        "json",
        "--projects=web",
        "--controller=argosy/kargo-controller",
        "--fail-on=medium",
    ];
    let (code, report) = place.json(&arguments).await?;
    let found = rules(&report);
    assert!(
        found.contains(&"A09"),
        "the account of api has no Project: {report:#}"
    );
    assert_eq!(code, 1);
    Ok(())
}

#[tokio::test]
async fn sarif_has_what_code_hosts_need() -> Result<()> {
    let place = Place::whole().await?;
    place
        .google()
        .grant("roles/artifactregistry.reader", "allUsers", &apps())?;
    let (_, log) = place.json(&["audit", "-o", "sarif"]).await?;
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    assert_eq!(run["tool"]["driver"]["name"], "argosy gcp audit");
    let known = run["tool"]["driver"]["rules"]
        .as_array()
        .context("no rules")?;
    let results = run["results"].as_array().context("no results")?;
    assert!(!results.is_empty());
    for result in results {
        assert!(
            known.iter().any(|it| it["id"] == result["ruleId"]),
            "{result:#}"
        );
        assert!(
            ["error", "warning", "note"]
                .map(Value::from)
                .contains(&result["level"]),
            "{result:#}"
        );
        assert!(result["message"]["text"].is_string(), "{result:#}");
        assert!(result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"].is_string());
    }
    Ok(())
}

#[tokio::test]
async fn a_project_that_is_set_up_and_no_more_has_no_finding_of_its_own() -> Result<()> {
    let place = Place::whole().await?;
    // Getting a token is the use without which an account counts as forgotten.
    place.json(&["doctor", "-o", "json"]).await?;
    let (code, report) = place.json(&["audit", "-o", "json"]).await?;
    let own: Vec<_> = rules(&report)
        .into_iter()
        .filter(|it| !SURROUNDINGS.contains(it))
        .collect();
    assert!(own.is_empty(), "{report:#}");
    assert_eq!(
        report["unread"].as_array().map(Vec::len),
        Some(0),
        "{report:#}"
    );
    assert_eq!(code, 0);
    Ok(())
}
