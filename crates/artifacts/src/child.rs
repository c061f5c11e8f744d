//! Runs git, helm and kustomize as children that see only what they need.
//!
//! A child gets a scrubbed environment, a private home inside its work directory, no terminal, a time-out, bounded
//! output and its own process group, which dies when the future that waits for it is dropped. Started through the hidden
//! `argosy child` ([`Launcher::through`]) it is also fenced in by Landlock and resource limits. Credentials travel in
//! the environment or in files of mode 0600, never in arguments, and are masked in everything a person may read.

mod command;
mod error;
mod git;
mod gnupg;
mod links;
mod remote;
mod strays;

use std::{
    ffi::OsString,
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

pub(crate) use self::git::check_url;
pub(crate) use self::remote::secret_to_create;
pub use self::remote::shown;
pub use self::strays::kill_strays;
pub use self::{
    command::Command,
    error::Error,
    git::{GitAccess, PinnedHost},
    links::link_out_of,
    remote::Trouble,
};
use self::{gnupg::GnupgHome, remote::Remote};
use crate::egress::Pin;

/// How much of the end of standard error is kept for messages.
const STDERR_KEPT: usize = 8 << 10;

/// Starts children, each the same way.
#[derive(Debug, Clone)]
pub struct Launcher {
    argosy: Option<PathBuf>,
    search_path: OsString,
    environment: Vec<(OsString, OsString)>,
    pin: Pin,
    ca_file: Option<PathBuf>,
    known_hosts: Option<PathBuf>,
}

impl Launcher {
    /// Starts programs as they are, without a fence: for tests and for systems that cannot run `argosy child`.
    pub fn direct() -> Self {
        Self {
            argosy: None,
            search_path: "/usr/local/bin:/usr/bin:/bin".into(),
            environment: Vec::new(),
            pin: Pin::Literal,
            ca_file: None,
            known_hosts: None,
        }
    }

    /// Starts programs through `<argosy> child`, which fences itself in before it becomes the program.
    pub fn through(argosy: impl Into<PathBuf>) -> Self {
        Self {
            argosy: Some(argosy.into()),
            ..Self::direct()
        }
    }

    /// Looks for programs in these folders, separated by colons, rather than in the usual three.
    #[must_use]
    pub fn with_search_path(mut self, path: impl Into<OsString>) -> Self {
        self.search_path = path.into();
        self
    }

    /// Gives every child one more variable, such as the operator's `HTTPS_PROXY`.
    #[must_use]
    pub fn with_environment(
        mut self,
        name: impl Into<OsString>,
        value: impl Into<OsString>,
    ) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Holds git to the addresses that were looked at of the host it is about to speak to.
    #[must_use]
    pub fn with_pin(self, pin: Pin) -> Self {
        Self { pin, ..self }
    }

    /// Trusts the certificates in this PEM file rather than the system's.
    #[must_use]
    pub fn with_ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(path.into());
        self
    }

    /// Accepts only the SSH host keys in this file; without it any host key is accepted, as upstream does.
    #[must_use]
    pub fn with_known_hosts(mut self, path: impl Into<PathBuf>) -> Self {
        self.known_hosts = Some(path.into());
        self
    }

    /// Runs `command` to its end, whatever its exit code.
    ///
    /// Dropping the future kills the child and all it started.
    ///
    /// # Errors
    /// [`Error::Start`] when the program is missing, [`Error::TimedOut`] and [`Error::TooMuchOutput`] when it was killed
    /// for it, [`Error::LinkLeaves`] when the tree it would read has a symlink out of it and nothing fences it in.
    pub async fn run(&self, command: Command) -> Result<Output, Error> {
        if self.argosy.is_none()
            && let Some(tree) = &command.follows_links_in
        {
            links::refuse_links_out_of(tree)?;
        }
        let Some(keys) = command.find_keys()? else {
            return self.run_to_end(command).await;
        };
        let end_agent = keys.end_agent(&command.work_dir);
        let ended = self.run_to_end(keys.tell(command)).await;
        // Where there is no gpg, there is no agent either.
        self.run_to_end(end_agent).await.ok();
        ended
    }

    async fn run_to_end(&self, command: Command) -> Result<Output, Error> {
        let mut start = self.prepare(&command)?;
        let mut child = start.spawn().map_err(|source| Error::Start {
            program: command.name(),
            source,
        })?;
        let _group = child
            .id()
            .and_then(|id| Pid::from_raw(i32::try_from(id).ok()?))
            .map(Group);
        let running = async {
            let stdin = child.stdin.take();
            let write = async {
                if let (Some(mut stdin), Some(input)) = (stdin, &command.input) {
                    // A child that closes its input early says why by its exit code.
                    stdin.write_all(input).await.ok();
                }
            };
            let stdout = child.stdout.take().expect("standard output is piped");
            let stderr = child.stderr.take().expect("standard error is piped");
            let ((), stdout, stderr) = tokio::join!(
                write,
                read_all(stdout, command.output_limit),
                read_tail(stderr, STDERR_KEPT)
            );
            let stdout = stdout
                .map_err(|source| Error::Read {
                    program: command.name(),
                    source,
                })?
                .ok_or_else(|| Error::TooMuchOutput {
                    program: command.name(),
                    limit: command.output_limit,
                })?;
            let status = child.wait().await.map_err(|source| Error::Read {
                program: command.name(),
                source,
            })?;
            Ok((status, stdout, stderr))
        };
        let (status, stdout, stderr) = tokio::time::timeout(command.time_out, running)
            .await
            .map_err(|_elapsed| Error::TimedOut {
                program: command.name(),
                limit: command.time_out,
            })??;
        Ok(Output {
            code: status.code(),
            stdout,
            stderr: command.masked(String::from_utf8_lossy(&stderr).trim()),
            program: command.name(),
            remote: command.remote,
        })
    }

    /// Builds what is started: the program itself, or `argosy child` with the program behind it.
    fn prepare(&self, command: &Command) -> Result<tokio::process::Command, Error> {
        let home = command.home();
        create_private_dir(&home.join("tmp")).map_err(|source| Error::Home {
            path: home.clone(),
            source,
        })?;
        let mut start = match &self.argosy {
            None => tokio::process::Command::new(&command.program),
            Some(argosy) => {
                let mut start = tokio::process::Command::new(argosy);
                // What lists of processes show.
                start.arg0("argosy");
                start.arg("child").arg("--work-dir").arg(&command.work_dir);
                for path in command
                    .read_only
                    .iter()
                    .chain(&self.ca_file)
                    .chain(&self.known_hosts)
                {
                    start.arg("--read-only").arg(path);
                }
                if let Some(tree) = &command.follows_links_in {
                    start.arg("--follows-links-in").arg(tree);
                }
                start.arg("--").arg(&command.program);
                start
            }
        };
        start
            .args(&command.arguments)
            .current_dir(&command.directory)
            .env_clear()
            .env("PATH", &self.search_path)
            .env("HOME", &home)
            .env("TMPDIR", home.join("tmp"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .envs(
                command
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .envs(
                command
                    .secrets
                    .iter()
                    .map(|(name, value)| (name, value.expose())),
            )
            .stdin(if command.input.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        Ok(start)
    }
}

/// How a child ended and what it printed.
#[derive(Debug)]
pub struct Output {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// All of standard output.
    pub stdout: Vec<u8>,
    /// The end of standard error, trimmed, with secrets masked.
    pub stderr: String,
    program: String,
    remote: Option<Remote>,
}

impl Output {
    /// Says whether the exit code was 0.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// Takes an exit code other than 0 for an error: of the repository elsewhere, where git says so.
    pub fn checked(self) -> Result<Self, Error> {
        if self.succeeded() {
            return Ok(self);
        }
        let of_remote = self
            .remote
            .and_then(|remote| remote.error(&self.program, &self.stderr));
        Err(of_remote.unwrap_or(Error::Failed {
            program: self.program,
            code: self.code,
            stderr: self.stderr,
        }))
    }

    /// Standard output as text, without the white space around it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

/// A process group that is killed when nobody waits for it any more.
#[derive(Debug)]
struct Group(Pid);

impl Drop for Group {
    fn drop(&mut self) {
        // No such group is the usual case: everything in it has ended.
        kill_process_group(self.0, Signal::KILL).ok();
    }
}

/// Reads to the end; none when there is more than `limit`.
async fn read_all(mut from: impl AsyncRead + Unpin, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut read = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    (&mut from).take(most).read_to_end(&mut read).await?;
    Ok((read.len() <= limit).then_some(read))
}

/// Reads to the end and keeps the last bytes.
async fn read_tail(mut from: impl AsyncRead + Unpin, keep: usize) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..count]);
        if kept.len() > 2 * keep {
            kept.drain(..kept.len() - keep);
        }
    }
    kept.split_off(kept.len().saturating_sub(keep))
}

/// Creates a folder, and those above it, that only this user may enter.
pub(crate) fn create_private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
}

#[cfg(test)]
mod tests;
