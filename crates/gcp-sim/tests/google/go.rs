//! Google's own Go clients, which Kargo too is made of, are judges as the Python ones are.

mod crane;
mod credentials;
mod registry;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use gcp_sim::Simulator;
use loopback_servers::tools;
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::OnceCell;

/// Builds `tests/go` once for all tests.
async fn program() -> Result<&'static Path> {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let program = PROGRAM.get_or_try_init(|| build(".", "google-go-clients"));
    program.await.map(PathBuf::as_path)
}

/// Builds a program that `tests/go` names. The modules lie in the tools' folder, so that nothing is fetched here.
async fn build(package: &str, name: &str) -> Result<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let output = Command::new(tools::path("go")?)
        .args(["build", "-o"])
        .arg(&program)
        .arg(package)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/go"))
        .env("GOPROXY", "off")
        .output()
        .await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "the Go clients cannot be built: {errors}if a module is missing, run: cargo xtask tools"
    );
    Ok(program)
}

/// Runs a scenario of `tests/go` in a pod, with more of the environment, and gives what it printed.
async fn run(
    simulator: &Simulator,
    pod: &str,
    scenario: &str,
    environment: &[(&str, &str)],
) -> Result<Value> {
    let home = tempfile::tempdir()?;
    let metadata = simulator.metadata.get(pod).context("no such pod")?;
    let output = Command::new(program().await?)
        .arg(scenario)
        .env_clear()
        .env("HOME", home.path())
        .env("GCE_METADATA_HOST", metadata.to_string())
        .env("SIMULATOR_APIS", simulator.apis.to_string())
        .env("SIMULATOR_REGISTRY", simulator.registry.to_string())
        .envs(environment.iter().copied())
        .kill_on_drop(true)
        .output()
        .await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{scenario} failed: {errors}");
    Ok(serde_json::from_slice(&output.stdout)?)
}
