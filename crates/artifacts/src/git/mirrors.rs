//! The folder of mirrors: who may work on one, and how much disk all of them may take.
//!
//! A mirror is a cache; deleting it costs a fetch. One task at a time works on it, in this process and in any other: each
//! mirror's folder has a file `lock`, held while somebody works there. The file says how large the mirror was last, and its
//! time when it was last used: what was not used for longest goes first.
//!
//! ```text
//! mirrors/<scope>/lock         held by whoever works here
//!                 home/        what git takes for its home
//!                 history.git/ the repository
//! mirrors/asks/                homes of git while it asks a server over SSH
//! ```

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use crate::child;
use crate::room::{Room, wait_outside};

const LOCK: &str = "lock";
const HOME: &str = "home";
const ASKS: &str = "asks";
/// The repository in a mirror's folder.
pub(super) const GIT_DIR: &str = "history.git";

/// Longest wait for another process: longer than git may take for a fetch.
const PATIENCE: Duration = Duration::from_mins(15);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
/// Most mirrors whose last use is remembered.
const USES_BOUND: usize = 10_000;
/// Blocks that the system counts files in.
const BLOCK: u64 = 512;

/// The mirrors of this installation.
#[derive(Debug)]
pub struct Mirrors {
    folder: PathBuf,
    /// Bytes that all mirrors together may take when nobody works on one.
    disk: u64,
    turns: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
    uses: Mutex<Uses>,
}

/// Which mirrors this process has worked on, and in which order: files know times by the hundredth of a second only.
#[derive(Debug, Default)]
struct Uses {
    count: u64,
    last: HashMap<PathBuf, u64>,
}

/// A mirror's folder while it is nobody else's.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) folder: PathBuf,
    lock: File,
    _turn: OwnedMutexGuard<()>,
}

impl Mirrors {
    /// Bytes that the mirrors may take together unless the operator says otherwise.
    pub const DISK: u64 = 4 << 30;

    /// Keeps mirrors in `folder`, which is ours alone and may not be there yet; together they may take `disk` bytes.
    ///
    /// What an earlier process left unfinished is removed.
    pub fn new(folder: PathBuf, disk: u64) -> Self {
        let mirrors = Self {
            folder,
            disk,
            turns: Mutex::default(),
            uses: Mutex::default(),
        };
        if let Err(error) = mirrors.tidy() {
            let folder = mirrors.folder.display();
            tracing::warn!(%folder, %error, "leftovers among the mirrors of Git repositories could not be removed");
        }
        mirrors
    }

    /// Waits until nobody else works on a mirror, outside of the room.
    ///
    /// No other process is kept waiting while there is no room.
    pub(super) async fn hold(&self, scope: &str, room: &dyn Room) -> io::Result<Held> {
        let folder = self.folder.join(scope);
        let turn = wait_outside(room, self.turn(scope).lock_owned()).await;
        let mut lock = loop {
            match try_hold(&folder)? {
                Some(lock) => break lock,
                None => wait_outside(room, until_free(&folder)).await?,
            }
        };
        if self.is_first_use(&folder) {
            // A child of an earlier process may still be at work.
            child::kill_strays(&folder).await?;
        }
        // Written anew, the file is from now.
        let size = read_size(&mut lock)?;
        write_size(&mut lock, size)?;
        Ok(Held {
            folder,
            lock,
            _turn: turn,
        })
    }

    /// Gives a folder for a child that needs no mirror.
    pub(super) fn ask_folder(&self) -> io::Result<TempDir> {
        let folder = self.folder.join(ASKS);
        child::create_private_dir(&folder)?;
        tempfile::Builder::new().tempdir_in(folder)
    }

    /// Measures a mirror that grew, and makes room where all of them have become too large.
    pub(super) fn settle(&self, mut held: Held) -> io::Result<()> {
        let size = size_of(&held.folder)?;
        write_size(&mut held.lock, size)?;
        let left = self.make_room(Some(&held.folder))?;
        if left > self.disk {
            let folder = held.folder.display();
            tracing::warn!(%folder, bytes = size, allowed = self.disk, "a mirror is larger than all may be and is removed; raise --mirror-disk");
            remove(&held.folder)?;
        }
        Ok(())
    }

