//! Google Cloud on loopback: `argosy gcp sim`, driven from outside.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::Process;

/// How long the simulator may take to listen.
const READY: Duration = Duration::from_secs(20);

/// The last address that it prints.
const LAST: &str = "GCE_METADATA_ROOT";

/// Who owns the projects of the worlds here.
const OPERATOR: &str = "user:ops@acme.example";

/// A running `argosy gcp sim` with one pod; dropping it stops it.
#[derive(Debug)]
pub struct Google {
    _process: Process,
    apis: SocketAddr,
    registry: SocketAddr,
    admin: SocketAddr,
    metadata: SocketAddr,
    token: PathBuf,
}

impl Google {
    /// Starts `binary gcp sim` with the text of a world.
    ///
    /// # Errors
    /// When it does not listen within 20 seconds, with the end of its log.
    pub fn start(binary: &Path, folder: &Path, world: &str) -> Result<Self> {
        let (file, log) = (folder.join("world.yaml"), folder.join("google.log"));
        fs::write(&file, world)?;
        let mut command = Command::new(binary);
        command.args(["gcp", "sim", "--world"]).arg(&file);
        let token = folder.join("operator-token");
        command.arg(format!("--token={OPERATOR}={}", token.display()));
        let mut process = Process::start(&mut command, &log)?;
        process
            .wait_until(READY, || find(&log, LAST).is_ok())
            .context("argosy gcp sim did not listen")?;
        Ok(Self {
            _process: process,
            apis: find(&log, "SIMULATOR_APIS")?,
            registry: find(&log, "SIMULATOR_REGISTRY")?,
            admin: find(&log, "SIMULATOR_ADMIN")?,
            metadata: find(&log, "GCE_METADATA_HOST")?,
            token,
        })
    }

    /// The access token of [`OPERATOR`], for `--access-token-file`.
    pub fn operator_token(&self) -> &Path {
        &self.token
    }

    /// Where faults are injected, and assumptions listed.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// The metadata server of the pod, for `GCE_METADATA_HOST`.
    pub fn metadata(&self) -> SocketAddr {
        self.metadata
    }

    /// What sends an `argosy` here rather than to Google, as its pod.
    pub fn endpoints(&self) -> Vec<String> {
        let of = |service: &str, address| format!("--gcp-endpoint={service}=http://{address}");
        vec![of("all", self.apis), of("metadata", self.metadata)]
    }

    /// What sends connections for a host of Artifact Registry here.
    pub fn registry_endpoint(&self, host: &str) -> String {
        format!("--registry-endpoint={host}=http://{}", self.registry)
    }
}

/// Finds an address among the lines that the simulator printed.
fn find(log: &PathBuf, name: &str) -> Result<SocketAddr> {
    let text = fs::read_to_string(log)?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = value.with_context(|| format!("argosy gcp sim did not say {name}"))?;
    value
        .parse()
        .with_context(|| format!("argosy gcp sim said {name}={value}"))
}
