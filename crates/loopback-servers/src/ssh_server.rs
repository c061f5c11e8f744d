//! A Git host over SSH: OpenSSH's own sshd, as a user without rights.
//!
//! sshd may be started by anyone but lets in only the user it runs as. Started by root it would want a system with a user
//! `sshd` and a folder in `/run`, so then it runs as [`NOBODY`]; who that is, and that there is a user `git`, it learns
//! from files of ours through `nss_wrapper`. It lives in one folder that this user may enter.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::process::{Process, accepts, free_port};
use crate::repositories::Repositories;
use crate::tools;

/// The user and group that sshd runs as when root starts it.
const NOBODY: u32 = 65_534;

/// What sshd needs beside it: the programs' folder may be closed to the user it runs as.
const PROGRAMS: &[&str] = &["sshd", "libwrap.so.0", "libnss_wrapper.so"];

/// A running SSH server for the user `git`; dropping it stops it and deletes its repositories.
#[derive(Debug)]
pub struct SshServer {
    _process: Process,
    repositories: Repositories,
    folder: TempDir,
    port: u16,
    owner: Owner,
}

/// Who owns the repositories and runs sshd.
#[derive(Debug, Clone, Copy)]
struct Owner {
    user: u32,
    group: u32,
}

impl SshServer {
    /// Starts a host without repositories on a free loopback port.
    ///
    /// # Errors
    /// When sshd is missing or does not come up within 10 seconds.
    pub fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let root = folder.path();
        let owner = Owner::of_servers();
        for name in PROGRAMS {
            fs::copy(tools::path(name)?, root.join(name))
                .with_context(|| format!("failed to copy {name}"))?;
        }
        for name in ["host", "user", "stranger"] {
            make_key(&root.join(name))?;
        }
        let repositories = Repositories::in_folder(root.join("repositories"))?;
        let port = free_port()?;
        fs::write(root.join("sshd_config"), configuration(root, port))?;
        let Owner { user, group } = owner;
        let home = root.display();
        fs::write(
            root.join("passwd"),
            format!("git:x:{user}:{group}:Git:{home}:/bin/sh\n"),
        )?;
        fs::write(root.join("group"), format!("git:x:{group}:\n"))?;
        owner.take(root)?;
        let mut command = Command::new(root.join("sshd"));
        command
            .args(["-D", "-e", "-f"])
            .arg(root.join("sshd_config"))
            .current_dir(root)
            .env("LD_LIBRARY_PATH", root)
            .env("LD_PRELOAD", root.join("libnss_wrapper.so"))
            .env("NSS_WRAPPER_PASSWD", root.join("passwd"))
            .env("NSS_WRAPPER_GROUP", root.join("group"));
        if rustix::process::geteuid().is_root() {
            command.uid(user).gid(group);
        }
        let mut process = Process::start(&mut command, &root.join("sshd.log"))?;
        process
            .wait_until(Duration::from_secs(10), || accepts(port))
            .context("sshd did not come up")?;
        Ok(Self {
            _process: process,
            repositories,
            folder,
            port,
            owner,
        })
    }

    /// The clone URL of a repository, such as `ssh://git@127.0.0.1:2222/tmp/x/repositories/acme/deploy.git`.
    pub fn url(&self, name: &str) -> String {
        let path = self.repositories.path(name);
        format!("ssh://git@127.0.0.1:{}{}", self.port, path.display())
    }

    /// Creates a repository whose branch `main` holds `files` in one commit.
    ///
    /// # Errors
    /// When git fails.
    pub fn create(&self, name: &str, files: &[(&str, &str)]) -> Result<()> {
        self.write(|repositories| repositories.create(name, files))
    }

    /// Adds a commit on `main` that writes `files`.
    ///
    /// # Errors
    /// When git fails.
    pub fn commit(&self, name: &str, files: &[(&str, &str)], message: &str) -> Result<()> {
        self.write(|repositories| repositories.commit(name, files, message))
    }

    /// Adds many commits on `main` at once.
    ///
    /// # Errors
    /// When git fails.
    pub fn grow(&self, name: &str, count: usize) -> Result<()> {
        self.write(|repositories| repositories.grow(name, count))
    }

    /// Lets `work` write the repositories: git refuses those that another user owns.
    fn write(&self, work: impl FnOnce(&Repositories) -> Result<()>) -> Result<()> {
        let folder = self.folder.path().join("repositories");
        Owner::of_this_process().take(&folder)?;
        let done = work(&self.repositories);
        self.owner.take(&folder)?;
        done
    }

    /// Runs git in a repository and gives what it prints: `log`, `show`, `rev-parse` …
    ///
    /// # Errors
    /// When git fails.
    pub fn git(&self, name: &str, arguments: &[&str]) -> Result<String> {
        self.repositories.git(name, arguments)
    }

    /// The private key that is let in, in OpenSSH's form.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn private_key(&self) -> Result<String> {
        read(&self.folder.path().join("user"))
    }

    /// A private key that is not let in.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn key_of_a_stranger(&self) -> Result<String> {
        read(&self.folder.path().join("stranger"))
    }

    /// A line of a file of known hosts that names the server's own key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn known_host(&self) -> Result<String> {
        self.known_host_with("host.pub")
    }

    /// The same line with a key that is not the server's.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn known_host_of_another(&self) -> Result<String> {
        self.known_host_with("stranger.pub")
    }

    fn known_host_with(&self, key: &str) -> Result<String> {
        let key = read(&self.folder.path().join(key))?;
        Ok(format!("[127.0.0.1]:{} {key}", self.port))
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("sshd.log")
    }
}

