//! Google's own Rust clients are judges as those of Go and Python are.
//!
//! They read the metadata server's address from the environment, which belongs to the whole process: each test runs
//! itself once more, as a process of its own that is the client.

use anyhow::{Context as _, Result, ensure};
use gcp_sim::{Options, Simulator, WorkloadToken, World};
use google_cloud_artifactregistry_v1::client::ArtifactRegistry;
use google_cloud_auth::credentials::{Builder, Credentials, external_account, impersonated};
use google_cloud_iam_credentials_v1::client::IAMCredentials;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tokio::process::Command;

/// Set where a process is the client.
const APIS: &str = "SIMULATOR_APIS";

/// The file of the pod's own token, for whoever does without the metadata server.
const TOKEN_FILE: &str = "WORKLOAD_TOKEN_FILE";

const AUDIENCE: &str = "identitynamespace:acme.svc.id.goog:https://container.googleapis.com/v1/projects/acme/\
    locations/europe-west1/clusters/main";

const PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";
const WEB: &str = "kargo-project-web@acme.iam.gserviceaccount.com";
const API: &str = "kargo-project-api@acme.iam.gserviceaccount.com";
const APPS: &str = "projects/acme/locations/europe-west1/repositories/apps";

/// A pod that may act as one account and reads one repository, and a repository that only the account reads.
const WORLD: &str = "
projects:
- id: acme
  number: 4711
  services: [artifactregistry.googleapis.com, container.googleapis.com, iam.googleapis.com, iamcredentials.googleapis.com,
    sts.googleapis.com]
  clusters: [{name: main, location: europe-west1}]
  serviceAccounts:
  - name: kargo-project-web
    bindings:
    - role: roles/iam.workloadIdentityUser
      members: ['principal://iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme.svc.id.goog/subject/ns/argosy/sa/controller']
  - name: kargo-project-api
  repositories:
  - name: apps
    location: europe-west1
    bindings:
    - {role: roles/artifactregistry.reader, members: ['serviceAccount:kargo-project-web@acme.iam.gserviceaccount.com']}
    images:
    - {name: web, tags: [v1, latest]}
    - {name: many, generate: {tags: 20}}
pods:
- {name: controller, cluster: acme/europe-west1/main, namespace: argosy, serviceAccount: controller}
";

