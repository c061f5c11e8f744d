//! Small charts for a registry: a configuration, a layer that nobody unpacks, a manifest.

use std::path::Path;

use anyhow::Result;
use serde_json::json;

use crate::image::{descriptor, finish_layout, write_blob};

/// Writes an OCI layout whose one chart is named `image`; gives the manifest's digest.
pub(crate) fn write_layout(folder: &Path, name: &str, version: &str) -> Result<String> {
    let configuration = serde_json::to_vec(&json!({
        "apiVersion": "v2",
        "name": name,
        "version": version,
    }))?;
    let content = format!("{name}-{version}.tgz").into_bytes();
    let configuration_digest = write_blob(folder, &configuration)?;
    let content_digest = write_blob(folder, &content)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.cncf.helm.config.v1+json", &configuration_digest, configuration.len()),
        "layers": [descriptor("application/vnd.cncf.helm.chart.content.v1.tar+gzip", &content_digest, content.len())],
    });
    finish_layout(folder, &manifest)
}
