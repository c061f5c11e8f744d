//! Tokens that a registry turns down.

use anyhow::{Context as _, Result};
use credentials::google::Fallback;
use credentials::{AccessToken, Kind, Login};
use serde_json::json;
use testkit::google::{Effect, IAM_CREDENTIALS, account_of, image_of};

use crate::installation::{Installation, PROJECT};

async fn token(installation: &Installation) -> Result<AccessToken> {
    let access = installation
        .find(PROJECT, Kind::Image, &image_of(PROJECT))
        .await?;
    match access.login.context("a login")? {
        Login::AccessToken(token) => Ok(token),
        other => anyhow::bail!("{other:?}"),
    }
}

#[tokio::test]
async fn all_who_were_turned_down_share_one_new_token() -> Result<()> {
    let installation = Installation::open().await?;
    let token = token(&installation).await?;
    installation.google.take_asked(IAM_CREDENTIALS);
    let (one, other) = tokio::join!(token.renewed(), token.renewed());
    let late = token.renewed().await;
    let own = format!("serviceAccount:{}", account_of(PROJECT));
    for renewed in [one, other, late] {
        assert_eq!(renewed.context("another token")?.identity(), own);
    }
    assert_eq!(installation.google.take_asked(IAM_CREDENTIALS).len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_token_is_not_replaced_by_somebody_elses() -> Result<()> {
    let installation = Installation::open().await?;
    let token = token(&installation).await?;
    let trouble = Effect::BadGatewayPage.on(IAM_CREDENTIALS);
    installation.google.inject(trouble);
    assert!(token.renewed().await.is_none());
    installation.google.mend();
    installation.google.forbid_controller_to_act_as(PROJECT)?;
    assert!(token.renewed().await.is_none());
    Ok(())
}

#[tokio::test]
async fn the_grant_that_is_missing_is_named_for_the_repository() -> Result<()> {
    let installation = Installation::open().await?;
    let token = token(&installation).await?;
    let own = account_of(PROJECT);
    let grant = format!(
        "gcloud artifacts repositories add-iam-policy-binding acme --project=acme-prod --location=europe \
         --role=roles/artifactregistry.reader --member='serviceAccount:{own}'"
    );
    assert_eq!(token.grant(&image_of(PROJECT)), grant);
    for other in [
        "ghcr.io/acme/web",
        "europe-docker.pkg.dev/acme-prod/$(reboot)/web",
    ] {
        assert_eq!(token.grant(other), "argosy gcp doctor");
    }
    Ok(())
}

#[tokio::test]
async fn neither_the_controller_nor_a_node_is_to_be_let_in_for_one_project() -> Result<()> {
    let installation = Installation::open_under(Fallback::Allow).await?;
    installation.tenant("other").await?;
    installation.google.forbid_controller_to_act_as(PROJECT)?;
    let controller = token(&installation).await?;
    let repository = image_of(PROJECT);
    assert_eq!(
        controller.grant(&repository),
        format!(
            "give the Project an account of its own: argosy gcp setup --project {PROJECT} --repo {repository}"
        )
    );
    // Where no account can have such a name, another way is named.
    let long = "a-project-with-a-long-name";
    installation
        .namespace(long, &json!({"kargo.akuity.io/project": "true"}))
        .await?;
    installation.project(long).await?;
    let access = installation.find(long, Kind::Image, &repository).await?;
    let Some(Login::AccessToken(controller)) = access.login else {
        anyhow::bail!("{access:?}");
    };
    let grant = controller.grant(&repository);
    assert!(
        grant.contains("kubectl create serviceaccount argosy-gcp"),
        "{grant}"
    );
    Ok(())
}
