//! Small images for a registry: one layer, a configuration, a manifest.

use std::fs;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// An image to push. Two images with other fields have other digests.
#[derive(Debug, Clone)]
pub struct Image {
    /// The repository in its registry, such as `acme/web`.
    pub repository: String,
    /// The tag, such as `1.2.0`.
    pub tag: String,
    /// When it says it was built, as RFC 3339.
    pub created: String,
    /// The platform's operating system and architecture.
    pub platform: (String, String),
    /// Annotations of the manifest.
    pub annotations: Vec<(String, String)>,
}

impl Image {
    /// A Linux image for amd64 built at the start of 2026.
    pub fn new(repository: &str, tag: &str) -> Self {
        Self {
            repository: repository.to_owned(),
            tag: tag.to_owned(),
            created: "2026-01-01T00:00:00Z".to_owned(),
            platform: ("linux".to_owned(), "amd64".to_owned()),
            annotations: Vec::new(),
        }
    }

    /// Writes an OCI layout whose one image is named `image`; gives the manifest's digest.
    pub(crate) fn write_layout(&self, folder: &Path) -> Result<String> {
        let layer = format!("{}:{}", self.repository, self.tag).into_bytes();
        let layer_digest = write_blob(folder, &layer)?;
        let (os, architecture) = &self.platform;
        let configuration = serde_json::to_vec(&json!({
            "created": self.created,
            "architecture": architecture,
            "os": os,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer_digest]},
        }))?;
        let configuration_digest = write_blob(folder, &configuration)?;
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": descriptor("application/vnd.oci.image.config.v1+json", &configuration_digest, configuration.len()),
            "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", &layer_digest, layer.len())],
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = self
                .annotations
                .iter()
                .map(|(key, value)| (key.clone(), Value::from(value.as_str())))
                .collect();
        }
        finish_layout(folder, &manifest)
    }
}

/// Writes the manifest of an OCI layout, and an index that names it `image`; gives its digest.
pub(crate) fn finish_layout(folder: &Path, manifest: &Value) -> Result<String> {
    let manifest = serde_json::to_vec(manifest)?;
    let digest = write_blob(folder, &manifest)?;
    let mut entry = descriptor(
        "application/vnd.oci.image.manifest.v1+json",
        &digest,
        manifest.len(),
    );
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "image"});
    fs::write(
        folder.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    fs::write(
        folder.join("index.json"),
        serde_json::to_vec(&json!({"schemaVersion": 2, "manifests": [entry]}))?,
    )?;
    Ok(digest)
}

pub(crate) fn descriptor(media_type: &str, digest: &str, size: usize) -> Value {
    json!({"mediaType": media_type, "digest": digest, "size": size})
}

pub(crate) fn write_blob(folder: &Path, bytes: &[u8]) -> Result<String> {
    let digest = hex::encode(Sha256::digest(bytes));
    let blobs = folder.join("blobs/sha256");
    fs::create_dir_all(&blobs)?;
    fs::write(blobs.join(&digest), bytes)?;
    Ok(format!("sha256:{digest}"))
}
