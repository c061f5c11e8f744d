//! The data directory: private to its owner, and held by one process at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::OpenError;

/// The file that holds the objects.
pub(super) const OBJECTS: &str = "objects.redb";
/// The same before it is complete.
pub(super) const UNFINISHED: &str = "objects.redb.new";

/// Makes the directory, or makes it private, and takes it for this process; the lock lasts as long as the file is open.
pub(super) fn take(directory: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Directory {
        path: directory.to_owned(),
        source,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(failed)?;
    let mode = fs::metadata(directory)
        .map_err(failed)?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        // Somebody else's directory, such as /tmp, is not to be closed to them.
        if !is_ours(directory).map_err(failed)? {
            let path = directory.to_owned();
            return Err(OpenError::NotPrivate { path });
        }
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(failed)?;
    }
    lock(directory)
}

fn is_ours(directory: &Path) -> io::Result<bool> {
    Ok(directory.join(OBJECTS).try_exists()?
        || directory.join(UNFINISHED).try_exists()?
        || fs::read_dir(directory)?.next().is_none())
}

/// Takes the lock; its file says who has it.
fn lock(directory: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Directory {
        path: directory.to_owned(),
        source,
    };
    let mut file = OpenOptions::new()
        .create(true)
        .read(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(directory.join("lock"))
        .map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            file.read_to_string(&mut holder).map_err(failed)?;
            return Err(OpenError::InUse {
                path: directory.to_owned(),
                holder: holder.trim().to_owned(),
            });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    file.rewind().map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}
