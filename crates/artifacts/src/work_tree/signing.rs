//! Signing keys: taken from text into the private home, where gpg and git find them.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::child::{Command, Launcher, create_private_dir};

/// A signing key that was put into the private home of a work directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "format", content = "key")]
pub enum Signing {
    /// The fingerprint of a secret key that `gpg` has imported.
    OpenPgp(String),
    /// The file of an SSH private key.
    Ssh(PathBuf),
}

impl Signing {
    /// Options for git itself that make it sign commits.
    pub(super) fn options(&self) -> Vec<String> {
        let (format, key) = match self {
            Self::OpenPgp(fingerprint) => ("openpgp", fingerprint.clone()),
            Self::Ssh(file) => ("ssh", file.display().to_string()),
        };
        let set = |name: &str, value: &str| ["-c".to_owned(), format!("{name}={value}")];
        let mut options = [
            set("commit.gpgSign", "true"),
            set("gpg.format", format),
            set("user.signingKey", &key),
        ]
        .concat();
        if let Self::Ssh(file) = self {
            let allowed = allowed_signers(file).display().to_string();
            options.extend(set("gpg.ssh.allowedSignersFile", &allowed));
        }
        options
    }

    /// Says whether git's verdict on a signature (`%G?`) is that one of our keys made it.
    pub(super) fn trusts(&self, verdict: &str) -> bool {
        match self {
            // gpg knows no keys but those that were taken in, and of those nobody has said how far they are trusted.
            Self::OpenPgp(_) => matches!(verdict, "G" | "U"),
            Self::Ssh(_) => verdict == "G",
        }
    }
}

/// The file that tells git which signatures are good: those by this SSH key.
fn allowed_signers(key: &Path) -> PathBuf {
    key.with_extension("allowed")
}

/// Takes the text of a private key, `OpenPGP` or SSH, into the private home of `work_dir`; an empty one is none.
///
/// # Errors
/// [`Error::SigningKey`] when the text is neither, or gpg refuses it.
pub async fn take_signing_key(
    launcher: &Launcher,
    work_dir: &Path,
    key: Option<&str>,
) -> Result<Option<Signing>, Error> {
    let Some(key) = key.map(str::trim).filter(|key| !key.is_empty()) else {
        return Ok(None);
    };
    if key.contains("PRIVATE KEY-----") && !key.contains("PGP") {
        return take_ssh_key(launcher, work_dir, key).await.map(Some);
    }
    let command = Command::new("gpg", work_dir)
        .uses_gpg()
        .args(["--batch", "--quiet", "--status-fd", "1", "--import"])
        .input(format!("{key}\n"));
    let output = launcher.run(command).await?;
    let printed = output.text();
    let fingerprint = printed
        .lines()
        .filter_map(|line| line.strip_prefix("[GNUPG:] IMPORT_OK "))
        .find_map(|rest| rest.split(' ').nth(1));
    match fingerprint {
        Some(fingerprint) => Ok(Some(Signing::OpenPgp(fingerprint.to_owned()))),
        None => Err(Error::SigningKey {
            reason: output.stderr,
        }),
    }
}

async fn take_ssh_key(launcher: &Launcher, work_dir: &Path, key: &str) -> Result<Signing, Error> {
    let refused = |error: io::Error| Error::SigningKey {
        reason: error.to_string(),
    };
    let file = write_key(work_dir, key).map_err(refused)?;
    // An empty passphrase, so that it does not ask for one.
    let command = Command::new("ssh-keygen", work_dir)
        .args(["-y", "-P", "", "-f"])
        .arg(&file);
    let output = launcher.run(command).await?;
    if !output.succeeded() {
        return Err(Error::SigningKey {
            reason: output.stderr,
        });
    }
    let signers = format!("* namespaces=\"git\" {}\n", output.text());
    fs::write(allowed_signers(&file), signers).map_err(refused)?;
    Ok(Signing::Ssh(file))
}

fn write_key(work_dir: &Path, key: &str) -> io::Result<PathBuf> {
    let home = work_dir.join("home");
    create_private_dir(&home)?;
    let mut file = tempfile::Builder::new()
        .prefix("signing-key-")
        .tempfile_in(&home)?;
    writeln!(file, "{key}")?;
    let (file, path) = file.keep().map_err(|error| error.error)?;
    file.sync_all()?;
    fs::canonicalize(path)
}
