//! Fills a registry with many small images by the protocol itself, faster than a program that is started for each.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
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
/// What several images have in common is pushed once, before what leads to it: docker-registry writes the same file
/// twice at a time without care, and refuses who reads it meanwhile.
///
/// # Errors
/// When the registry does not take one.
pub async fn fill(host: &str, repository: &str, images: Vec<Pushed>) -> Result<Vec<String>> {
    let destination = Destination {
        client: crate::client::build(Client::builder())?,
        base: format!("http://{host}/v2/{repository}"),
    };
    let mut configs = BTreeMap::new();
    let mut manifests = BTreeMap::<String, (Vec<u8>, Vec<String>)>::new();
    let mut digests = Vec::new();
    for Pushed { tag, created, more } in images {
        let config = serde_json::to_vec(&json!({
            "created": created, "architecture": "amd64", "os": "linux", "config": {},
            "rootfs": {"type": "layers", "diff_ids": []},
        }))?;
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {"mediaType": CONFIG, "digest": digest(&config), "size": config.len()},
        });
        if let (Value::Object(manifest), Value::Object(more)) = (&mut manifest, more) {
            manifest.extend(more);
        }
        let manifest = serde_json::to_vec(&manifest)?;
        configs.insert(digest(&config), config);
        digests.push(digest(&manifest));
        let tagged = manifests.entry(digest(&manifest));
        tagged.or_insert_with(|| (manifest, Vec::new())).1.push(tag);
    }
    let destination = &destination;
    stream::iter(configs)
        .map(|(digest, config)| destination.push_blob(digest, config))
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    stream::iter(manifests.into_values())
        .map(async |(manifest, tags)| {
            for tag in tags {
                destination.push_manifest(&tag, manifest.clone()).await?;
            }
            anyhow::Ok(())
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect::<()>()
        .await?;
    Ok(digests)
}

/// A repository that images are pushed into.
struct Destination {
    client: Client,
    base: String,
}

impl Destination {
    async fn push_blob(&self, digest: String, blob: Vec<u8>) -> Result<()> {
        let uploads = format!("{}/blobs/uploads/", self.base);
        let started = self.client.post(uploads).send().await?;
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
        let address = format!("{location}{join}digest={digest}");
        let stored = self.client.put(address).body(blob).send().await?;
        ensure!(
            stored.status() == StatusCode::CREATED,
            "no blob {digest}: {}",
            stored.status()
        );
        Ok(())
    }

    async fn push_manifest(&self, tag: &str, manifest: Vec<u8>) -> Result<()> {
        let put = self
            .client
            .put(format!("{}/manifests/{tag}", self.base))
            .header("content-type", MANIFEST)
            .body(manifest)
            .send()
            .await?;
        let status = put.status();
        ensure!(
            status == StatusCode::CREATED,
            "tag {tag} was not taken: {status} {}",
            put.text().await?
        );
        Ok(())
    }
}

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}
