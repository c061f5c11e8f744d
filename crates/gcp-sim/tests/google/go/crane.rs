//! crane, with a login as people give it: pulls, lists, and what it says once the token has ended.

use std::path::{Path, PathBuf};
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use gcp_sim::{Clock, Options, Simulator, World};
use jiff::SignedDuration;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::sync::OnceCell;

const WORLD: &str = "
projects:
- id: acme
  services: [artifactregistry.googleapis.com]
  repositories:
  - name: apps
    location: europe-west1
    bindings: [{role: roles/artifactregistry.reader, members: ['user:bob@acme.example']}]
    images: [{name: web, tags: [v1, v2], platforms: [linux/amd64, linux/arm64]}]
";

/// A registry that bob may read, and the home of a crane.
struct Place {
    simulator: Simulator,
    clock: Clock,
    home: TempDir,
}

impl Place {
    async fn start() -> Result<Self> {
        let clock = Clock::of_the_machine();
        let options = Options {
            clock: clock.clone(),
            ..Options::default()
        };
        let world = World::from_yaml("world.yaml", WORLD)?;
        Ok(Self {
            simulator: Simulator::start(world, options).await?,
            clock,
            home: tempfile::tempdir()?,
        })
    }

    fn image(&self, path: &str) -> String {
        format!("{}/acme/apps/{path}", self.simulator.registry)
    }

    async fn log_in(&self, user: &str) -> Result<()> {
        let host = self.simulator.registry.to_string();
        let member = format!("user:{user}@acme.example");
        let token = self.simulator.token_of(&member).context("a user")?;
        let login = [
            "auth",
            "login",
            &host,
            "-u",
            "oauth2accesstoken",
            "-p",
            &token,
        ];
        self.crane(&login)
            .await
            .and_then(|it| printed(&it))
            .map(drop)
    }

    async fn crane(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(crane().await?);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .kill_on_drop(true);
        command.output().await.context("failed to start crane")
    }
}

/// Builds crane once for all tests.
async fn crane() -> Result<&'static Path> {
    static PROGRAM: OnceCell<PathBuf> = OnceCell::const_new();
    let package = "github.com/google/go-containerregistry/cmd/crane";
    let program = PROGRAM.get_or_try_init(|| super::build(package, "crane"));
    program.await.map(PathBuf::as_path)
}

fn printed(output: &Output) -> Result<String> {
    ensure!(output.status.success(), "{}", complaint(output));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test]
async fn an_image_is_listed_and_pulled_after_a_login() -> Result<()> {
    let place = Place::start().await?;
    place.log_in("bob").await?;
    let tags = place.crane(&["ls", &place.image("web")]).await?;
    assert_eq!(printed(&tags)?, "v1\nv2\n");
    let file = place.home.path().join("web.tar");
    let file = file.to_str().context("a path of UTF-8")?;
    printed(&place.crane(&["pull", &place.image("web:v1"), file]).await?)?;
    printed(&place.crane(&["validate", "--tarball", file]).await?)?;
    Ok(())
}

#[tokio::test]
async fn somebody_without_a_role_is_told_which_permission_it_takes() -> Result<()> {
    let place = Place::start().await?;
    place.log_in("eve").await?;
    let refused = place.crane(&["manifest", &place.image("web:v1")]).await?;
    assert!(!refused.status.success());
    let words = complaint(&refused);
    let permission = "artifactregistry.repositories.downloadArtifacts";
    assert!(
        words.contains("DENIED") && words.contains(permission),
        "{words}"
    );
    Ok(())
}

#[tokio::test]
async fn a_login_ends_with_its_token() -> Result<()> {
    let place = Place::start().await?;
    place.log_in("bob").await?;
    let digest = ["digest", &place.image("web:v1")];
    assert!(printed(&place.crane(&digest).await?)?.starts_with("sha256:"));
    place.clock.advance(SignedDuration::from_mins(61));
    let refused = place.crane(&digest).await?;
    assert!(!refused.status.success());
    let words = complaint(&refused);
    assert!(
        words.contains("UNAUTHORIZED: authentication failed"),
        "{words}"
    );
    Ok(())
}
