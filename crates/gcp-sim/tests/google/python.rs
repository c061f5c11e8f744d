//! Google's own Python clients are the judges: what they accept is what Google would have said.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use gcp_sim::WorkloadToken;
use jiff::SignedDuration;
use loopback_servers::tools;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::talk::Talk;

const AUDIENCE: &str = "identitynamespace:acme-prod.svc.id.goog:https://container.googleapis.com/v1/projects/acme-prod/\
    locations/europe-west1/clusters/main";

/// Runs a scenario of `tests/python/clients.py` as the controller's pod and gives what it printed.
async fn run(talk: &Talk, scenario: &str) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let token_file = folder.path().join("token");
    let wanted = WorkloadToken {
        cluster: "acme-prod/europe-west1/main",
        namespace: "argosy",
        service_account: "controller",
        audience: "acme-prod.svc.id.goog",
        lifetime: SignedDuration::from_mins(10),
    };
    let token = talk
        .google()
        .workload_token(&wanted)
        .context("the cluster is there")?;
    std::fs::write(&token_file, token)?;
    let metadata = talk.simulator.metadata["controller"].to_string();
    let output = Command::new(tools::path("python")?)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/clients.py"))
        .arg(scenario)
        .env("GCE_METADATA_HOST", &metadata)
        .env("GCE_METADATA_IP", &metadata)
        .env("HOME", folder.path())
        .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
        .env("SIMULATOR_APIS", talk.simulator.apis.to_string())
        .env("SIMULATOR_ADMIN", talk.simulator.admin.to_string())
        .env("STS_AUDIENCE", AUDIENCE)
        .env("WORKLOAD_TOKEN_FILE", &token_file)
        .env("OPERATOR_TOKEN", talk.operator()?)
        .output()
        .await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{scenario} failed: {errors}");
    Ok(serde_json::from_slice(&output.stdout)?)
}

#[tokio::test]
async fn default_credentials_find_the_metadata_server() -> Result<()> {
    let talk = Talk::start().await?;
    let found = run(&talk, "metadata").await?;
    assert_eq!(
        found,
        json!({"project": "acme-prod", "simulated": true, "cached": true, "another": true})
    );
    Ok(())
}

#[tokio::test]
async fn impersonated_credentials_get_the_accounts_token() -> Result<()> {
    let talk = Talk::start().await?;
    let found = run(&talk, "impersonated").await?;
    assert_eq!(found, json!({"valid": true, "simulated": true}));
    let missing = run(&talk, "impersonated_missing").await?;
    let error = missing["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("Gaia id not found for email kargo-project-ghost@"),
        "{error}"
    );
    Ok(())
}

#[tokio::test]
async fn external_account_credentials_exchange_and_impersonate() -> Result<()> {
    let talk = Talk::start().await?;
    let found = run(&talk, "external_account").await?;
    assert_eq!(
        found,
        json!({"simulated": true, "account": crate::talk::WEB})
    );
    Ok(())
}

#[tokio::test]
async fn the_generated_client_reads_tokens_and_refusals() -> Result<()> {
    let talk = Talk::start().await?;
    let found = run(&talk, "iam_credentials").await?;
    assert_eq!(
        found,
        json!({"simulated": true, "reason": "IAM_PERMISSION_DENIED"})
    );
    Ok(())
}

#[tokio::test]
async fn discovery_clients_administer_the_project() -> Result<()> {
    let talk = Talk::start().await?;
    let found = run(&talk, "administration").await?;
    let expected = json!({
        "account": "kargo-project-new@acme-prod.iam.gserviceaccount.com",
        "written": [{"role": "roles/iam.workloadIdentityUser", "members": ["user:ann@acme.example"]}],
        "role": true,
        "key": "KEY_ALG_RSA_2048",
        "project": "acme-prod",
        "held": ["resourcemanager.projects.get"],
        "pool": "acme-prod.svc.id.goog",
        "enabled": "ENABLED",
        "effective": [{"enforce": false}],
    });
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test]
async fn a_json_key_gets_tokens_until_it_is_disabled_or_the_clock_is_wrong() -> Result<()> {
    let talk = Talk::start().await?;
    let found = run(&talk, "key").await?;
    assert_eq!(found["disabled"], "Invalid JWT Signature.");
    let behind = found["behind"].as_str().unwrap_or_default();
    assert!(behind.contains("short-lived token (60 minutes)"), "{found}");
    Ok(())
}

#[tokio::test]
async fn the_discovery_client_searches_the_inventory() -> Result<()> {
    let talk = Talk::start().await?;
    for api in [
        "cloudasset.googleapis.com",
        "artifactregistry.googleapis.com",
    ] {
        talk.google().enable_api("acme-prod", api)?;
    }
    let member = format!("serviceAccount:{}", crate::talk::WEB);
    let reader = json!({"role": "roles/artifactregistry.reader", "members": [member]});
    let repository: gcp_sim::Repository = serde_json::from_value(json!({
        "name": "apps", "location": "europe", "bindings": [reader],
    }))?;
    talk.google().change(|world| {
        let project = world.project_mut("acme-prod").expect("it is there");
        project.repositories.push(repository);
    });
    let found = run(&talk, "assets").await?;
    let apps =
        "//artifactregistry.googleapis.com/projects/acme-prod/locations/europe/repositories/apps";
    let expected = json!({
        "bindings": [[reader]],
        "accounts": 3,
        "attached": [apps, "//cloudresourcemanager.googleapis.com/projects/123456789012"],
        "identities": [member, "user:ops@acme.example"],
        "refused": ["Request denied by Cloud IAM.", "To check permissions required for this RPC:"],
    });
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test]
async fn the_discovery_client_publishes_pulls_and_acknowledges() -> Result<()> {
    let talk = Talk::start().await?;
    talk.google()
        .enable_api("acme-prod", "pubsub.googleapis.com")?;
    let found = run(&talk, "pubsub").await?;
    let expected = json!({
        "deadline": 20,
        "message": {"action": "INSERT"},
        "acknowledged": {},
        "empty": {},
        "missing": "Resource not found (resource=none).",
    });
    assert_eq!(found, expected);
    Ok(())
}
