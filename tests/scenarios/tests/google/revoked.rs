//! Grants that are taken back, and tokens that a registry turns down.

use anyhow::Result;
use credentials::google::Fallback;
use k8s_openapi::api::core::v1::Event;
use scenarios::PROJECT;
use testkit::google::{Effect, IAM_CREDENTIALS, REGISTRY, account_of};

use crate::port::Port;

/// After so long a token of an hour is being renewed, in seconds.
const RENEWED: i64 = 52 * 60;
/// Two refusals so far apart are believed, in seconds.
const APART: i64 = 31;

/// Opens with an account that acts.
async fn acting(fallback: Fallback) -> Result<Port> {
    let port = Port::open(fallback).await?;
    port.google.give_account(PROJECT)?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "OwnServiceAccount").await?;
    port.has_freight().await?;
    Ok(port)
}

/// Takes the grant back, and asks until it is believed: the token that is still good serves meanwhile.
async fn taken_back(fallback: Fallback, status: &str, reason: &str) -> Result<Port> {
    let port = acting(fallback).await?;
    let own = format!("serviceAccount:{}", account_of(PROJECT));
    port.google.forbid_controller_to_act_as(PROJECT)?;
    port.refreshed().await?;
    port.harbour.clock.advance(RENEWED);
    port.refreshed().await?;
    port.harbour
        .until("Google has refused once", async || {
            Ok(minted(&port).then_some(()))
        })
        .await?;
    port.identity("True", "OwnServiceAccount").await?;
    port.refreshed().await?;
    assert_eq!(port.who_asked(), [own], "one refusal is none");
    is_doubted(&port).await?;
    port.harbour.clock.advance(APART);
    port.harbour
        .until("the refusal is believed", async || {
            port.refresh().await?;
            tokio::task::yield_now().await;
            let warehouse = port.warehouse().await?;
            let conditions = warehouse.status.map(|it| it.conditions).unwrap_or_default();
            let found = resources::condition::find(&conditions, "RegistryIdentity");
            Ok(found.filter(|it| it.reason == reason).map(drop))
        })
        .await?;
    port.identity(status, reason).await?;
    Ok(port)
}

/// Sees to it that people are told of the first refusal, with what to run, while the old token serves.
async fn is_doubted(port: &Port) -> Result<()> {
    let message = port.identity("True", "OwnServiceAccount").await?;
    let next = format!(
        "; next: gcloud iam service-accounts add-iam-policy-binding {} ",
        account_of(PROJECT)
    );
    for part in [
        "acts, since it is the Project's own; renewal failed: waiting for a second answer",
        ": not allowed to act as ",
        &next,
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    let events = port.events().await?;
    let is_told = |it: &Event| {
        it.type_.as_deref() == Some("Warning") && it.message.as_deref() == Some(&message)
    };
    assert_eq!(
        events.iter().filter(|it| is_told(it)).count(),
        1,
        "{events:#?}"
    );
    Ok(())
}

/// Says whether a token of an account was asked for, of all that was asked until now.
fn minted(port: &Port) -> bool {
    !port.google.take_asked(IAM_CREDENTIALS).is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_taken_back_lets_the_controller_act_where_policy_says_so() -> Result<()> {
    let port = taken_back(Fallback::Allow, "True", "ControllerIdentity").await?;
    // That the account is not there would be what was meant; that it may not be acted as is not.
    let events = port.events().await?;
    let fell_back = |it: &Event| {
        let message = it.message.as_deref().unwrap_or_default();
        message.contains("lets the controller act")
    };
    let told: Vec<_> = events.iter().filter(|it| fell_back(it)).collect();
    assert!(
        !told.is_empty() && told.iter().all(|it| it.type_.as_deref() == Some("Warning")),
        "{events:#?}"
    );
    let labels = r#"{provider="google",identity="controller",outcome="fallback-forbidden"}"#;
    assert!(port.harbour.metrics()?.contains(labels));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_that_a_token_serves_through_is_told_of_and_so_is_its_end() -> Result<()> {
    let port = acting(Fallback::Deny).await?;
    port.google.inject(Effect::Unavailable.on(IAM_CREDENTIALS));
    port.harbour.clock.advance(RENEWED);
    let doubted = port.harbour.until("the renewal has failed", async || {
        port.refreshed().await?;
        let message = port.identity("True", "OwnServiceAccount").await?;
        Ok(message.contains("; renewal failed: ").then_some(message))
    });
    let message = doubted.await?;
    assert!(
        message.contains("is in trouble: HTTP 503; next: "),
        "{message}"
    );
    port.google.mend();
    port.harbour.clock.advance(APART);
    let mended = port.harbour.until("it was renewed", async || {
        port.refreshed().await?;
        let message = port.identity("True", "OwnServiceAccount").await?;
        Ok((!message.contains("renewal failed")).then_some(message))
    });
    let acts = mended.await?;
    let mut told: Vec<_> = port.events().await?.into_iter().collect();
    told.sort_by_key(|it| it.metadata.creation_timestamp.clone());
    let told: Vec<_> = told
        .into_iter()
        .filter_map(|it| Some((it.type_?, it.message?)))
        .collect();
    let expected = [("Normal", &acts), ("Warning", &message), ("Normal", &acts)];
    for (tone, message) in expected {
        let count = told
            .iter()
            .filter(|it| it.0 == tone && it.1 == *message)
            .count();
        let wanted = expected.iter().filter(|it| it.1 == message).count();
        assert_eq!(count, wanted, "{told:#?}");
    }
    assert_eq!(told.len(), 3, "{told:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_taken_back_never_widens_access_under_if_absent() -> Result<()> {
    let port = taken_back(Fallback::IfAbsent, "False", "IdentityRefused").await?;
    let controller = testkit::google::controller();
    assert!(!port.who_asked().contains(&controller));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_registry_turns_down_is_dropped_and_asked_for_once_more() -> Result<()> {
    let port = acting(Fallback::Deny).await?;
    port.google.take_asked(IAM_CREDENTIALS);
    // The registry is shown the token itself, and not what it would give in exchange.
    port.google
        .inject(Effect::RegistryNoChallenge.on(REGISTRY).times(1));
    port.refreshed().await?;
    let mints = port.google.take_asked(IAM_CREDENTIALS);
    assert_eq!(mints.len(), 1, "{mints:?}");
    assert!(
        port.google.google().faults().is_empty(),
        "it was turned down"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_goes_on_refusing_is_not_asked_for_ever() -> Result<()> {
    let port = acting(Fallback::Allow).await?;
    let own = format!("serviceAccount:{}", account_of(PROJECT));
    port.google.forbid_to_read(&own, PROJECT)?;
    port.google.take_asked(IAM_CREDENTIALS);
    port.refresh().await?;
    let message = port.says("Healthy", "False", "DiscoveryFailed").await?;
    assert!(message.contains("403"), "{message}");
    port.identity("True", "OwnServiceAccount").await?;
    let asked = port.who_asked();
    assert!(asked.iter().all(|it| *it == own), "{asked:?}");
    port.google.let_read(&own, PROJECT)?;
    port.refreshed().await?;
    Ok(())
}
