//! Images pulled and pushed by skopeo, and charts by helm, with the credentials that Google's documentation tells people to use.

use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gcp_sim::{Clock, Options, Simulator, World};
use jiff::SignedDuration;
use loopback_servers::tools;
use serde_json::{Value, json};
use tokio::process::Command;

const WORLD: &str = "
projects:
- id: acme
  services: [artifactregistry.googleapis.com, pubsub.googleapis.com]
  topics: [{name: gcr}]
  subscriptions:
  - {name: pushes, topic: gcr, bindings: [{role: roles/pubsub.subscriber, members: ['user:ann@acme.example']}]}
  repositories:
  - name: apps
    location: europe-west1
    bindings:
    - {role: roles/artifactregistry.writer, members: ['user:ann@acme.example']}
    - {role: roles/artifactregistry.reader, members: ['user:bob@acme.example']}
    images:
    - {name: web, tags: [v1, v2], platforms: [linux/amd64, linux/arm64]}
    - {name: many, generate: {tags: 10000}}
  - name: open
    location: europe-west1
    bindings: [{role: roles/artifactregistry.reader, members: [allUsers]}]
    images: [{name: web, tags: [v1]}]
";

/// A simulated registry and what skopeo calls its images.
struct Registry {
    simulator: Simulator,
    clock: Clock,
}

impl Registry {
    async fn start() -> Result<Self> {
        let world = World::from_yaml("world.yaml", WORLD)?;
        let clock = Clock::of_the_machine();
        let options = Options {
            clock: clock.clone(),
            ..Options::default()
        };
        let simulator = Simulator::start(world, options).await?;
        Ok(Self { simulator, clock })
    }

    fn image(&self, path: &str) -> String {
        format!("docker://{}/acme/{path}", self.simulator.registry)
    }

    fn login_of(&self, user: &str) -> Result<String> {
        let token = self
            .simulator
            .token_of(&format!("user:{user}@acme.example"))
            .context("a user")?;
        Ok(format!("oauth2accesstoken:{token}"))
    }
}

async fn skopeo(arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(tools::path("skopeo")?);
    command
        .args(["--insecure-policy", "--command-timeout=60s"])
        .args(arguments)
        .kill_on_drop(true);
    command.output().await.context("failed to start skopeo")
}

