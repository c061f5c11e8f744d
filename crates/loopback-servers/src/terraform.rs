//! Terraform itself, as the judge of what is written for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::tools;

/// Has Terraform read a file: formatted as it would, each name only once, nothing that it does not understand.
///
/// Providers are not asked, so whether a resource has such an argument stays open.
///
/// # Errors
/// What Terraform says is wrong, the difference in format included.
pub fn accepts(text: &str) -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("main.tf"), text)?;
    run(folder.path(), &["fmt", "-check", "-diff", "-no-color"])?;
    // The lightest command that reads the whole of a configuration.
    run(folder.path(), &["get", "-no-color"])
}

fn run(folder: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new(tools::path("terraform")?)
        .args(arguments)
        .current_dir(folder)
        .output()
        .context("failed to start terraform")?;
    ensure!(
        output.status.success(),
        "terraform {} ends with {}:\n{}{}",
        arguments.join(" "),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
