//! The part of the demo that is about Google: who reads Artifact Registry for which Project.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use loopback_servers::{Google, Quickstart};
use serde_json::Value;

use super::{World, indented, say, title, wait};
use crate::workspace;

/// The quickstart's image, as Artifact Registry calls it.
pub(super) const IMAGE: &str = "europe-west1-docker.pkg.dev/acme-prod/apps/web";

const HOST: &str = "europe-west1-docker.pkg.dev";

/// The registry's address in the example's world.
const BACKEND: &str = "127.0.0.1:5000";

/// What nobody may read until somebody sets it up.
const PAYMENTS: &str = "europe-west1-docker.pkg.dev/acme-prod/payments/api";

/// Starts Google with the registry behind it.
pub(super) fn start(binary: &Path, example: &Quickstart) -> Result<Google> {
    let world = workspace::root()?.join("examples/artifact-registry/world.yaml");
    let world = fs::read_to_string(world)?.replace(BACKEND, &example.registry());
    let google = Google::start(binary, example.folder(), &world)?;
    say("argosy gcp sim --world examples/artifact-registry/world.yaml");
    Ok(google)
}

/// What makes `argosy up` believe that it is in the cluster.
pub(super) fn arguments(google: &Google) -> Vec<String> {
    let mut arguments = google.endpoints();
    arguments.push(google.registry_endpoint(HOST));
    arguments.push("--gcp-identity=on".to_owned());
    arguments
}

/// One Project that falls back, one that may not: it says what is wrong, is set up, and reads by itself, as setup asks its
/// Warehouse to look again.
pub(super) fn tell(binary: &Path, google: &Google, world: &World) -> Result<()> {
    title(
        "Two more Projects: one whose images the controller may read, one that lets nobody else read",
    );
    let manifests = workspace::root()?.join("examples/artifact-registry/projects.yaml");
    let applied = world
        .kubectl()
        .run(&["apply", "-f", &manifests.display().to_string()])?;
    applied.lines().for_each(say);
    wait(
        world,
        "sandbox reads with the controller's identity",
        || has_reason(world, "sandbox", "base", "ControllerIdentity"),
    )?;
    show(world, "sandbox", "base")?;
    wait(world, "payments is refused", || {
        has_reason(world, "payments", "api", "IdentityRefused")
    })?;
    show(world, "payments", "api")?;
    title("argosy gcp setup writes what is missing");
    set_up(binary, google, world)?;
    wait(world, "payments reads with an account of its own", || {
        has_reason(world, "payments", "api", "OwnServiceAccount")
    })?;
    show(world, "payments", "api")
}

/// Says how to look behind the simulated Google: what goes wrong by order, and what nobody knows of the real one.
pub(super) fn invite(google: &Google) {
    let admin = google.admin();
    say(&format!("curl http://{admin}/faults"));
    say(&format!("curl http://{admin}/assumptions"));
}

/// Runs setup with the Pod's view, so that it sees for itself whether what it set up works.
fn set_up(binary: &Path, google: &Google, world: &World) -> Result<()> {
    let kubeconfig = world.kubectl().kubeconfig().display();
    let kubeconfig = format!("--kubeconfig={kubeconfig}");
    let arguments = [
        "gcp",
        "setup",
        "--gcp-project=acme-prod",
        "--cluster=europe-west1/main",
        "--project=payments",
        "--repo",
        PAYMENTS,
        "--apply",
        "--yes",
        &kubeconfig,
    ];
    say(&format!("argosy {}", arguments.join(" ")));
    let output = Command::new(binary)
        .args(arguments)
        .args(google.endpoints())
        .arg(google.registry_endpoint(HOST))
        .arg("--access-token-file")
        .arg(google.operator_token())
        .env("GCE_METADATA_HOST", google.metadata().to_string())
        .output()
        .context("failed to start argosy")?;
    for printed in [&output.stdout, &output.stderr] {
        print!("{}", indented(&String::from_utf8_lossy(printed)));
    }
    ensure!(
        output.status.success(),
        "argosy gcp setup ended with {}",
        output.status
    );
    let told = String::from_utf8_lossy(&output.stderr);
    ensure!(
        told.contains("it works"),
        "argosy gcp setup has not tried what it set up"
    );
    Ok(())
}

/// Shows who acts for a Warehouse.
pub(super) fn show(world: &World, project: &str, warehouse: &str) -> Result<()> {
    let condition = identity(world, project, warehouse)?.context("it has no RegistryIdentity")?;
    let text = |name: &str| condition[name].as_str().unwrap_or_default().to_owned();
    say(&format!(
        "  {project}: RegistryIdentity={} {}: {}",
        text("status"),
        text("reason"),
        text("message")
    ));
    Ok(())
}

fn has_reason(world: &World, project: &str, warehouse: &str, reason: &str) -> Result<Option<()>> {
    let condition = identity(world, project, warehouse)?;
    Ok(condition.filter(|it| it["reason"] == reason).map(drop))
}

fn identity(world: &World, project: &str, warehouse: &str) -> Result<Option<Value>> {
    let found = world
        .kubectl()
        .json(&["-n", project, "get", "warehouse", warehouse])?;
    let conditions = found["status"]["conditions"].as_array().cloned();
    let mut conditions = conditions.unwrap_or_default().into_iter();
    Ok(conditions.find(|it| it["type"] == "RegistryIdentity"))
}
