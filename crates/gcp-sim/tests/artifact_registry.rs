//! Google's own Artifact Registry client reads a simulated repository.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use gcp_sim::{Options, Simulator, World};
use loopback_servers::tools;
use serde_json::{Value, json};
use tokio::process::Command;

const WORLD: &str = "
projects:
- id: acme
  number: 4711
  services: [artifactregistry.googleapis.com, container.googleapis.com, iam.googleapis.com, iamcredentials.googleapis.com]
  bindings: [{role: roles/artifactregistry.admin, members: ['user:owner@acme.example']}]
  clusters: [{name: main, location: europe-west1}]
  serviceAccounts:
  - name: kargo-project-web
    bindings:
    - role: roles/iam.workloadIdentityUser
      members: ['principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme.svc.id.goog/subject/ns/argosy/sa/controller']
  repositories:
  - name: apps
    location: europe-west1
    bindings:
    - role: roles/artifactregistry.reader
      members: ['user:reader@acme.example', 'serviceAccount:kargo-project-web@acme.iam.gserviceaccount.com']
    images:
    - {name: team/web, tags: [v1, latest], built: 2026-01-01T00:00:00Z}
    - {name: many, generate: {tags: 20}}
pods:
- {name: controller, cluster: acme/europe-west1/main, namespace: argosy, serviceAccount: controller}
";

#[tokio::test]
async fn the_python_client_lists_pages_and_reads_refusals() -> Result<()> {
    let simulator =
        Simulator::start(World::from_yaml("world.yaml", WORLD)?, Options::default()).await?;
    let token = |name: &str| {
        simulator
            .token_of(&format!("user:{name}@acme.example"))
            .context("a user")
    };
    let home = tempfile::tempdir()?;
    let metadata = simulator.metadata["controller"].to_string();
    let output = Command::new(tools::path("python")?)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/artifact_registry.py"))
        .env("HOME", home.path())
        .env("GCE_METADATA_HOST", &metadata)
        .env("GCE_METADATA_IP", &metadata)
        .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
        .env("SIMULATOR_APIS", simulator.apis.to_string())
        .env("READER_TOKEN", token("reader")?)
        .env("OWNER_TOKEN", token("owner")?)
        .env("STRANGER_TOKEN", token("stranger")?)
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let expected = json!({
        "images": 21,
        "built": "2026-01-01T00:00:00+00:00",
        "platforms": ["amd64"],
        "same": true,
        "newest": "1.1000.1019",
        "size": true,
        "tags": ["latest", "v1"],
        "packages": ["many", "team/web"],
        "format": "DOCKER",
        "repositories": [true],
        "denied": {"code": 403, "reason": "IAM_PERMISSION_DENIED"},
        "account": {"images": 21, "simulated": true},
        "pod": {"code": 403, "reason": "IAM_PERMISSION_DENIED"},
        "missing": {"code": 404, "reason": null},
    });
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout)?, expected);
    Ok(())
}
