//! OpenPGP keys that gpg makes, and what it says of commits that are signed with them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

/// A key without a passphrase, for signing; dropping it forgets it.
#[derive(Debug)]
pub struct OpenPgpKey {
    home: TempDir,
    fingerprint: String,
}

impl OpenPgpKey {
    /// Makes a key of a person, such as `Ann <ann@example.com>`.
    ///
    /// # Errors
    /// When gpg is missing or fails.
    pub fn make(person: &str) -> Result<Self> {
        let home = tempfile::tempdir()?;
        let key = ["--quick-gen-key", person, "ed25519", "sign", "never"];
        gpg(home.path(), &key)?;
        let list = gpg(home.path(), &["--with-colons", "--list-secret-keys"])?;
        let fingerprint = list
            .lines()
            .find_map(|line| line.strip_prefix("fpr:"))
            .and_then(|line| line.split(':').find(|field| !field.is_empty()))
            .context("gpg lists no key")?
            .to_owned();
        Ok(Self { home, fingerprint })
    }

    /// The text of the private key.
    ///
    /// # Errors
    /// When gpg fails.
    pub fn private(&self) -> Result<String> {
        let export = ["--armor", "--export-secret-keys", &self.fingerprint];
        gpg(self.home.path(), &export)
    }

    /// Lets git and gpg say whether the commit `revision` of the repository in a folder has a good signature by this key.
    ///
    /// # Errors
    /// When it has not.
    pub fn verify(&self, repository: &Path, revision: &str) -> Result<()> {
        let output = Command::new("git")
            .args(["-c", "safe.directory=*", "--git-dir"])
            .arg(repository)
            .args(["verify-commit", "--raw", revision])
            .env("GNUPGHOME", self.home.path())
            .output()
            .context("failed to start git; install git")?;
        let said = String::from_utf8_lossy(&output.stderr);
        let valid = format!("[GNUPG:] VALIDSIG {} ", self.fingerprint);
        ensure!(
            output.status.success() && said.contains(&valid),
            "no good signature by {}: {said}",
            self.fingerprint
        );
        Ok(())
    }
}

fn gpg(home: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("gpg")
        .args(["--batch", "--quiet", "--pinentry-mode", "loopback"])
        .args(["--passphrase", ""])
        .args(arguments)
        .env("GNUPGHOME", home)
        .output()
        .context("failed to start gpg, which is needed: apt-get install gpg gpg-agent")?;
    ensure!(
        output.status.success(),
        "gpg {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
