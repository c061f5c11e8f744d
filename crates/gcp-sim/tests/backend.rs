//! A repository whose content lies in a real registry behind the simulator.

use anyhow::{Context as _, Result, ensure};
use gcp_sim::{Options, Simulator, World};
use loopback_servers::{Access, Image, PASSWORD, Registry, USER, tools};
use serde_json::Value;
use tokio::process::Command;

fn world(backend: &str) -> Result<World> {
    let text = format!(
        "
projects:
- id: acme
  services: [artifactregistry.googleapis.com]
  repositories:
  - name: apps
    location: europe-west1
    backend: http://{USER}:{PASSWORD}@{backend}/team
    bindings: [{{role: roles/artifactregistry.writer, members: ['user:ann@acme.example']}}]
"
    );
    Ok(World::from_yaml("world.yaml", &text)?)
}

/// Asks the REST API as the user who may.
async fn fetch(simulator: &Simulator, path: &str) -> Result<Value> {
    let token = simulator
        .token_of("user:ann@acme.example")
        .context("a user")?;
    let url = format!(
        "http://{}/v1/projects/acme/locations/europe-west1/repositories/apps/{path}",
        simulator.apis
    );
    let answer = reqwest::Client::new()
        .get(url)
        .bearer_auth(token)
        .send()
        .await?;
    Ok(answer.error_for_status()?.json().await?)
}

#[tokio::test]
async fn what_a_real_registry_holds_is_listed_pulled_and_added_to() -> Result<()> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let behind = Registry::start(Access::Password)?;
    let digest = behind.push(&Image::new("team/web", "1.2.0"))?;
    behind.push(&Image::new("other/secret", "1.0.0"))?;
    let simulator = Simulator::start(world(&behind.host())?, Options::default()).await?;

    let images = fetch(&simulator, "dockerImages").await?;
    assert_eq!(
        images["dockerImages"].as_array().map(Vec::len),
        Some(1),
        "{images}"
    );
    assert_eq!(
        images["dockerImages"][0]["buildTime"],
        "2026-01-01T00:00:00Z"
    );
    assert_eq!(
        images["dockerImages"][0]["uri"],
        format!("europe-west1-docker.pkg.dev/acme/apps/web@{digest}")
    );

    copy(&simulator, "web:1.2.0", "copied:1.2.0").await?;
    let tag = fetch(&simulator, "packages/copied/tags/1.2.0").await?;
    assert!(
        tag["version"]
            .as_str()
            .is_some_and(|version| version.ends_with(&digest)),
        "{tag}"
    );
    let answer = reqwest::Client::new()
        .get(format!("http://{}/v2/team/copied/tags/list", behind.host()))
        .basic_auth(USER, Some(PASSWORD))
        .send()
        .await?;
    assert_eq!(
        answer.json::<Value>().await?["tags"],
        serde_json::json!(["1.2.0"])
    );
    Ok(())
}

async fn copy(simulator: &Simulator, from: &str, to: &str) -> Result<()> {
    let login = simulator
        .token_of("user:ann@acme.example")
        .context("a user")?;
    let image = |name: &str| format!("docker://{}/acme/apps/{name}", simulator.registry);
    let copied = Command::new(tools::path("skopeo")?)
        .args([
            "--insecure-policy",
            "copy",
            "--preserve-digests",
            "--src-tls-verify=false",
            "--dest-tls-verify=false",
        ])
        .arg(format!("--src-creds=oauth2accesstoken:{login}"))
        .arg(format!("--dest-creds=oauth2accesstoken:{login}"))
        .args([image(from), image(to)])
        .kill_on_drop(true)
        .output()
        .await?;
    ensure!(
        copied.status.success(),
        "skopeo: {}",
        String::from_utf8_lossy(&copied.stderr)
    );
    Ok(())
}
