//! Google's Python clients: installed from `python.lock` beside the programs, and reached by a wrapper called `python`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use crate::workspace;

/// The pinned packages with their digests, as pip reads them.
pub(super) fn lock_path() -> Result<PathBuf> {
    Ok(workspace::root()?.join("python.lock"))
}

/// Installs every package into `finished`, which will be moved to `home`.
pub(super) fn install(finished: &Path, home: &Path) -> Result<()> {
    let site = finished.join("python");
    super::run(
        Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--require-hashes",
                "--no-deps",
            ])
            .args(["--only-binary", ":all:", "--target"])
            .arg(&site)
            .arg("-r")
            .arg(lock_path()?),
        "python3 with pip is needed: apt-get install python3-pip",
    )?;
    let wrapper = finished.join("bin/python");
    let text = format!(
        "#!/bin/sh\nexport PYTHONPATH=\"{}\" PYTHONDONTWRITEBYTECODE=1\nexec python3 \"$@\"\n",
        home.join("python").display()
    );
    fs::write(&wrapper, text).context("failed to write the wrapper of python")?;
    super::make_executable(&wrapper)
}
