//! What is left when a Stage or a Project goes.

use anyhow::Result;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{ClusterRole, Role, RoleBinding};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams};
use resources::names::annotation;
use resources::{Project, Stage};
use serde_json::json;

use scenarios::{Harbour, PROJECT, direct, harmless};

#[tokio::test(flavor = "multi_thread")]
async fn freight_forgets_a_stage_that_goes() -> Result<()> {
    let harbour = Harbour::open().await?;
    harbour.auto_promote(&["test"]).await?;
    harbour.stage("test", direct(), harmless()).await?;
    let freight = harbour.freight("1.0.0").await?;
    harbour
        .freight_until(&freight, "it is verified in test", |it| {
            it.is_verified_in("test")
        })
        .await?;
    harbour.delete_stage("test").await?;
    harbour
        .until("the Stage is gone", async || {
            Ok(harbour
                .api::<Stage>()
                .get_opt("test")
                .await?
                .is_none()
                .then_some(()))
        })
        .await?;
    let freight = harbour.api::<resources::Freight>().get(&freight).await?;
    assert!(!freight.is_verified_in("test") && !freight.is_currently_in("test"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_has_a_namespace_with_roles_and_takes_it_along() -> Result<()> {
    let harbour = Harbour::open().await?;
    let roles = harbour.api::<Role>().list(&ListParams::default()).await?;
    assert_eq!(roles.items.len(), 3);
    let bindings = harbour
        .api::<RoleBinding>()
        .list(&ListParams::default())
        .await?;
    assert_eq!(bindings.items.len(), 6);

    Api::<Project>::all(harbour.client())
        .delete(PROJECT, &DeleteParams::default())
        .await?;
    harbour
        .until("Project and namespace are gone", async || {
            let project = Api::<Project>::all(harbour.client())
                .get_opt(PROJECT)
                .await?;
            let namespace = Api::<Namespace>::all(harbour.client())
                .get_opt(PROJECT)
                .await?;
            Ok((project.is_none() && namespace.is_none()).then_some(()))
        })
        .await?;
    let left = Api::<ClusterRole>::all(harbour.client())
        .get_opt("kargo-project-admin-acme")
        .await?;
    assert!(left.is_none());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_namespace_deletes_the_project() -> Result<()> {
    let harbour = Harbour::open().await?;
    Api::<Namespace>::all(harbour.client())
        .delete(PROJECT, &DeleteParams::default())
        .await?;
    harbour
        .until("Project and namespace are gone", async || {
            let project = Api::<Project>::all(harbour.client())
                .get_opt(PROJECT)
                .await?;
            let namespace = Api::<Namespace>::all(harbour.client())
                .get_opt(PROJECT)
                .await?;
            Ok((project.is_none() && namespace.is_none()).then_some(()))
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_somebody_wants_to_keep_stays() -> Result<()> {
    let harbour = Harbour::open().await?;
    let projects: Api<Project> = Api::all(harbour.client());
    let keep = json!({"metadata": {"annotations": {annotation::KEEP_NAMESPACE: "true"}}});
    projects
        .patch(PROJECT, &PatchParams::default(), &Patch::Merge(keep))
        .await?;
    projects.delete(PROJECT, &DeleteParams::default()).await?;
    harbour
        .until("the Project is gone", async || {
            Ok(projects.get_opt(PROJECT).await?.is_none().then_some(()))
        })
        .await?;
    let namespace: Namespace = Api::all(harbour.client()).get(PROJECT).await?;
    assert!(namespace.metadata.deletion_timestamp.is_none());
    assert!(namespace.metadata.finalizers.unwrap_or_default().is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_were_changed_are_put_back() -> Result<()> {
    let mut harbour = Harbour::open().await?;
    harbour.stop().await?;
    let emptied = json!({"rules": []});
    harbour
        .api::<Role>()
        .patch(
            "kargo-viewer",
            &PatchParams::default(),
            &Patch::Merge(emptied),
        )
        .await?;
    harbour.start().await?;
    harbour
        .until("the role is as it was", async || {
            let role: Role = harbour.api().get("kargo-viewer").await?;
            Ok(role.rules.is_some_and(|it| !it.is_empty()).then_some(()))
        })
        .await
}
