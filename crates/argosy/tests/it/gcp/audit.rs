//! What the audit finds, in which form, and how it ends.

use anyhow::{Context as _, Result};
use gcp_sim::{ResourceName, World as GoogleWorld};
use serde_json::Value;
use testkit::Restricted;

use super::{ACCOUNT, CONTROLLER, Place, apps};

/// Lists the rules that found something.
fn rules(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array();
    findings
        .into_iter()
        .flatten()
        .filter_map(|it| it["rule"].as_str())
        .collect()
}

/// Lists the rules that found something about who may do what, beyond what a fresh project is never good at.
pub(super) fn own_rules(report: &Value) -> Vec<&str> {
    let found = rules(report).into_iter();
    found.filter(|it| !SURROUNDINGS.contains(it)).collect()
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
        let location = &result["locations"][0];
        assert!(location["logicalLocations"][0]["fullyQualifiedName"].is_string());
        let file = &location["physicalLocation"]["artifactLocation"]["uri"];
        let file = file.as_str().context("no file")?;
        assert!(
            file.starts_with("gcp/") && reqwest::Url::parse(file).is_err(),
            "{file} has to be a relative reference"
        );
        assert_eq!(location["physicalLocation"]["region"]["startLine"], 1);
    }
    Ok(())
}

#[tokio::test]
async fn a_project_that_is_set_up_and_no_more_has_no_finding_of_its_own() -> Result<()> {
    let place = Place::whole().await?;
    // Getting a token is the use without which an account counts as forgotten.
    place.json(&["doctor", "-o", "json"]).await?;
    let (code, report) = place.json(&["audit", "-o", "json"]).await?;
    assert!(own_rules(&report).is_empty(), "{report:#}");
    assert_eq!(
        report["unread"].as_array().map(Vec::len),
        Some(0),
        "{report:#}"
    );
    assert_eq!(code, 0);
    Ok(())
}

#[tokio::test]
async fn who_else_may_act_by_a_role_on_the_whole_project_is_found() -> Result<()> {
    let place = Place::whole().await?;
    place.json(&["doctor", "-o", "json"]).await?;
    let project = ResourceName::project("acme-prod");
    let (role, member) = (
        "roles/iam.serviceAccountTokenCreator",
        "group:sre@acme.example",
    );
    place.google().grant(role, member, &project)?;
    let (code, report) = place.json(&["audit", "-o", "json"]).await?;
    assert_eq!((code, own_rules(&report)), (1, vec!["A07"]), "{report:#}");
    let expected = format!("--expected={member}");
    let (code, report) = place.json(&["audit", "-o", "json", &expected]).await?;
    assert_eq!((code, own_rules(&report)), (0, vec!["A07"]), "{report:#}");
    let meant = report["findings"].as_array().into_iter().flatten();
    let meant: Vec<_> = meant.filter(|it| it["expected"].is_string()).collect();
    assert_eq!(meant.len(), 1, "{report:#}");
    assert_eq!(meant[0]["severity"], "info");
    Ok(())
}

#[tokio::test]
async fn a_repository_that_is_meant_to_be_public_is_information() -> Result<()> {
    let place = Place::whole().await?;
    place.json(&["doctor", "-o", "json"]).await?;
    place
        .google()
        .grant("roles/artifactregistry.reader", "allUsers", &apps())?;
    let public = "--public=europe-west1-docker.pkg.dev/acme-prod/apps";
    let (code, report) = place.json(&["audit", "-o", "json", public]).await?;
    assert_eq!((code, own_rules(&report)), (0, vec!["A10"]), "{report:#}");
    let wrong = place.run(&["audit", "--public=apps"]).await?;
    assert_eq!(wrong.status.code(), Some(2));
    Ok(())
}

#[tokio::test]
async fn what_the_controller_may_do_elsewhere_is_searched_for_whoever_it_is_called() -> Result<()> {
    let place = Place::whole().await?;
    place.json(&["doctor", "-o", "json"]).await?;
    let google = place.google();
    let others = ResourceName::Repository {
        project: "acme-prod".to_owned(),
        location: "europe-west1".to_owned(),
        repository: "others".to_owned(),
    };
    let pool = "projects/123456789012/locations/global/workloadIdentityPools/acme-prod.svc.id.goog";
    let cluster = format!(
        "principalSet://iam.googleapis.com/{pool}/kubernetes.cluster/\
         https://container.googleapis.com/v1/projects/acme-prod/locations/europe-west1/clusters/main"
    );
    let legacy = "serviceAccount:acme-prod.svc.id.goog[argosy/kargo-controller]";
    let cases = [
        (CONTROLLER, "roles/artifactregistry.reader", &["A12"][..]),
        (legacy, "roles/artifactregistry.writer", &["A11", "A12"]),
        (&cluster, "roles/artifactregistry.reader", &["A12"]),
    ];
    for (member, role, expected) in cases {
        google.grant(role, member, &others)?;
        let (_, report) = place.json(&["audit", "-o", "json"]).await?;
        assert_eq!(own_rules(&report), expected, "{member}: {report:#}");
        let found = report["findings"].to_string();
        for part in [
            "repositories/others",
            "searchAllIamPolicies",
            "remove-iam-policy-binding",
        ] {
            assert!(found.contains(part), "no {part:?}: {report:#}");
        }
        google.revoke(role, member, &others)?;
    }
    Ok(())
}

#[tokio::test]
async fn keys_that_every_project_may_use_are_found_and_what_may_not_be_listed_is_said() -> Result<()>
{
    let place = Place::whole().await?;
    place.json(&["doctor", "-o", "json"]).await?;
    let key = "
apiVersion: v1
kind: Namespace
metadata: {name: shared}
---
apiVersion: v1
kind: Secret
metadata: {name: gar, namespace: shared, labels: {kargo.akuity.io/cred-type: image}}
stringData: {repoURL: europe-west1-docker.pkg.dev/acme-prod/apps/web, gcpServiceAccountKey: e30=}
";
    place.cluster.apply(key).await?;
    let audit = ["audit", "-o", "json", "--shared-namespace=shared"];
    let (code, report) = place.json(&audit).await?;
    assert_eq!((code, own_rules(&report)), (1, vec!["A20"]), "{report:#}");
    let doctor = ["doctor", "-o", "json", "--shared-namespace=shared"];
    let (_, report) = place.json(&doctor).await?;
    assert_eq!(super::status(&report, "STATIC-KEYS")?, "fail");
    let (_, report) = place.json(&["audit", "-o", "json"]).await?;
    assert!(own_rules(&report).is_empty(), "{report:#}");
    let restricted = Restricted::of(&place.cluster, "GET".parse()?, "/shared/secrets").await?;
    std::fs::write(place.file("kubeconfig"), restricted.kubeconfig())?;
    let (code, report) = place.json(&audit).await?;
    assert_eq!(code, 2, "{report:#}");
    assert_eq!(report["unread"][0]["resource"], "secrets of shared");
    Ok(())
}
