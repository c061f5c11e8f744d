//! A Project tightens the policy for itself, and never loosens it.

use anyhow::Result;
use credentials::google::Fallback;
use scenarios::PROJECT;
use testkit::google::{Effect, IAM_CREDENTIALS};

use crate::port::Port;

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_denies_is_read_as_nobody_else() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "ControllerIdentity").await?;
    port.has_freight().await?;
    port.tighten("deny").await?;
    port.who_asked();
    port.refresh().await?;
    let message = port.identity("False", "IdentityRefused").await?;
    assert!(message.contains("the policy deny"), "{message}");
    assert_eq!(port.times_asked(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_nobody_knows_denies_and_is_said() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.tighten("never").await?;
    port.subscribe_to(PROJECT).await?;
    let message = port.identity("False", "IdentityRefused").await?;
    for part in [
        "argosy.dev/gcp-identity-fallback",
        r#""never" is no policy"#,
        "allow, if-absent, deny",
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    assert_eq!(port.times_asked(), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_nobody_knows_is_said_also_where_the_project_acts_itself() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.google.give_account(PROJECT)?;
    port.tighten("never").await?;
    port.subscribe_to(PROJECT).await?;
    let message = port.identity("True", "OwnServiceAccount").await?;
    for part in [
        "it is the Project's own; annotation argosy.dev/gcp-identity-fallback, which counts as deny: ",
        r#""never" is no policy"#,
    ] {
        assert!(message.contains(part), "{part} in: {message}");
    }
    // And where it is not known who may act.
    port.google.inject(Effect::Unavailable.on(IAM_CREDENTIALS));
    port.harbour.clock.advance(7_200);
    port.refresh().await?;
    let message = port.identity("False", "IdentityUnavailable").await?;
    assert!(message.contains(r#""never" is no policy"#), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_cannot_loosen_the_policy() -> Result<()> {
    let port = Port::open(Fallback::Deny).await?;
    port.tighten("allow").await?;
    port.subscribe_to(PROJECT).await?;
    let message = port.identity("False", "IdentityRefused").await?;
    assert!(message.contains("the policy deny"), "{message}");
    assert_eq!(port.times_asked(), 0);
    Ok(())
}
