//! A Project's own Kubernetes account, which Google checks by the cluster's published keys.

use anyhow::Result;
use credentials::google::{ACCOUNT, Fallback};
use scenarios::PROJECT;
use testkit::PublishedKeys;
use testkit::google::{Effect, STS, image_of, member};

use crate::port::{FORGOTTEN, Port};

/// Opens under the loosest policy, with a Kubernetes account that Google can check.
async fn open() -> Result<(Port, PublishedKeys)> {
    let port = Port::open(Fallback::Allow).await?;
    let keys = PublishedKeys::of(&port.harbour.world, port.harbour.folder()).await?;
    port.google.trust_keys_at(&keys.url);
    port.give_kubernetes_account().await?;
    Ok((port, keys))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_reads_as_its_kubernetes_account() -> Result<()> {
    let (port, _keys) = open().await?;
    let own = member(PROJECT, ACCOUNT);
    port.google.let_read(&own, PROJECT)?;
    port.subscribe_to(PROJECT).await?;
    let message = port.identity("True", "OwnKubernetesAccount").await?;
    let expected = format!(
        "{}: {own} acts, since it is the Project's own",
        image_of(PROJECT)
    );
    assert!(message.starts_with(&expected), "{message}");
    port.has_freight().await?;
    assert_eq!(port.who_asked(), [own]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_may_not_read_is_not_passed_over() -> Result<()> {
    let (port, _keys) = open().await?;
    port.subscribe_to(PROJECT).await?;
    let message = port.says("Healthy", "False", "DiscoveryFailed").await?;
    let may_read = format!("--member='{}'", member(PROJECT, ACCOUNT));
    assert!(
        message.contains("403") && message.ends_with(&may_read),
        "{message}"
    );
    port.identity("True", "OwnKubernetesAccount").await?;
    assert_eq!(port.who_asked(), [member(PROJECT, ACCOUNT)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_whose_token_cannot_be_had_is_not_passed_over() -> Result<()> {
    let (port, _keys) = open().await?;
    let own = member(PROJECT, ACCOUNT);
    port.google.let_read(&own, PROJECT)?;
    for effect in [Effect::Unavailable, Effect::BadGatewayPage] {
        port.google
            .inject(effect.on(STS).where_path_has("/v1/token"));
    }
    port.subscribe_to(PROJECT).await?;
    let message = port.identity("False", "IdentityUnavailable").await?;
    assert!(message.contains("503"), "{message}");
    assert_eq!(port.times_asked(), 0);
    port.google.mend();
    port.harbour.clock.advance(FORGOTTEN);
    port.identity("True", "OwnKubernetesAccount").await?;
    assert_eq!(port.who_asked(), [own]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_was_disabled_gives_no_token_and_the_one_that_is_held_serves_on()
-> Result<()> {
    let (port, _keys) = open().await?;
    let own = member(PROJECT, ACCOUNT);
    port.google.let_read(&own, PROJECT)?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "OwnKubernetesAccount").await?;
    port.google
        .inject(Effect::FederatedOutlivesProvider.on(STS));
    // What Google gave out before stays good, so it is used.
    port.refreshed().await?;
    port.identity("True", "OwnKubernetesAccount").await?;
    assert_eq!(port.who_asked(), std::slice::from_ref(&own));

    port.harbour.clock.advance(3600 + FORGOTTEN);
    port.refresh().await?;
    let message = port.identity("False", "IdentityUnavailable").await?;
    assert!(message.contains("invalid_target"), "{message}");
    assert_eq!(port.times_asked(), 0, "and the controller does not act");
    port.google.mend();
    port.harbour.clock.advance(FORGOTTEN);
    port.refreshed().await?;
    port.identity("True", "OwnKubernetesAccount").await?;
    assert_eq!(port.who_asked(), [own]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_the_clusters_prove_nothing() -> Result<()> {
    // Google takes the token for one of a cluster whose keys it has, and this one has others.
    let port = Port::open(Fallback::Allow).await?;
    port.give_kubernetes_account().await?;
    port.google.let_read(&member(PROJECT, ACCOUNT), PROJECT)?;
    port.subscribe_to(PROJECT).await?;
    port.identity("False", "IdentityUnavailable").await?;
    assert_eq!(port.times_asked(), 0);
    Ok(())
}