    fn is_first_use(&self, folder: &Path) -> bool {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.count += 1;
        let count = uses.count;
        if uses.last.len() >= USES_BOUND {
            uses.last.clear();
        }
        uses.last.insert(folder.to_owned(), count).is_none()
    }

    fn last_use(&self, folder: &Path) -> Option<u64> {
        let uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        uses.last.get(folder).copied()
    }

    fn turn(&self, scope: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(scope).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(scope.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// Removes mirrors, the longest unused first and never `kept` or one that is worked on; gives what is left in bytes.
    fn make_room(&self, kept: Option<&Path>) -> io::Result<u64> {
        let mut mirrors = Vec::new();
        for folder in self.folders()? {
            let Ok(mut lock) = File::open(folder.join(LOCK)) else {
                continue;
            };
            let used = lock.metadata()?;
            let used = (used.mtime(), used.mtime_nsec(), self.last_use(&folder));
            mirrors.push((used, read_size(&mut lock)?, folder));
        }
        let mut left = mirrors.iter().map(|(_, size, _)| size).sum();
        mirrors.sort();
        for (_, size, folder) in mirrors {
            if left <= self.disk {
                break;
            }
            if kept == Some(folder.as_path()) {
                continue;
            }
            if let Some(_lock) = try_hold(&folder)? {
                remove(&folder)?;
                left -= size;
            }
        }
        Ok(left)
    }

    fn tidy(&self) -> io::Result<()> {
        remove(&self.folder.join(ASKS))?;
        for folder in self.folders()? {
            if !folder.join(LOCK).exists() {
                // One of an earlier version.
                remove(&folder)?;
            } else if let Some(_lock) = try_hold(&folder)? {
                // Keys and passwords may have been left there.
                remove(&folder.join(HOME))?;
                remove_unfinished(&folder.join(GIT_DIR))?;
            }
        }
        self.make_room(None).map(drop)
    }

    fn folders(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let is_scope =
            |name: &str| name.len() == 40 && name.bytes().all(|it| it.is_ascii_hexdigit());
        let folders = entries.filter_map(|entry| {
            let entry = entry.ok()?;
            entry
                .file_name()
                .to_str()
                .is_some_and(is_scope)
                .then(|| entry.path())
        });
        Ok(folders.collect())
    }
}

/// Waits until no other process works on a mirror's folder.
async fn until_free(folder: &Path) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while try_hold(folder)?.is_none() {
        if Instant::now() > deadline {
            let message = format!("another process has held {} for long", folder.display());
            return Err(io::Error::new(ErrorKind::TimedOut, message));
        }
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    Ok(())
}

/// Takes the lock of a mirror's folder, which is made where it is missing; none while another has it.
fn try_hold(folder: &Path) -> io::Result<Option<File>> {
    child::create_private_dir(folder)?;
    let path = folder.join(LOCK);
    let mut open = OpenOptions::new();
    let open = open
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    let lock = match open.open(&path) {
        // It was removed a moment ago.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        lock => lock?,
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    // Whoever had it before may have removed the folder: then this is a lock of nothing.
    let is_there = fs::metadata(&path).is_ok_and(|there| {
        lock.metadata()
            .is_ok_and(|ours| (ours.dev(), ours.ino()) == (there.dev(), there.ino()))
    });
    Ok(is_there.then_some(lock))
}

fn read_size(lock: &mut File) -> io::Result<u64> {
    let mut text = String::new();
    lock.rewind()?;
    io::Read::by_ref(lock).take(32).read_to_string(&mut text)?;
    Ok(text.trim().parse().unwrap_or_default())
}

fn write_size(lock: &mut File, size: u64) -> io::Result<()> {
    lock.rewind()?;
    lock.set_len(0)?;
    lock.write_all(format!("{size}\n").as_bytes())
}

/// Adds up what the files below a folder take on disk.
fn size_of(folder: &Path) -> io::Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        size += if entry.file_type()?.is_dir() {
            size_of(&entry.path())?
        } else {
            entry.metadata()?.blocks() * BLOCK
        };
    }
    Ok(size)
}

/// Removes what a git that was killed leaves in its repository.
pub(super) fn remove_unfinished(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            remove_unfinished(&entry.path())?;
        } else if name.starts_with("tmp_") || name.ends_with(".lock") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a folder with all in it, or nothing where there is none.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests;
