//! `argosy gcp doctor`, `audit` and `setup` as a program, against Google on loopback.

mod audit;
mod credentials;
mod doctor;
mod fallback;
mod faults;
mod flags;
mod hosts;
mod kubernetes_account;
mod outside;
mod repositories;
mod setup;
mod setup_choices;
mod sim;
mod traced;
mod workload_identity;

use std::path::PathBuf;
use std::process::Output;

use anyhow::{Context as _, Result, ensure};
use gcp_sim::{Clock, Google, Options, ResourceName, Simulator, World as GoogleWorld};
use serde_json::Value;
use tempfile::TempDir;
use testkit::google::{ISSUER, TOKEN_PREFIX};
use testkit::{PublishedKeys, World};
use tokio::process::Command;

use crate::binary;

const OPERATOR: &str = "user:ops@acme.example";
const ACCOUNT: &str = "kargo-project-web@acme-prod.iam.gserviceaccount.com";
const REPOSITORY: &str = "europe-west1-docker.pkg.dev/acme-prod/apps/web";
const CONTROLLER: &str = "principal://iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/acme-prod.svc.id.goog/subject/ns/argosy/sa/kargo-controller";

/// A project in which nothing is set up for any Project: the images are there, and a cluster.
const EMPTY: &str = r#"
organizations:
- number: '7'
  displayName: acme.example
  bindings:
  - {role: roles/owner, members: ["user:ops@acme.example"]}
  - {role: roles/iam.securityReviewer, members: ["user:ops@acme.example"]}
projects:
- id: acme-prod
  number: 123456789012
  parent: organizations/7
  services: [cloudasset.googleapis.com, cloudresourcemanager.googleapis.com, container.googleapis.com, orgpolicy.googleapis.com,
    policyanalyzer.googleapis.com, pubsub.googleapis.com, serviceusage.googleapis.com, iam.googleapis.com]
  bindings:
  - {role: roles/owner, members: ["user:ops@acme.example"]}
  - {role: roles/orgpolicy.policyAdmin, members: ["user:ops@acme.example"]}
  clusters: [{name: main, location: europe-west1}]
  repositories:
  - name: apps
    location: europe-west1
    images: [{name: web, tags: ["1.0.0"], platforms: [linux/amd64]}]
  - {name: others, location: europe-west1}
pods:
- {name: controller, cluster: acme-prod/europe-west1/main, namespace: argosy, serviceAccount: kargo-controller}
"#;

/// Google, a cluster with one Project, and the token of somebody who may do everything.
struct Place {
    simulator: Simulator,
    /// Listens while it lives.
    cluster: World,
    /// By which Google checks the tokens of the cluster.
    keys: PublishedKeys,
    folder: TempDir,
}

impl Place {
    async fn empty() -> Result<Self> {
        let world = GoogleWorld::from_yaml("world.yaml", EMPTY)?;
        let options = Options {
            clock: Clock::of_the_machine(),
            ..Options::default()
        };
        let simulator = Simulator::start(world, options).await?;
        let folder = tempfile::tempdir()?;
        let token = simulator.token_of(OPERATOR).context("no such person")?;
        std::fs::write(folder.path().join("token"), token)?;
        let cluster = World::with(testkit::Options {
            issuer: Some(ISSUER.to_owned()),
            ..testkit::Options::default()
        })
        .await?;
        let keys = PublishedKeys::of(&cluster, folder.path()).await?;
        simulator.google().change(|world| {
            world.projects[0].clusters[0].jwks_url = Some(keys.url.to_string());
        });
        cluster.apply(PROJECT).await?;
        Ok(Self {
            simulator,
            cluster,
            keys,
            folder,
        })
    }

    /// The same with all that the Project needs.
    async fn whole() -> Result<Self> {
        let place = Self::empty().await?;
        let google = place.google();
        for service in [
            "artifactregistry.googleapis.com",
            "iamcredentials.googleapis.com",
            "sts.googleapis.com",
        ] {
            google.enable_api("acme-prod", service)?;
        }
        google.create_account("acme-prod", "kargo-project-web")?;
        let account = ResourceName::service_account("acme-prod", ACCOUNT);
        google.grant("roles/iam.workloadIdentityUser", CONTROLLER, &account)?;
        let member = format!("serviceAccount:{ACCOUNT}");
        google.grant("roles/artifactregistry.reader", &member, &apps())?;
        Ok(place)
    }

