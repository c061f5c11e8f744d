//! `cloud.google.com/go/auth` gets tokens from the metadata server, from STS and by impersonation.

use anyhow::{Context as _, Result};
use gcp_sim::WorkloadToken;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::run;
use crate::talk::{API, Talk, WEB};

const AUDIENCE: &str = "identitynamespace:acme-prod.svc.id.goog:https://container.googleapis.com/v1/projects/acme-prod/\
    locations/europe-west1/clusters/main";

const GHOST: &str = "kargo-project-ghost@acme-prod.iam.gserviceaccount.com";

/// Mints a token of `account` as the controller's pod.
async fn impersonate(account: &str) -> Result<Value> {
    let talk = Talk::start().await?;
    let environment = [("TARGET_PRINCIPAL", account)];
    run(&talk.simulator, "controller", "impersonated", &environment).await
}

/// Uses a file of credentials that rests on the controller's own token, written as gcloud writes one.
async fn use_file(file: impl FnOnce(Value) -> Value) -> Result<Value> {
    let talk = Talk::start().await?;
    let folder = tempfile::tempdir()?;
    let (token_file, credentials) = (folder.path().join("token"), folder.path().join("file"));
    let wanted = WorkloadToken {
        cluster: "acme-prod/europe-west1/main",
        namespace: "argosy",
        service_account: "controller",
        audience: "acme-prod.svc.id.goog",
        lifetime: SignedDuration::from_mins(10),
    };
    let token = talk.google().workload_token(&wanted);
    std::fs::write(&token_file, token.context("the cluster is there")?)?;
    let external = json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"file": token_file},
    });
    std::fs::write(&credentials, file(external).to_string())?;
    let path = credentials.to_str().context("a path of UTF-8")?;
    let environment = [("GOOGLE_APPLICATION_CREDENTIALS", path)];
    run(
        &talk.simulator,
        "controller",
        "credentials_file",
        &environment,
    )
    .await
}

fn minting(account: &str) -> String {
    format!(
        "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{account}:generateAccessToken"
    )
}

#[track_caller]
fn refused(seen: &Value, with: &[&str]) {
    let words = seen["refused"].as_str().unwrap_or_default();
    for part in with {
        assert!(words.contains(part), "no {part:?} in {seen}");
    }
}

#[tokio::test]
async fn default_credentials_find_the_metadata_server() -> Result<()> {
    let talk = Talk::start().await?;
    let seen = run(&talk.simulator, "controller", "metadata", &[]).await?;
    let expected = json!({
        "project": "acme-prod",
        "universe": "googleapis.com",
        "type": "Bearer",
        "simulated": true,
        "cached": true,
    });
    assert_eq!(seen, expected);
    Ok(())
}

#[tokio::test]
async fn impersonated_credentials_are_the_accounts() -> Result<()> {
    assert_eq!(impersonate(WEB).await?, json!({ "account": WEB }));
    Ok(())
}

#[tokio::test]
async fn impersonation_without_a_binding_is_refused_in_googles_words() -> Result<()> {
    let seen = impersonate(API).await?;
    refused(
        &seen,
        &[
            "status code 403",
            "PERMISSION_DENIED",
            "iam.serviceAccounts.getAccessToken",
        ],
    );
    Ok(())
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_refused_in_googles_words() -> Result<()> {
    let seen = impersonate(GHOST).await?;
    refused(&seen, &["status code 404", "Gaia id not found for email"]);
    Ok(())
}

#[tokio::test]
async fn an_external_account_is_exchanged_and_impersonates() -> Result<()> {
    let seen = use_file(|mut file| {
        file["service_account_impersonation_url"] = json!(minting(WEB));
        file
    });
    assert_eq!(seen.await?, json!({ "account": WEB }));
    Ok(())
}

#[tokio::test]
async fn a_file_of_impersonation_rests_on_an_external_account() -> Result<()> {
    let seen = use_file(|source| {
        json!({
            "type": "impersonated_service_account",
            "service_account_impersonation_url": minting(WEB),
            "source_credentials": source,
        })
    });
    assert_eq!(seen.await?, json!({ "account": WEB }));
    Ok(())
}

#[tokio::test]
async fn an_audience_of_no_pool_is_refused() -> Result<()> {
    let seen = use_file(|mut file| {
        file["audience"] = json!(AUDIENCE.replace("acme-prod", "acme-test"));
        file
    });
    refused(&seen.await?, &["invalid_"]);
    Ok(())
}

#[tokio::test]
async fn in_another_universe_the_hosts_are_called_after_it() -> Result<()> {
    let talk = Talk::start().await?;
    talk.google()
        .change(|world| "universe.example".clone_into(&mut world.universe_domain));
    let seen = run(&talk.simulator, "controller", "metadata", &[]).await?;
    assert_eq!(seen["universe"], "universe.example");
    let environment = [("TARGET_PRINCIPAL", WEB)];
    let seen = run(&talk.simulator, "controller", "impersonated", &environment).await?;
    assert_eq!(seen, json!({ "account": WEB }));
    Ok(())
}
