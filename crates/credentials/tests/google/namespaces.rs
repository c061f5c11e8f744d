//! A namespace has an identity of a Project only while it is one's.

use anyhow::Result;
use credentials::google::{ACCOUNT, Fallback};
use credentials::{Kind, Outcome};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use serde_json::json;
use testkit::google::image_of;

use crate::installation::{Installation, PROJECT};

/// Says why nobody acts for the namespace.
async fn refused(installation: &Installation, namespace: &str) -> String {
    let found = installation
        .find(namespace, Kind::Image, &image_of(PROJECT))
        .await;
    let error = found.expect_err("nobody acts");
    let identity = error.identity().expect("an identity was wanted");
    assert_eq!(identity.outcome, Outcome::Refused, "{}", identity.why);
    assert!(error.hint().contains("--show-labels"), "{}", error.hint());
    identity.why.clone()
}

#[tokio::test]
async fn a_namespace_that_is_no_projects_has_no_identity() -> Result<()> {
    let installation = Installation::open().await?;
    let labels = json!({"kargo.akuity.io/project": "true"});
    assert_eq!(
        refused(&installation, "missing").await,
        r#"namespace "missing" does not exist"#
    );
    installation.namespace("plain", &json!({})).await?;
    installation.project("plain").await?;
    let why = refused(&installation, "plain").await;
    assert_eq!(why, r#"namespace "plain" is not labelled as a Project's"#);
    installation
        .namespace("false", &json!({"kargo.akuity.io/project": "false"}))
        .await?;
    installation.project("false").await?;
    let why = refused(&installation, "false").await;
    assert_eq!(why, r#"namespace "false" is not labelled as a Project's"#);
    installation.namespace("alone", &labels).await?;
    assert_eq!(
        refused(&installation, "alone").await,
        r#"namespace "alone" has no Project"#
    );
    Ok(())
}

#[tokio::test]
async fn an_account_that_is_going_away_is_not_passed_over() -> Result<()> {
    let installation = Installation::open_under(Fallback::Allow).await?;
    installation.google.forbid_controller_to_act_as(PROJECT)?;
    let image = image_of(PROJECT);
    let outcome = || installation.outcome(PROJECT, Kind::Image, &image);
    assert_eq!(outcome().await, Some(Outcome::Controller));
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": PROJECT, "finalizers": ["test.example/hold"]},
    });
    installation.world.apply(&account.to_string()).await?;
    let accounts: Api<ServiceAccount> = Api::namespaced(installation.world.client(), PROJECT);
    accounts.delete(ACCOUNT, &DeleteParams::default()).await?;
    let found = installation.find(PROJECT, Kind::Image, &image).await;
    let error = found.expect_err("nobody acts");
    let identity = error.identity().expect("an identity was wanted");
    assert_eq!(identity.outcome, Outcome::Unavailable, "{}", identity.why);
    assert!(identity.why.ends_with("is going away"), "{}", identity.why);
    let released = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    accounts
        .patch(ACCOUNT, &PatchParams::default(), &released)
        .await?;
    assert_eq!(outcome().await, Some(Outcome::Controller));
    Ok(())
}

#[tokio::test]
async fn what_is_going_away_has_no_identity_any_more() -> Result<()> {
    let installation = Installation::open().await?;
    let outcome = installation
        .outcome(PROJECT, Kind::Image, &image_of(PROJECT))
        .await;
    assert_eq!(outcome, Some(Outcome::OwnServiceAccount));
    let projects: Api<resources::Project> = Api::all(installation.world.client());
    let held = Patch::Merge(json!({"metadata": {"finalizers": ["test.example/hold"]}}));
    projects
        .patch(PROJECT, &PatchParams::default(), &held)
        .await?;
    projects.delete(PROJECT, &DeleteParams::default()).await?;
    let why = refused(&installation, PROJECT).await;
    assert_eq!(
        why,
        r#"namespace "acme" belongs to a Project that is going away"#
    );
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> =
        Api::all(installation.world.client());
    namespaces
        .patch(PROJECT, &PatchParams::default(), &held)
        .await?;
    namespaces.delete(PROJECT, &DeleteParams::default()).await?;
    assert_eq!(
        refused(&installation, PROJECT).await,
        r#"namespace "acme" is going away"#
    );
    Ok(())
}