impl Owner {
    fn of_servers() -> Self {
        if rustix::process::geteuid().is_root() {
            return Self {
                user: NOBODY,
                group: NOBODY,
            };
        }
        Self::of_this_process()
    }

    fn of_this_process() -> Self {
        Self {
            user: rustix::process::geteuid().as_raw(),
            group: rustix::process::getegid().as_raw(),
        }
    }

    /// Makes this owner the owner of everything at `path`.
    fn take(self, path: &Path) -> Result<()> {
        chown(path, Some(self.user), Some(self.group))
            .with_context(|| format!("failed to give {} away", path.display()))?;
        if path.is_dir() {
            for entry in fs::read_dir(path)? {
                self.take(&entry?.path())?;
            }
        }
        Ok(())
    }
}

/// Makes a key pair: `path` and `path.pub`.
fn make_key(path: &Path) -> Result<()> {
    let output = Command::new(tools::path("ssh-keygen")?)
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "loopback", "-f"])
        .arg(path)
        .output()
        .context("failed to start ssh-keygen")?;
    ensure!(
        output.status.success(),
        "ssh-keygen: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
    Ok(())
}

/// Lets in `user.pub` with a key and nothing else, and gives it Git's programs.
///
/// Source: <https://man.openbsd.org/sshd_config>
fn configuration(root: &Path, port: u16) -> String {
    let root = root.display();
    format!(
        "ListenAddress 127.0.0.1:{port}\nHostKey {root}/host\nPidFile none\nAuthorizedKeysFile {root}/user.pub\n\
         StrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nAllowUsers git\n\
         AllowTcpForwarding no\nX11Forwarding no\nPermitTTY no\nPrintMotd no\nLogLevel VERBOSE\n\
         SetEnv PATH=/usr/local/bin:/usr/bin:/bin\n"
    )
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repository_can_be_read_over_ssh_with_the_right_key_alone() {
        let server = SshServer::start().unwrap();
        server
            .create("acme/deploy", &[("a.yaml", "a: 1\n")])
            .unwrap();
        let keys = tempfile::tempdir().unwrap();
        let ask = |key: &str| {
            let file = keys.path().join("key");
            fs::write(&file, key).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let ssh = format!(
                "ssh -F /dev/null -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
                 -o IdentitiesOnly=yes -i {}",
                file.display()
            );
            Command::new("git")
                .args(["ls-remote", &server.url("acme/deploy")])
                .env("GIT_SSH_COMMAND", ssh)
                .env("PATH", tools::search_path(None).unwrap())
                .output()
                .unwrap()
        };
        let answer = ask(&server.private_key().unwrap());
        let branches = String::from_utf8_lossy(&answer.stdout);
        assert!(branches.contains("refs/heads/main"), "{answer:?}");
        let refused = ask(&server.key_of_a_stranger().unwrap());
        let reason = String::from_utf8_lossy(&refused.stderr);
        assert!(
            reason.contains("Permission denied (publickey)"),
            "{refused:?}"
        );
    }
}
