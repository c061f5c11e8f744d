//! What happens where a Project has no account, or one that the controller may not act as.

use anyhow::Result;
use credentials::google::Fallback;
use scenarios::PROJECT;
use testkit::google::{IAM_CREDENTIALS, account_of, controller, image_of};

use crate::port::{FORGOTTEN, Port};

const CREATE: &str = "gcloud iam service-accounts create kargo-project-acme --project=acme-prod";

fn bind() -> String {
    format!(
        "gcloud iam service-accounts add-iam-policy-binding {} --role=roles/iam.workloadIdentityUser",
        account_of(PROJECT)
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn under_allow_the_controller_acts_for_an_absent_account_and_says_why() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.subscribe_to(PROJECT).await?;
    let message = port.identity("True", "ControllerIdentity").await?;
    for part in [
        "acts, since there is no service account",
        "the policy allow",
        CREATE,
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    port.has_freight().await?;
    assert_eq!(port.who_asked(), [controller()]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_controller_may_not_read_nobody_is_told_to_let_it() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.google.forbid_to_read(&controller(), PROJECT)?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "ControllerIdentity").await?;
    let message = port.says("Healthy", "False", "DiscoveryFailed").await?;
    let next = format!(
        "argosy gcp setup --project {PROJECT} --repo {}",
        image_of(PROJECT)
    );
    assert!(message.ends_with(&next), "{message}");
    assert!(!message.contains("--member"), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_refused_recovers_by_a_refresh_while_no_time_passes() -> Result<()> {
    let port = Port::open(Fallback::Deny).await?;
    port.subscribe_to(PROJECT).await?;
    port.identity("False", "IdentityRefused").await?;
    port.google.give_account(PROJECT)?;
    // The refusal is remembered for five minutes, which do not pass here.
    port.refresh().await?;
    port.identity("True", "OwnServiceAccount").await?;
    port.has_freight().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_fails_asks_google_once_and_not_at_every_repetition() -> Result<()> {
    let port = Port::open(Fallback::Deny).await?;
    port.subscribe_to(PROJECT).await?;
    port.identity("False", "IdentityRefused").await?;
    port.google.take_asked(IAM_CREDENTIALS);
    port.refresh().await?;
    let before = looks(&port)?;
    let repeated = port
        .harbour
        .until("it was looked again and again", async || {
            Ok((looks(&port)? >= before + 3).then_some(()))
        });
    repeated.await?;
    let asked = port.google.take_asked(IAM_CREDENTIALS);
    assert_eq!(asked.len(), 1, "{asked:?}");
    Ok(())
}

/// How often it was looked who acts, and nobody might.
fn looks(port: &Port) -> Result<u32> {
    let labels = r#"{provider="google",identity="none",outcome="refused"}"#;
    let line = format!("argosy_registry_identity_total{labels} ");
    let metrics = port.harbour.metrics()?;
    let count = metrics.lines().find_map(|it| it.strip_prefix(&line));
    Ok(count.unwrap_or("0").parse()?)
}

#[tokio::test(flavor = "multi_thread")]
async fn under_if_absent_the_controller_acts_for_an_absent_account_only() -> Result<()> {
    let port = Port::open(Fallback::IfAbsent).await?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "ControllerIdentity").await?;
    port.has_freight().await?;
    port.google.give_account(PROJECT)?;
    port.google.forbid_controller_to_act_as(PROJECT)?;
    port.harbour.clock.advance(FORGOTTEN);
    port.who_asked();
    port.refresh().await?;
    let message = port.identity("False", "IdentityRefused").await?;
    assert!(
        message.contains(&bind()) && message.contains("the policy if-absent"),
        "{message}"
    );
    assert_eq!(port.times_asked(), 0, "nobody asks, not even anonymously");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn under_deny_nobody_acts_until_the_commands_were_run() -> Result<()> {
    let port = Port::open(Fallback::Deny).await?;
    port.subscribe_to(PROJECT).await?;
    let message = port.identity("False", "IdentityRefused").await?;
    assert!(message.ends_with(&format!("; next: {CREATE}")), "{message}");
    let ready = port.says("Ready", "False", "DiscoveryFailure").await?;
    assert!(ready.contains(CREATE), "{ready}");

    port.google.give_account(PROJECT)?;
    port.google.forbid_controller_to_act_as(PROJECT)?;
    port.harbour.clock.advance(FORGOTTEN);
    let what = "the next command is the binding";
    let next = format!("{} --member=", bind());
    port.harbour
        .until(what, async || {
            let message = port.identity("False", "IdentityRefused").await?;
            Ok(message.contains(&next).then_some(()))
        })
        .await?;
    assert_eq!(port.times_asked(), 0, "nobody asks, not even anonymously");

    port.google.let_controller_act_as(PROJECT)?;
    port.harbour.clock.advance(FORGOTTEN);
    port.identity("True", "OwnServiceAccount").await?;
    port.has_freight().await?;
    Ok(())
}
