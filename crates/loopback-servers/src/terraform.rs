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
    accepts_each([text])
}

/// The same of several files that have nothing to do with each other, in one go.
///
/// # Errors
/// What Terraform says is wrong with the first that it does not accept.
pub fn accepts_each<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut modules = Vec::new();
    for (number, text) in texts.into_iter().enumerate() {
        let name = format!("part{number}");
        fs::create_dir(folder.path().join(&name))?;
        fs::write(folder.path().join(&name).join("main.tf"), text)?;
        modules.push(format!(
            "module \"{name}\" {{\n  source = \"./{name}\"\n}}\n"
        ));
    }
    fs::write(folder.path().join("main.tf"), modules.join("\n"))?;
    let format = ["fmt", "-check", "-diff", "-recursive", "-no-color"];
    run(folder.path(), &format)?;
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