    fn google(&self) -> &Google {
        self.simulator.google()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `argosy gcp …` with Google on loopback, as the operator and with the Pod's view.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.bare(arguments);
        let token = self.file("token");
        command
            .args(self.cluster_flags())
            .arg(format!("--access-token-file={}", token.display()));
        command
    }

    /// The same on somebody's laptop: without a Pod's view, as whoever Google's own tools would ask.
    fn laptop(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .arg("gcp")
            .args(arguments)
            .args(self.endpoint_flags())
            .args(self.cluster_flags());
        command
    }

    fn cluster_flags(&self) -> [String; 2] {
        let kubeconfig = self.file("kubeconfig");
        [
            "--gcp-project=acme-prod".to_owned(),
            format!("--kubeconfig={}", kubeconfig.display()),
        ]
    }

    fn endpoint_flags(&self) -> [String; 2] {
        let Simulator { apis, registry, .. } = &self.simulator;
        let host = "europe-west1-docker.pkg.dev";
        [
            format!("--gcp-endpoint=all=http://{apis}"),
            format!("--registry-endpoint={host}=http://{registry}"),
        ]
    }

    /// The same with nothing but the Pod's view.
    fn bare(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        let metadata = self.simulator.metadata["controller"].to_string();
        command
            .arg("gcp")
            .args(arguments)
            .args(self.endpoint_flags())
            .env("GCE_METADATA_HOST", metadata)
            .env_remove("GOOGLE_APPLICATION_CREDENTIALS")
            .env_remove("HTTP_PROXY")
            .env_remove("http_proxy");
        command
    }

    async fn run(&self, arguments: &[&str]) -> Result<Output> {
        let output = self.command(arguments).output().await?;
        check_no_token(&output)?;
        Ok(output)
    }

    /// Runs a command that prints JSON; gives its exit code too.
    async fn json(&self, arguments: &[&str]) -> Result<(i32, Value)> {
        let output = self.run(arguments).await?;
        let value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        Ok((output.status.code().context("it was killed")?, value))
    }
}

/// The Project of the cluster, what it subscribes to, and the account of the controller.
const PROJECT: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: argosy}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: kargo-controller, namespace: argosy}
---
apiVersion: v1
kind: Namespace
metadata: {name: web}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Project
metadata: {name: web}
---
apiVersion: kargo.akuity.io/v1alpha1
kind: Warehouse
metadata: {name: web, namespace: web}
spec:
  subscriptions:
    - image: {repoURL: europe-west1-docker.pkg.dev/acme-prod/apps/web}
";

fn apps() -> ResourceName {
    ResourceName::Repository {
        project: "acme-prod".to_owned(),
        location: "europe-west1".to_owned(),
        repository: "apps".to_owned(),
    }
}

/// Checks that neither stream holds a token of Google or Kubernetes, or a key.
fn check_no_token(output: &Output) -> Result<()> {
    for stream in [&output.stdout, &output.stderr] {
        let written = text(stream);
        for secret in [TOKEN_PREFIX, "eyJ", "PRIVATE KEY-----"] {
            ensure!(!written.contains(secret), "{secret}… in: {written}");
        }
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Finds the status of a check, the worst where it is about several things.
fn status<'a>(report: &'a Value, id: &str) -> Result<&'a str> {
    let results = report["results"].as_array().context("no results")?;
    let mut statuses: Vec<_> = results
        .iter()
        .filter(|it| it["id"] == id)
        .filter_map(|it| it["status"].as_str())
        .collect();
    statuses.sort_by_key(|it| {
        ["fail", "unknown", "warn", "pass", "skip"]
            .iter()
            .position(|known| known == it)
    });
    statuses
        .first()
        .copied()
        .with_context(|| format!("no {id}"))
}
