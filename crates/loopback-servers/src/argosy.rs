//! `argosy up`, driven from outside as a user drives it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::process::{Process, free_port};
use crate::{Kubectl, tools};

/// How long `argosy up` may take to become ready.
const READY: Duration = Duration::from_secs(20);

/// A running `argosy up`; dropping it kills it, as `kill -9` would.
#[derive(Debug)]
pub struct Argosy {
    process: Process,
    kubectl: Kubectl,
    port: u16,
    log: PathBuf,
}

impl Argosy {
    /// Starts `binary up` with its data in `<folder>/data` and waits until it is ready.
    ///
    /// A second start with the same folder finds the first one's objects; its log is appended.
    ///
    /// # Errors
    /// When it does not become ready within 20 seconds, with the end of its log.
    pub fn start(binary: &Path, folder: &Path, more: &[&str]) -> Result<Self> {
        Self::start_with(binary, folder, more, None)
    }

    /// Starts it like [`Argosy::start`]; git and kustomize are looked for in the folder `programs` first.
    ///
    /// # Errors
    /// When it does not become ready within 20 seconds, with the end of its log.
    pub fn start_with(
        binary: &Path,
        folder: &Path,
        more: &[&str],
        programs: Option<&Path>,
    ) -> Result<Self> {
        let port = free_port()?;
        let kubeconfig = folder.join("kubeconfig");
        if kubeconfig.exists() {
            fs::remove_file(&kubeconfig)?;
        }
        let log = folder.join("argosy.log");
        // Found on the path where somebody brings a kustomize of their own.
        let kustomize = match programs {
            None => tools::path("kustomize")?,
            Some(_) => PathBuf::from("kustomize"),
        };
        let mut process = Process::start(
            Command::new(binary)
                .arg("up")
                .arg("--data-dir")
                .arg(folder.join("data"))
                .args(["--listen", &format!("127.0.0.1:{port}"), "--kubeconfig-out"])
                .arg(&kubeconfig)
                .args(more)
                .env("PATH", tools::search_path(programs)?)
                .env("ARGOSY_KUSTOMIZE", kustomize),
            &log,
        )?;
        let kubectl = Kubectl::new(&kubeconfig)?;
        process
            .wait_until(READY, || {
                kubeconfig.exists() && kubectl.run(&["get", "--raw", "/readyz"]).is_ok()
            })
            .context("argosy up did not become ready")?;
        Ok(Self {
            process,
            kubectl,
            port,
            log,
        })
    }

    /// A kubectl with the kubeconfig that it wrote.
    pub fn kubectl(&self) -> &Kubectl {
        &self.kubectl
    }

    /// The port of its API.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Where its log is.
    pub fn log(&self) -> &Path {
        &self.log
    }
}