/// What a program printed, if it succeeded.
fn printed(output: &Output) -> Result<String> {
    ensure!(output.status.success(), "{}", complaint(output));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn inspect(registry: &Registry, path: &str, user: &str) -> Result<Output> {
    let creds = format!("--creds={}", registry.login_of(user)?);
    skopeo(&[
        "inspect",
        "--tls-verify=false",
        &creds,
        &registry.image(path),
    ])
    .await
}

async fn copy(registry: &Registry, from: &str, to: &str, user: &str) -> Result<Output> {
    let login = registry.login_of(user)?;
    let (pull, push) = (
        format!("--src-creds={login}"),
        format!("--dest-creds={login}"),
    );
    let tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    let images = [registry.image(from), registry.image(to)];
    skopeo(&[
        "copy", "--all", tls[0], tls[1], &pull, &push, &images[0], &images[1],
    ])
    .await
}

#[tokio::test]
async fn an_image_is_pulled_and_pushed_with_an_access_token() -> Result<()> {
    let registry = Registry::start().await?;
    printed(&copy(&registry, "apps/web:v1", "apps/team/copied:v7", "ann").await?)?;
    let copied: Value = serde_json::from_str(&printed(
        &inspect(&registry, "apps/team/copied:v7", "bob").await?,
    )?)?;
    let original: Value =
        serde_json::from_str(&printed(&inspect(&registry, "apps/web:v1", "bob").await?)?)?;
    assert_eq!(copied["Digest"], original["Digest"]);
    assert_eq!(copied["RepoTags"], json!(["v7"]));
    Ok(())
}

#[tokio::test]
async fn a_reader_is_told_which_permission_pushing_takes() -> Result<()> {
    let registry = Registry::start().await?;
    let refused = copy(&registry, "apps/web:v1", "apps/web:v9", "bob").await?;
    let complaint = complaint(&refused);
    assert!(!refused.status.success());
    assert!(
        complaint.contains("artifactregistry.repositories.uploadArtifacts"),
        "{complaint}"
    );
    Ok(())
}

#[tokio::test]
async fn ten_thousand_tags_are_listed() -> Result<()> {
    let registry = Registry::start().await?;
    let creds = format!("--creds={}", registry.login_of("bob")?);
    let list = skopeo(&[
        "list-tags",
        "--tls-verify=false",
        &creds,
        &registry.image("apps/many"),
    ])
    .await?;
    let list: Value = serde_json::from_str(&printed(&list)?)?;
    assert_eq!(list["Tags"].as_array().map(Vec::len), Some(10_000));
    Ok(())
}

#[tokio::test]
async fn a_public_image_needs_no_login() -> Result<()> {
    let registry = Registry::start().await?;
    let inspect = |path| registry.image(path);
    printed(
        &skopeo(&[
            "inspect",
            "--no-creds",
            "--tls-verify=false",
            &inspect("open/web:v1"),
        ])
        .await?,
    )?;
    let refused = skopeo(&[
        "inspect",
        "--no-creds",
        "--tls-verify=false",
        &inspect("apps/web:v1"),
    ])
    .await?;
    assert!(
        complaint(&refused).contains("403"),
        "not even a token: {}",
        complaint(&refused)
    );
    Ok(())
}

#[tokio::test]
async fn an_expired_token_is_refused_without_a_way_out() -> Result<()> {
    let registry = Registry::start().await?;
    let login = registry.login_of("bob")?;
    let (_, token) = login.split_once(':').context("a login")?;
    let image = registry.image("apps/web:v1");
    let ways = [
        ["inspect", "--tls-verify=false", "--creds", &login, &image],
        [
            "inspect",
            "--tls-verify=false",
            "--registry-token",
            token,
            &image,
        ],
    ];
    for way in ways {
        printed(&skopeo(&way).await?)?;
    }
    registry.clock.advance(SignedDuration::from_mins(61));
    for (way, words) in ways
        .into_iter()
        .zip(["authentication failed", "unauthorized"])
    {
        let refused = skopeo(&way).await?;
        assert!(!refused.status.success());
        let complaint = complaint(&refused);
        assert!(complaint.contains(words), "{complaint}");
    }
    Ok(())
}

#[tokio::test]
async fn a_push_is_announced_to_whoever_subscribes() -> Result<()> {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let registry = Registry::start().await?;
    printed(&copy(&registry, "apps/web:v1", "apps/heard:v1", "ann").await?)?;
    let url = format!(
        "http://{}/pubsub.googleapis.com/v1/projects/acme/subscriptions/pushes:pull",
        registry.simulator.apis
    );
    let login = registry.login_of("ann")?;
    let (_, token) = login.split_once(':').context("a login")?;
    let request = reqwest::Client::new().post(url).bearer_auth(token);
    let body = json!({"maxMessages": 100}).to_string();
    let answer = request.body(body).send().await?.error_for_status()?;
    let answer: Value = serde_json::from_str(&answer.text().await?)?;
    let received = answer["receivedMessages"].as_array().context("messages")?;
    let told = received.iter().map(|it| {
        let data = STANDARD.decode(it["message"]["data"].as_str().unwrap_or_default())?;
        Ok(serde_json::from_slice(&data)?)
    });
    let told: Vec<Value> = told.collect::<Result<_>>()?;
    let (tags, digests): (Vec<&Value>, Vec<&Value>) =
        told.iter().partition(|it| it["tag"].is_string());
    let image = "europe-west1-docker.pkg.dev/acme/apps/heard";
    assert_eq!(digests.len(), 3, "two platforms and their index: {told:?}");
    assert!(digests.iter().all(|it| {
        let digest = it["digest"].as_str().unwrap_or_default();
        it["action"] == "INSERT" && digest.starts_with(&format!("{image}@sha256:"))
    }));
    assert_eq!(tags.len(), 1, "{told:?}");
    assert_eq!(tags[0]["tag"], format!("{image}:v1"));
    Ok(())
}

/// Runs helm with a home of its own.
async fn helm(home: &std::path::Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(tools::path("helm")?);
    command
        .args(arguments)
        .current_dir(home)
        .env("HOME", home)
        .env("HELM_REGISTRY_CONFIG", home.join("registry.json"))
        .kill_on_drop(true);
    command.output().await.context("failed to start helm")
}

#[tokio::test]
async fn a_chart_is_pushed_and_pulled_after_a_login() -> Result<()> {
    let registry = Registry::start().await?;
    let home = tempfile::tempdir()?;
    let home = home.path();
    std::fs::create_dir(home.join("web"))?;
    std::fs::write(
        home.join("web/Chart.yaml"),
        "apiVersion: v2\nname: web\nversion: 1.2.3\n",
    )?;
    let host = registry.simulator.registry.to_string();
    let login = registry.login_of("ann")?;
    let (user, token) = login.split_once(':').context("a login")?;
    let repository = format!("oci://{host}/acme/apps");
    let chart = format!("{repository}/web");
    let login = [
        "registry",
        "login",
        &host,
        "--plain-http",
        "--username",
        user,
        "--password",
        token,
    ];
    printed(&helm(home, &login).await?)?;
    printed(&helm(home, &["package", "web"]).await?)?;
    let push = ["push", "web-1.2.3.tgz", &repository, "--plain-http"];
    printed(&helm(home, &push).await?)?;
    std::fs::remove_file(home.join("web-1.2.3.tgz"))?;
    let pull = ["pull", &chart, "--version", "1.2.3", "--plain-http"];
    printed(&helm(home, &pull).await?)?;
    assert!(home.join("web-1.2.3.tgz").exists());
    let eve = registry.login_of("eve")?;
    let (user, token) = eve.split_once(':').context("a login")?;
    let login = [
        "registry",
        "login",
        &host,
        "--plain-http",
        "--username",
        user,
        "--password",
        token,
    ];
    printed(&helm(home, &login).await?)?;
    let refused = helm(home, &pull).await?;
    let complaint = complaint(&refused);
    assert!(
        complaint.contains("artifactregistry.repositories.downloadArtifacts"),
        "{complaint}"
    );
    Ok(())
}
