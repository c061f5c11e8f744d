//! kubectl, with one kubeconfig and a time limit for every request.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::tools;

/// A kubectl that speaks to one API.
#[derive(Debug, Clone)]
pub struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
    home: PathBuf,
}

impl Kubectl {
    /// kubectl with this kubeconfig; its caches go beside it.
    ///
    /// # Errors
    /// When kubectl is missing.
    pub fn new(kubeconfig: &Path) -> Result<Self> {
        let home = kubeconfig
            .parent()
            .context("a file has a folder")?
            .to_owned();
        Ok(Self {
            program: tools::path("kubectl")?,
            kubeconfig: kubeconfig.to_owned(),
            home,
        })
    }

    /// Where its kubeconfig is.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Runs it and gives what it prints.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self
            .command(arguments)
            .output()
            .context("failed to start kubectl")?;
        printed(arguments, output)
    }

    /// Runs it with `input` as its standard input.
    ///
    /// # Errors
    /// When it fails, with what it said.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to start kubectl")?;
        child
            .stdin
            .take()
            .context("stdin is a pipe")?
            .write_all(input.as_bytes())?;
        printed(arguments, child.wait_with_output()?)
    }

    /// Runs it with `-o json`.
    ///
    /// # Errors
    /// When it fails or prints something else.
    pub fn json(&self, arguments: &[&str]) -> Result<Value> {
        let text = self.run(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&text).context("kubectl printed no JSON")
    }

    /// The command, not started yet.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("HOME", &self.home)
            .arg("--kubeconfig")
            .arg(&self.kubeconfig)
            .arg("--request-timeout=20s")
            .args(arguments);
        command
    }
}

fn printed(arguments: &[&str], output: Output) -> Result<String> {
    ensure!(
        output.status.success(),
        "kubectl {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8(output.stdout)?)
}
