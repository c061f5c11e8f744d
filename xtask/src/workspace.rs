//! Where the project is, and how its commands are run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// The folder of the workspace's `Cargo.toml`.
pub(crate) fn root() -> Result<PathBuf> {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent()
        .map(PathBuf::from)
        .context("xtask lies in the workspace")
}

/// A cargo command in the workspace's root, with the cargo that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()?).args(arguments);
    Ok(command)
}

/// The folder that cargo builds into.
pub(crate) fn target() -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let text = output(&mut cargo(&[
        "metadata",
        "--format-version=1",
        "--no-deps",
        "--locked",
    ])?)?;
    let metadata: Metadata =
        serde_json::from_str(&text).context("failed to read cargo metadata")?;
    Ok(metadata.target_directory)
}

/// Runs `command` with its output on the terminal.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().display().to_string();
    let status = command.status().with_context(|| {
        format!("failed to start {program}; install it, or name its folder with PATH")
    })?;
    let words: Vec<String> = command
        .get_args()
        .map(|word| word.display().to_string())
        .collect();
    let program = Path::new(&program)
        .file_name()
        .unwrap_or_default()
        .display()
        .to_string();
    ensure!(
        status.success(),
        "`{program} {}` failed with {status}",
        words.join(" ")
    );
    Ok(())
}

/// Runs `command` and gives what it prints.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().display().to_string();
    let output = command.output().with_context(|| {
        format!("failed to start {program}; install it, or name its folder with PATH")
    })?;
    ensure!(
        output.status.success(),
        "{program} failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    String::from_utf8(output.stdout).with_context(|| format!("{program} printed no UTF-8"))
}

/// The files that git knows or would add, relative to the root.
pub(crate) fn files() -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    git.current_dir(root()?)
        .args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let root = root()?;
    Ok(output(&mut git)?
        .lines()
        .map(PathBuf::from)
        .filter(|file| root.join(file).exists())
        .collect())
}
