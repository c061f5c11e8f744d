//! The policy of the environment: whether the controller's own identity may act for a Project.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use loopback_servers::{Kubectl, Process, wait};
use serde_json::Value;

use super::{ACCOUNT, CONTROLLER, Place, apps};
use crate::binary;

const PATIENCE: Duration = Duration::from_secs(30);

/// A Project that has no account, and what it subscribes to.
const MANIFESTS: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: web}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: web, namespace: web}
spec:
  interval: 5m
  subscriptions:
    - image: {repoURL: europe-west1-docker.pkg.dev/acme-prod/apps/web, constraint: ^1.0.0}
";

/// `argosy up` as the controller's Pod, with the Project and its Warehouse; its files are in a folder.
pub(super) fn up(place: &Place, folder: &Path) -> Result<Command> {
    let file = |name: &str| folder.join(name);
    fs::write(file("web.yaml"), MANIFESTS)?;
    let mut command = Command::new(binary());
    command
        .arg("up")
        .args(["--listen=127.0.0.1:0", "--gcp-identity=on", "-f"])
        .arg(file("web.yaml"))
        .arg("--data-dir")
        .arg(file("data"))
        .arg("--kubeconfig-out")
        .arg(file("kubeconfig"))
        .env(
            "GCE_METADATA_HOST",
            place.simulator.metadata["controller"].to_string(),
        )
        .env_remove("ARGOSY_GCP_IDENTITY_FALLBACK");
    Ok(command)
}

/// Starts it, and waits for what is asked of the Warehouse; stops it then. Its log is `argosy.log` in the folder.
pub(super) fn wait_for_warehouse<T>(
    mut command: Command,
    folder: &Path,
    mut find: impl FnMut(&Value) -> Option<T>,
) -> Result<T> {
    let (kubeconfig, log) = (folder.join("kubeconfig"), folder.join("argosy.log"));
    let mut process = Process::start(&mut command, &log)?;
    process.wait_until(PATIENCE, || kubeconfig.exists())?;
    let kubectl = Kubectl::new(&kubeconfig)?;
    let found = wait("the Warehouse says it", PATIENCE, || {
        let seen = kubectl.json(&["-n", "web", "get", "warehouse", "web"]);
        Ok(seen.ok().and_then(|it| find(&it)))
    });
    found.with_context(|| fs::read_to_string(&log).unwrap_or_default())
}

/// Finds what a Warehouse says of who reads, once it knows.
pub(super) fn reader(warehouse: &Value) -> Option<Value> {
    let conditions = warehouse["status"]["conditions"].as_array()?;
    let is_known = |it: &&Value| it["type"] == "RegistryIdentity" && it["status"] != "Unknown";
    conditions.iter().find(is_known).cloned()
}

/// Starts `argosy up` under a policy of the environment, and gives what it says of who reads.
fn who_reads(place: &Place, policy: Option<&str>) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let mut command = up(place, folder.path())?;
    command.args(place.endpoint_flags());
    if let Some(policy) = policy {
        command.env("ARGOSY_GCP_IDENTITY_FALLBACK", policy);
    }
    wait_for_warehouse(command, folder.path(), reader)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_says_whether_the_controller_may_act_for_a_project() -> Result<()> {
    let place = Place::whole().await?;
    place.google().delete_account(ACCOUNT)?;
    let reader = "roles/artifactregistry.reader";
    place.google().grant(reader, CONTROLLER, &apps())?;
    for (policy, reason, status) in [
        (Some("deny"), "IdentityRefused", "False"),
        // The account is absent, and that alone lets the controller act here.
        (Some("if-absent"), "ControllerIdentity", "True"),
        (None, "ControllerIdentity", "True"),
    ] {
        let said = tokio::task::block_in_place(|| who_reads(&place, policy))?;
        let case = format!("{policy:?}: {said:#}");
        assert_eq!(said["reason"], reason, "{case}");
        assert_eq!(said["status"], status, "{case}");
    }
    Ok(())
}
