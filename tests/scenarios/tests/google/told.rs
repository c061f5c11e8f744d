//! What people are told: one event for each change, metrics, and a condition only where there is something to say.

use anyhow::{Context as _, Result};
use credentials::google::Fallback;
use kube::api::{Patch, PatchParams};
use resources::{Warehouse, condition};
use scenarios::PROJECT;
use serde_json::json;
use testkit::google::{Effect, IAM_CREDENTIALS, image_of};

use crate::port::{FORGOTTEN, Port, WAREHOUSE};

#[tokio::test(flavor = "multi_thread")]
async fn an_event_tells_of_every_change_and_of_nothing_else() -> Result<()> {
    let port = Port::open(Fallback::Deny).await?;
    port.subscribe_to(PROJECT).await?;
    let refused = port.identity("False", "IdentityRefused").await?;
    port.google.give_account(PROJECT)?;
    port.harbour.clock.advance(FORGOTTEN);
    let acts = port.identity("True", "OwnServiceAccount").await?;
    for _ in 0..3 {
        port.harbour.clock.advance(60);
        port.refreshed().await?;
    }
    let events = port.events().await?;
    let told: Vec<_> = events
        .iter()
        .map(|it| {
            (
                it.type_.clone().unwrap_or_default(),
                it.message.clone().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.contains(&("Warning".to_owned(), refused)), "{told:#?}");
    assert!(told.contains(&("Normal".to_owned(), acts)), "{told:#?}");
    assert!(
        events
            .iter()
            .all(|it| it.count.is_none_or(|count| count == 1))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_number_of_the_same_refusal_is_no_news() -> Result<()> {
    let port = Port::open(Fallback::Deny).await?;
    port.subscribe_to(PROJECT).await?;
    port.identity("False", "IdentityRefused").await?;
    for uid in ["uid-one", "uid-two", "uid-three"] {
        port.google.mend();
        let perimeter = Effect::Vpcsc {
            uid: uid.to_owned(),
        };
        port.google.inject(perimeter.on(IAM_CREDENTIALS));
        port.harbour.clock.advance(FORGOTTEN);
        port.refresh().await?;
        let said = port.harbour.until("the number is said", async || {
            let message = port.identity("False", "IdentityUnavailable").await?;
            Ok(message.contains(uid).then_some(()))
        });
        said.await?;
    }
    let events = port.events().await?;
    let told: Vec<_> = events.iter().filter_map(|it| it.message.clone()).collect();
    assert_eq!(told.len(), 2, "{told:#?}");
    assert!(told.iter().any(|it| it.contains("uid-one")), "{told:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_said_beside_whoever_acts_elsewhere() -> Result<()> {
    let port = Port::open(Fallback::Deny).await?;
    port.google.give_account(PROJECT)?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "OwnServiceAccount").await?;
    // The Project acts for the image; for the chart a Secret holds a key that is none.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "key", "namespace": PROJECT, "labels": {"kargo.akuity.io/cred-type": "helm"}},
        "stringData": {"repoURL": format!("oci://{}", image_of(PROJECT)), "gcpServiceAccountKey": "e30="},
    });
    port.harbour.world.apply(&secret.to_string()).await?;
    let both = json!({"spec": {"subscriptions": [
        {"image": {"repoURL": image_of(PROJECT)}},
        {"chart": {"repoURL": format!("oci://{}", image_of(PROJECT))}},
    ]}});
    port.harbour
        .api::<Warehouse>()
        .patch(WAREHOUSE, &PatchParams::default(), &Patch::Merge(both))
        .await?;
    let message = port.identity("False", "UnusableServiceAccountKey").await?;
    for part in [
        "acts, since it is the Project's own; oci://",
        "failed to use the service account key",
        "; next: ",
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    let labels = r#"{provider="google",identity="none",outcome="unusable-key"}"#;
    assert!(port.harbour.metrics()?.contains(labels));
    let events = port.events().await?;
    assert!(
        events
            .iter()
            .any(|it| it.message.as_deref() == Some(&message)),
        "{events:#?}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_look_is_counted_by_who_acted() -> Result<()> {
    let port = Port::open(Fallback::Deny).await?;
    port.google.give_account(PROJECT)?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "OwnServiceAccount").await?;
    port.refreshed().await?;
    let metrics = port.harbour.metrics()?;
    let labels = r#"{provider="google",identity="service-account",outcome="own"}"#;
    let line = format!("argosy_registry_identity_total{labels} ");
    let count = metrics.lines().find_map(|it| it.strip_prefix(&line));
    let count: u32 = count.with_context(|| metrics.clone())?.parse()?;
    assert!(count >= 2, "{count}");
    let seconds = r#"argosy_registry_identity_seconds_count{provider="google"} "#;
    assert!(
        metrics.lines().any(|it| it.starts_with(seconds)),
        "{metrics}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_once_no_repository_is_googles() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "ControllerIdentity").await?;
    // Refused before anybody is asked, and thereby at once.
    let elsewhere =
        json!({"spec": {"subscriptions": [{"image": {"repoURL": "169.254.169.254/web"}}]}});
    port.harbour
        .api::<Warehouse>()
        .patch(WAREHOUSE, &PatchParams::default(), &Patch::Merge(elsewhere))
        .await?;
    port.harbour
        .until("the condition is gone", async || {
            let conditions = port.warehouse().await?.status.map(|it| it.conditions);
            let conditions = conditions.unwrap_or_default();
            Ok(condition::find(&conditions, "RegistryIdentity")
                .is_none()
                .then_some(()))
        })
        .await?;
    assert_eq!(port.events().await?.len(), 1);
    Ok(())
}
