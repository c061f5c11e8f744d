//! Fills a registry with many small images by the protocol itself, faster than a program that is started for each.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use futures::TryStreamExt as _;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Images that are pushed at a time.
const CONCURRENCY: usize = 32;

/// An image without layers.
#[derive(Debug, Clone, Default)]
pub struct Pushed {
    pub tag: String,
    /// What its config says, in RFC 3339.
    pub created: String,
    /// More of the manifest: annotations and the like.
    pub more: Value,
}

/// Pushes images into `repository` at a registry on plain http, such as `127.0.0.1:5000`; gives their digests.
///
/// Images that were created at the same time share a config, which is pushed once.
///
/// # Errors
/// When the registry does not take one.
pub async fn fill(host: &str, repository: &str, images: Vec<Pushed>) -> Result<Vec<String>> {
    let client = crate::client::build(Client::builder())?;
    let base: Arc<str> = format!("http://{host}/v2/{repository}").into();
    let configs: BTreeSet<Vec<u8>> = images.iter().map(config).collect::<Result<_>>()?;
    let pushes = configs.into_iter().map(|config| {
        let (client, base) = (client.clone(), Arc::clone(&base));
        async move { push_config(&client, &base, config).await }
    });
    let configs = futures::stream::iter(pushes).buffered(CONCURRENCY);
    configs.try_collect::<()>().await?;
    let pushes = images.into_iter().map(|image| {
        let (client, base) = (client.clone(), Arc::clone(&base));
        async move {
            let tag = image.tag.clone();
            push_manifest(&client, &base, image)
                .await
                .with_context(|| format!("failed to push tag {tag}"))
        }
    });
    futures::stream::iter(pushes)
        .buffered(CONCURRENCY)
        .try_collect()
        .await
}

fn config(image: &Pushed) -> Result<Vec<u8>> {
    let config = json!({
        "created": image.created, "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
    });
    Ok(serde_json::to_vec(&config)?)
}

async fn push_config(client: &Client, base: &str, config: Vec<u8>) -> Result<()> {
    let started = client.post(format!("{base}/blobs/uploads/")).send().await?;
    ensure!(
        started.status() == StatusCode::ACCEPTED,
        "no upload: {}",
        started.status()
    );
    let location = started
        .headers()
        .get("location")
        .and_then(|it| it.to_str().ok());
    let location = location.context("an upload has no address")?;
    let join = if location.contains('?') { '&' } else { '?' };
    let address = format!("{location}{join}digest={}", digest(&config));
    let stored = client.put(address).body(config).send().await?;
    ensure!(
        stored.status() == StatusCode::CREATED,
        "no blob: {}",
        stored.status()
    );
    Ok(())
}

async fn push_manifest(client: &Client, base: &str, image: Pushed) -> Result<String> {
    let config = config(&image)?;
    let Pushed {
        tag,
        created: _,
        more,
    } = image;
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {"mediaType": CONFIG, "digest": digest(&config), "size": config.len()},
    });
    if let (Value::Object(manifest), Value::Object(more)) = (&mut manifest, more) {
        manifest.extend(more);
    }
    let manifest = serde_json::to_vec(&manifest)?;
    let made = digest(&manifest);
    let put = client
        .put(format!("{base}/manifests/{tag}"))
        .header("content-type", MANIFEST)
        .body(manifest)
        .send()
        .await?;
    ensure!(
        put.status() == StatusCode::CREATED,
        "no manifest: {}",
        put.status()
    );
    Ok(made)
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
