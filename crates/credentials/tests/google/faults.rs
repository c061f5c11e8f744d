//! Faults that take more than one look to tell: a node's identity, tokens that are nearly over, lifetimes.

use std::time::Duration;

use anyhow::{Context as _, Result};
use credentials::google::Fallback;
use credentials::{Kind, Outcome, RegistryIdentity};
use testkit::google::{
    Effect, GCP_PROJECT, IAM_CREDENTIALS, METADATA, ResourceName, account_of, image_of,
};

use crate::installation::{Installation, PROJECT};

/// The account of nodes for which nobody chose another.
pub(crate) const NODE: &str = "123456789012-compute@developer.gserviceaccount.com";

/// Says who acts for the Project, or why nobody does.
async fn look(installation: &Installation) -> Result<RegistryIdentity> {
    let found = installation
        .find(PROJECT, Kind::Image, &image_of(PROJECT))
        .await;
    match found {
        Ok(access) => access.identity.context("somebody acts"),
        Err(error) => error.identity().cloned().context("it is about identities"),
    }
}

/// Gives the nodes their account.
pub(crate) fn give_nodes_an_account(installation: &Installation) -> Result<()> {
    let google = installation.google.google();
    google.create_account(GCP_PROJECT, "node-account")?;
    google.change(|world| {
        let accounts = world
            .projects
            .iter_mut()
            .flat_map(|it| &mut it.service_accounts);
        for account in accounts.filter(|it| it.name == "node-account") {
            NODE.clone_into(&mut account.email);
        }
    });
    Ok(())
}

#[tokio::test]
async fn the_identity_of_a_node_is_never_taken_for_the_controllers() -> Result<()> {
    for fallback in [Fallback::Allow, Fallback::IfAbsent, Fallback::Deny] {
        let installation = Installation::open_under(fallback).await?;
        give_nodes_an_account(&installation)?;
        // What the node may read, nobody reads as it.
        let node = format!("serviceAccount:{NODE}");
        let everything = ResourceName::project(GCP_PROJECT);
        let google = installation.google.google();
        google.grant("roles/artifactregistry.reader", &node, &everything)?;
        let too_long = "a-name-that-is-too-long";
        installation.tenant_without_account(too_long).await?;
        let wrong = Effect::MetadataWrongIdentity.on(METADATA);
        installation.google.inject(wrong);
        for _ in 0..2 {
            let found = look(&installation).await?;
            let case = format!("{fallback}: {}", found.why);
            assert_eq!(found.outcome, Outcome::Unavailable, "{case}");
            assert_eq!(found.identity, None, "{case}");
            let next = found.next.context("something to do")?;
            assert!(next.ends_with("argosy gcp doctor"), "{case}: {next}");
            assert!(next.contains("NODEPOOL-MODE"), "{case}: {next}");
        }
        // Where the account is surely absent, it is for the controller to act, and that one is not to be had.
        let refused = if fallback == Fallback::Deny {
            Outcome::Refused
        } else {
            Outcome::Unavailable
        };
        let image = image_of(PROJECT);
        let absent = installation.outcome(too_long, Kind::Image, &image).await;
        assert_eq!(absent, Some(refused), "{fallback}");
        // Nobody was asked as the node.
        let calls = installation.take_calls("iam-credentials");
        assert!(calls.is_empty(), "{fallback}: {calls:?}");

        installation.google.mend();
        // No token of the node is kept, and that there was one only is believed for half a minute.
        installation.advance(61);
        let found = look(&installation).await?;
        let own = format!("serviceAccount:{}", account_of(PROJECT));
        assert_eq!(found.identity, Some(own), "{}", found.why);
    }
    Ok(())
}

#[tokio::test]
async fn a_token_that_is_nearly_over_is_used_and_not_asked_for_in_a_loop() -> Result<()> {
    let installation = Installation::open().await?;
    let old = Effect::MetadataNearExpiry { seconds: 200 };
    installation.google.inject(old.on(METADATA));
    let act = async |from: usize| {
        for number in from..from + 10 {
            let tenant = format!("tenant-{number}");
            installation.tenant(&tenant).await?;
            let outcome = installation
                .outcome(&tenant, Kind::Image, &image_of(PROJECT))
                .await;
            assert_eq!(outcome, Some(Outcome::OwnServiceAccount), "{tenant}");
        }
        anyhow::Ok(())
    };
    act(0).await?;
    // Which project it is, a token, and whose.
    assert_eq!(installation.take_calls("metadata"), ["ok"; 3]);
    // It is asked for again after half a minute, once for all, and there is no better one.
    installation.advance(31);
    act(10).await?;
    assert_eq!(installation.take_calls("metadata"), ["ok"; 2]);
    installation.google.mend();
    installation.advance(31);
    act(20).await?;
    assert_eq!(installation.take_calls("metadata"), ["ok"; 2]);
    installation.advance(2_000);
    act(30).await?;
    let calls = installation.take_calls("metadata");
    assert!(calls.is_empty(), "now it lasts: {calls:?}");
    Ok(())
}

