//! Which time makes a build the newest, as the annotation of a Warehouse says it, and what its status says of that.

use anyhow::Result;
use credentials::google::Fallback;
use jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams, PostParams};
use resources::Warehouse;
use scenarios::PROJECT;
use serde_json::{Value, json};
use testkit::google::{SeedImage, image_of};

use crate::port::{Port, WAREHOUSE};

const NEWEST_BUILD_BY: &str = "argosy.dev/newest-build-by";

async fn annotate(port: &Port, value: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"metadata": {"annotations": {NEWEST_BUILD_BY: value}}}));
    let api = port.harbour.api::<Warehouse>();
    api.patch(WAREHOUSE, &PatchParams::default(), &patch)
        .await?;
    Ok(())
}

/// Pushes an image that was built and uploaded so many days ago.
fn push(port: &Port, tag: &str, built: Option<i64>, uploaded: i64) -> Result<()> {
    let ago = |days: i64| port.harbour.clock.now() - SignedDuration::from_hours(24 * days);
    let built = built.map_or(Timestamp::UNIX_EPOCH, ago);
    let image = json!({"name": "web", "tags": [tag], "built": built, "uploaded": ago(uploaded)});
    port.google
        .push(PROJECT, &serde_json::from_value::<SeedImage>(image)?);
    Ok(())
}

async fn first_tag(port: &Port) -> Result<String> {
    let status = port.refreshed().await?.status.unwrap_or_default();
    let images = status.discovered_artifacts.unwrap_or_default().images;
    Ok(images[0].references[0].tag.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_annotation_of_a_warehouse_prefers_the_time_of_upload() -> Result<()> {
    let port = Port::open(Fallback::Allow).await?;
    push(&port, "built-last", Some(3), 2)?;
    push(&port, "uploaded-last", Some(5), 1)?;
    let subscription = json!({"image": {
        "repoURL": image_of(PROJECT), "imageSelectionStrategy": "NewestBuild", "allowTagsRegexes": ["last$"],
    }});
    let warehouse =
        json!({"metadata": {"name": WAREHOUSE}, "spec": {"subscriptions": [subscription]}});
    let warehouse: Warehouse = serde_json::from_value(warehouse)?;
    let api = port.harbour.api::<Warehouse>();
    api.create(&PostParams::default(), &warehouse).await?;
    assert_eq!(first_tag(&port).await?, "built-last");
    annotate(&port, json!("uploaded")).await?;
    assert_eq!(first_tag(&port).await?, "uploaded-last");

    annotate(&port, json!("upload")).await?;
    port.refresh().await?;
    let message = port.says("Ready", "False", "DiscoveryFailure").await?;
    let expected =
        r#"annotation argosy.dev/newest-build-by is "upload", and has to be built or uploaded"#;
    assert!(message.contains(expected), "{message}");

    annotate(&port, Value::Null).await?;
    push(&port, "never-built-last", None, 0)?;
    assert_eq!(first_tag(&port).await?, "never-built-last");
    let message = port
        .says("SelectionRemarks", "True", "UploadTimeUsed")
        .await?;
    assert!(message.contains("1 of the 3 images"), "{message}");
    Ok(())
}
