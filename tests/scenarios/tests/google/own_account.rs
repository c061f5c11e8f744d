//! A Project's own service account.

use anyhow::Result;
use credentials::google::Fallback;
use scenarios::PROJECT;
use serde_json::json;
use testkit::google::{account_of, image_of};

use crate::port::{OTHER, Port};

#[tokio::test(flavor = "multi_thread")]
async fn a_project_reads_as_its_own_account_and_its_freight_is_made() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.google.give_account(PROJECT)?;
    port.subscribe_to(PROJECT).await?;
    let message = port.identity("True", "OwnServiceAccount").await?;
    let own = format!("serviceAccount:{}", account_of(PROJECT));
    let expected = format!(
        "{}: {own} acts, since it is the Project's own",
        image_of(PROJECT)
    );
    assert_eq!(message, expected);
    port.has_freight().await?;
    assert_eq!(port.who_asked(), [own]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_projects_account_does_not_read_what_is_anothers() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.harbour.create_project(OTHER).await?;
    port.google.give_account(PROJECT)?;
    port.google.give_account(OTHER)?;
    port.subscribe_to(OTHER).await?;
    let message = port.says("Healthy", "False", "DiscoveryFailed").await?;
    let own = format!("serviceAccount:{}", account_of(PROJECT));
    let next = format!(
        "; next: gcloud artifacts repositories add-iam-policy-binding other --project=acme-prod --location=europe \
         --role=roles/artifactregistry.reader --member='{own}'"
    );
    assert!(
        message.contains("the registry answered 403 Forbidden: DENIED"),
        "{message}"
    );
    assert!(message.ends_with(&next), "{message}");
    assert!(
        port.identity("True", "OwnServiceAccount")
            .await?
            .contains(&own)
    );
    assert_eq!(port.who_asked(), [own]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chart_in_a_registry_is_read_as_the_projects_own_account_too() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    port.google.give_account(PROJECT)?;
    let repo_url = format!("oci://{}", image_of(PROJECT));
    port.subscribe(json!({"chart": {"repoURL": repo_url}}))
        .await?;
    let own = format!("serviceAccount:{}", account_of(PROJECT));
    let message = port.identity("True", "OwnServiceAccount").await?;
    let expected = format!("{repo_url}: {own} acts, since it is the Project's own");
    assert_eq!(message, expected);
    port.says("Ready", "True", "ArtifactsDiscovered").await?;
    let status = port.warehouse().await?.status.expect("it was looked at");
    let charts = status.discovered_artifacts.expect("found").charts;
    assert_eq!(charts[0].versions, ["1.0.0"]);
    assert_eq!(port.who_asked(), [own]);
    Ok(())
}
