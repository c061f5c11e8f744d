//! Small charts: for a registry without Helm (a configuration, a layer that nobody unpacks, a manifest), and by Helm.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::image::{descriptor, finish_layout, write_blob};
use crate::tools;

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

/// Packages a chart with Helm: `source` is an empty folder of its own, `chart` the text of its `Chart.yaml`.
///
/// Gives the package.
pub(crate) fn package(source: &Path, chart: &str, into: &Path) -> Result<PathBuf> {
    fs::write(source.join("Chart.yaml"), chart)?;
    fs::create_dir(source.join("templates"))?;
    fs::write(
        source.join("templates/settings.yaml"),
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\n",
    )?;
    let mut command = helm()?;
    command.arg("package").arg(source).arg("--destination");
    let said = run(command.arg(into))?;
    let package = said.trim().rsplit_once(": ").map(|(_, path)| path);
    Ok(package
        .context("helm package does not say where it is")?
        .into())
}

/// Makes ready to run Helm, which finds nothing of the user's own.
pub(crate) fn helm() -> Result<Command> {
    let mut command = Command::new(tools::path("helm")?);
    command.envs(["CONFIG", "CACHE", "DATA"].map(|it| (format!("HELM_{it}_HOME"), "/nonexistent")));
    Ok(command)
}

/// Runs Helm and gives what it prints.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = command.output().context("failed to start helm")?;
    ensure!(
        output.status.success(),
        "helm: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