/// Below a minute the metadata server itself has no old token to give again: whoever asks gets a new one, as short.
#[tokio::test]
async fn a_token_that_is_over_in_a_moment_is_used_too() -> Result<()> {
    let installation = Installation::open().await?;
    let old = Effect::MetadataNearExpiry { seconds: 45 };
    installation.google.inject(old.on(METADATA));
    let act = async |tenant: &str| {
        installation.tenant(tenant).await?;
        let image = image_of(PROJECT);
        let outcome = installation.outcome(tenant, Kind::Image, &image).await;
        assert_eq!(outcome, Some(Outcome::OwnServiceAccount), "{tenant}");
        anyhow::Ok(())
    };
    act("tenant-0").await?;
    // Which project it is, a token, and whose.
    assert_eq!(installation.take_calls("metadata"), ["ok"; 3]);
    act("tenant-1").await?;
    let calls = installation.take_calls("metadata");
    assert!(calls.len() <= 2, "not in a loop: {calls:?}");
    for number in 2..6 {
        installation.advance(46);
        act(&format!("tenant-{number}")).await?;
        // It is over, so a new one is asked for, and whose that is, once.
        assert_eq!(installation.take_calls("metadata"), ["ok"; 2]);
    }
    Ok(())
}

#[tokio::test]
async fn a_lifetime_that_the_organization_caps_is_asked_for_once_more_as_an_hour() -> Result<()> {
    let quarter = Duration::from_mins(15);
    let installation = Installation::open_with(Fallback::Allow, quarter).await?;
    let cap = || Effect::OrgLifetimeCap.on(IAM_CREDENTIALS);
    installation.google.inject(cap().times(1));
    let found = look(&installation).await?;
    assert_eq!(found.outcome, Outcome::OwnServiceAccount, "{}", found.why);
    let calls = installation.take_calls("iam-credentials");
    assert_eq!(calls, ["lifetime", "ok"]);
    // A quarter of an hour would be over.
    installation.advance(1_200);
    let found = look(&installation).await?;
    assert_eq!(found.outcome, Outcome::OwnServiceAccount, "{}", found.why);
    let calls = installation.take_calls("iam-credentials");
    assert!(calls.is_empty(), "it lives for an hour: {calls:?}");

    // Where an hour is too much as well, nobody acts, and nobody is asked a third time.
    installation.google.inject(cap());
    installation.advance(7_200);
    let found = look(&installation).await?;
    assert_eq!(found.outcome, Outcome::Unavailable, "{}", found.why);
    let next = found.next.context("something to do")?;
    assert!(
        next.contains("iam.allowServiceAccountCredentialLifetimeExtension"),
        "{next}"
    );
    let calls = installation.take_calls("iam-credentials");
    assert_eq!(calls, ["lifetime", "lifetime"]);
    installation.google.mend();
    let found = look(&installation).await?;
    assert_eq!(found.outcome, Outcome::OwnServiceAccount, "{}", found.why);
    assert_eq!(installation.take_calls("iam-credentials"), ["ok"]);
    Ok(())
}

#[tokio::test]
async fn a_disabled_account_is_no_absent_one_under_any_policy() -> Result<()> {
    for fallback in [Fallback::Allow, Fallback::IfAbsent, Fallback::Deny] {
        let installation = Installation::open_under(fallback).await?;
        let disabled = Effect::GsaDisabled.on(IAM_CREDENTIALS);
        installation.google.inject(disabled);
        for _ in 0..2 {
            let found = look(&installation).await?;
            let case = format!("{fallback}: {}", found.why);
            assert_eq!(found.outcome, Outcome::Unavailable, "{case}");
            // It is no answer that is believed: the next look asks again.
            let calls = installation.take_calls("iam-credentials");
            assert_eq!(calls, ["refused"], "{case}");
        }
        installation.google.mend();
        let found = look(&installation).await?;
        assert_eq!(found.outcome, Outcome::OwnServiceAccount, "{}", found.why);
        // So is one that is disabled in earnest, once its token is over.
        let google = installation.google.google();
        google.disable_account(&account_of(PROJECT))?;
        installation.advance(7_200);
        let found = look(&installation).await?;
        assert_eq!(found.outcome, Outcome::Unavailable, "{}", found.why);
    }
    Ok(())
}
