//! A child process that ends with its owner.

use std::collections::BTreeSet;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroI32;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

/// The process groups that run now, for [`kill_all`].
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Kills everything that was started and not dropped yet: for a program that is itself told to end.
pub fn kill_all() {
    let groups = std::mem::take(&mut *running());
    for group in groups
        .into_iter()
        .filter_map(rustix::process::Pid::from_raw)
    {
        // A process that is gone already is what we want.
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
    }
}

fn running() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A program in a process group of its own; dropping it kills the whole group.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    ///
    /// # Errors
    /// When the program cannot be started or the log cannot be written.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let output = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("failed to open {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {}", command.get_program().display()))?;
        running().extend(
            pid(&child)
                .map(rustix::process::Pid::as_raw_nonzero)
                .map(NonZeroI32::get),
        );
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Waits until `ready` says so, at most `limit`.
    ///
    /// # Errors
    /// When the process ends first or the time is over; the message holds the end of its log.
    pub fn wait_until(&mut self, limit: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let start = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait()? {
                bail!("the process ended with {status}: {}", self.log_end());
            }
            if start.elapsed() > limit {
                bail!("not ready after {limit:?}: {}", self.log_end());
            }
            pause(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Asks the process to end (SIGTERM) and waits at most `limit`; gives its exit code.
    ///
    /// # Errors
    /// When it has not ended by then.
    pub fn terminate(&mut self, limit: Duration) -> Result<Option<i32>> {
        if let Some(process) = pid(&self.child) {
            rustix::process::kill_process(process, rustix::process::Signal::TERM)?;
        }
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status.code());
            }
            anyhow::ensure!(
                start.elapsed() < limit,
                "still running {limit:?} after SIGTERM"
            );
            pause(Duration::from_millis(10));
        }
    }

    /// Kills the process alone (SIGKILL), not what it started, and waits until it is gone.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill().context("failed to kill a process")?;
        self.child
            .wait()
            .context("failed to wait for a process that was killed")?;
        Ok(())
    }

    /// The process id, which is also that of its group.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn log_end(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(group) = pid(&self.child) {
            running().remove(&group.as_raw_nonzero().get());
            // A process that is gone already is what we want.
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
        self.child.wait().ok();
    }
}

fn pid(child: &Child) -> Option<rustix::process::Pid> {
    i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
}

#[expect(
    clippy::disallowed_methods,
    reason = "servers are started outside any async runtime"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

/// Whether something accepts connections on the loopback port.
pub(crate) fn accepts(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok()
}
