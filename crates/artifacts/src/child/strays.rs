//! Finds children that outlived the process that started them, and ends them.
//!
//! After a `kill -9` of ours, a git that was half-way may still write to the work directory, next to the attempt that goes
//! on there. Every child, and whatever it starts, has a home inside of its work directory: by that it is known.

use std::{
    fs, io,
    os::unix::ffi::OsStrExt,
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long ended processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// Kills every process whose home is inside of `work_dir`, and waits until none is left; gives how many there were.
///
/// To be called before work begins in a work directory that was there, when no child of this process is at work in it.
/// Where there is no `/proc`, nothing is found.
pub async fn kill_strays(work_dir: &Path) -> io::Result<usize> {
    let mut home = b"HOME=".to_vec();
    home.extend_from_slice(work_dir.as_os_str().as_bytes());
    home.push(b'/');
    let deadline = Instant::now() + PATIENCE;
    let mut killed = 0;
    loop {
        let left = kill_those_at_home(&home)?;
        killed = killed.max(left);
        if left == 0 {
            return Ok(killed);
        }
        if Instant::now() > deadline {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "a child of an earlier attempt cannot be ended",
            ));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

fn kill_those_at_home(home: &[u8]) -> io::Result<usize> {
    let processes = match fs::read_dir("/proc") {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        processes => processes?,
    };
    let ids = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    let mut found = 0;
    for id in ids.filter_map(Pid::from_raw) {
        // The descriptor is had before the look: should the id go to another process meanwhile, that one is safe.
        let Ok(descriptor) = pidfd_open(id, PidfdFlags::empty()) else {
            continue;
        };
        let environment =
            fs::read(format!("/proc/{}/environ", id.as_raw_nonzero())).unwrap_or_default();
        if environment
            .split(|byte| *byte == 0)
            .any(|variable| variable.starts_with(home))
        {
            // One that ended by itself is as good.
            pidfd_send_signal(&descriptor, Signal::KILL).ok();
            found += 1;
        }
    }
    Ok(found)
}
