//! The policy of the environment: whether the controller's own identity may act for a Project.

use std::fs;
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

/// Starts `argosy up` as the controller's Pod under a policy of the environment, and gives what it says of who reads.
fn who_reads(place: &Place, policy: Option<&str>) -> Result<Value> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
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
        .args(place.endpoint_flags())
        .env(
            "GCE_METADATA_HOST",
            place.simulator.metadata["controller"].to_string(),
        )
        .env_remove("ARGOSY_GCP_IDENTITY_FALLBACK");
    if let Some(policy) = policy {
        command.env("ARGOSY_GCP_IDENTITY_FALLBACK", policy);
    }
    let log = file("argosy.log");
    let mut process = Process::start(&mut command, &log)?;
    process.wait_until(PATIENCE, || file("kubeconfig").exists())?;
    let kubectl = Kubectl::new(&file("kubeconfig"))?;
    let found = wait("it says who reads", PATIENCE, || {
        let seen = kubectl.json(&["-n", "web", "get", "warehouse", "web"]);
        let conditions = seen
            .ok()
            .and_then(|it| it["status"]["conditions"].as_array().cloned());
        let mut conditions = conditions.unwrap_or_default().into_iter();
        Ok(conditions.find(|it| it["type"] == "RegistryIdentity" && it["status"] != "Unknown"))
    });
    found.with_context(|| fs::read_to_string(&log).unwrap_or_default())
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