/// Runs a test of this file as a client in the controller's pod.
async fn in_the_pod(test: &str) -> Result<()> {
    let simulator =
        Simulator::start(World::from_yaml("world.yaml", WORLD)?, Options::default()).await?;
    let home = tempfile::tempdir()?;
    let token_file = home.path().join("token");
    let wanted = WorkloadToken {
        cluster: "acme/europe-west1/main",
        namespace: "argosy",
        service_account: "controller",
        audience: "acme.svc.id.goog",
        lifetime: SignedDuration::from_mins(10),
    };
    let token = simulator.google().workload_token(&wanted);
    std::fs::write(&token_file, token.context("the cluster is there")?)?;
    let output = Command::new(std::env::current_exe()?)
        .args(["--exact", &format!("rust::{test}"), "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .env(
            "GCE_METADATA_HOST",
            simulator.metadata["controller"].to_string(),
        )
        .env(APIS, simulator.apis.to_string())
        .env(TOKEN_FILE, token_file)
        .kill_on_drop(true)
        .output()
        .await?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{printed}{errors}");
    ensure!(printed.contains("1 passed"), "no such test: {printed}");
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the process that is the client has its settings from the test"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The address of the APIs, where this process is the client.
fn apis() -> Option<String> {
    let apis = setting(APIS)?;
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .ok();
    Some(apis)
}

/// What default credentials are in a pod.
fn pod() -> Result<Credentials> {
    Ok(Builder::default().build()?)
}

async fn registry(apis: &str, credentials: Credentials) -> Result<ArtifactRegistry> {
    let builder = ArtifactRegistry::builder().with_endpoint(format!("http://{apis}"));
    Ok(builder.with_credentials(credentials).build().await?)
}

/// How many images the holder of credentials sees, page by page.
async fn images(apis: &str, credentials: Credentials) -> Result<usize> {
    let registry = registry(apis, credentials).await?;
    let (mut seen, mut token) = (0, String::new());
    loop {
        let list = registry.list_docker_images().set_parent(APPS);
        let page = list.set_page_size(8).set_page_token(token).send().await?;
        seen += page.docker_images.len();
        token = page.next_page_token;
        if token.is_empty() {
            return Ok(seen);
        }
    }
}

/// The pod's own token, exchanged at the token service.
fn exchanged(apis: &str) -> Result<Value> {
    Ok(json!({
        "type": "external_account",
        "audience": AUDIENCE,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("http://{apis}/sts.googleapis.com/v1/token"),
        "credential_source": {"file": setting(TOKEN_FILE).context("the pod's own token")?},
    }))
}

fn minting(apis: &str, account: &str) -> String {
    format!("http://{apis}/v1/projects/-/serviceAccounts/{account}:generateAccessToken")
}

#[tokio::test]
async fn default_credentials_find_the_metadata_server() -> Result<()> {
    let Some(apis) = apis() else {
        return in_the_pod("default_credentials_find_the_metadata_server").await;
    };
    let token = Builder::default().build_access_token_credentials()?;
    let token = token.access_token().await?.token;
    assert!(token.starts_with("ya29.sim-"));
    assert_eq!(pod()?.universe_domain().await, None, "Google's own");
    let registry = registry(&apis, pod()?).await?;
    let refused = registry.get_repository().set_name(APPS).send().await;
    let refused = refused.err().context("the pod itself may not read")?;
    assert_eq!(refused.http_status_code(), Some(403));
    let details = format!("{:?}", refused.status().context("a status")?.details);
    assert!(details.contains("IAM_PERMISSION_DENIED"), "{details}");
    Ok(())
}

#[tokio::test]
async fn the_generated_client_mints_and_reads_refusals() -> Result<()> {
    let Some(apis) = apis() else {
        return in_the_pod("the_generated_client_mints_and_reads_refusals").await;
    };
    let builder = IAMCredentials::builder().with_endpoint(format!("http://{apis}"));
    let client = builder.with_credentials(pod()?).build().await?;
    let mint = |account: &str| {
        let name = format!("projects/-/serviceAccounts/{account}");
        client
            .generate_access_token()
            .set_name(name)
            .set_scope([PLATFORM])
    };
    let minted = mint(WEB).send().await?;
    assert!(minted.access_token.starts_with("ya29.sim-"));
    assert!(minted.expire_time.is_some());
    let refused = mint(API)
        .send()
        .await
        .err()
        .context("it may not be acted as")?;
    let status = refused.status().context("a status")?;
    assert_eq!(refused.http_status_code(), Some(403));
    assert!(
        status
            .message
            .contains("iam.serviceAccounts.getAccessToken"),
        "{status:?}"
    );
    let ghost = WEB.replace("web", "ghost");
    let missing = mint(&ghost).send().await.err().context("it is not there")?;
    assert_eq!(missing.http_status_code(), Some(404));
    Ok(())
}

#[tokio::test]
async fn impersonated_credentials_list_a_repository() -> Result<()> {
    let Some(apis) = apis() else {
        return in_the_pod("impersonated_credentials_list_a_repository").await;
    };
    let impersonating = json!({
        "type": "impersonated_service_account",
        "service_account_impersonation_url": minting(&apis, WEB),
        "source_credentials": exchanged(&apis)?,
    });
    let credentials = impersonated::Builder::new(impersonating).build()?;
    assert_eq!(images(&apis, credentials).await?, 21);
    Ok(())
}

#[tokio::test]
async fn an_external_account_is_exchanged_and_impersonates() -> Result<()> {
    let Some(apis) = apis() else {
        return in_the_pod("an_external_account_is_exchanged_and_impersonates").await;
    };
    let mut file = exchanged(&apis)?;
    file["service_account_impersonation_url"] = json!(minting(&apis, WEB));
    let credentials = external_account::Builder::new(file).build()?;
    assert_eq!(images(&apis, credentials).await?, 21);
    Ok(())
}
