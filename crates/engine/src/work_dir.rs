//! A promotion's files: a folder that no path, symlink or archive entry leads out of.
//!
//! On disk a promotion has `promotion-<uid>/` with three folders: `files`, which steps read and write and nothing else
//! of ours is in; `repositories`, the bare clones; and `home`, the private home of children.

mod path;

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use cap_std::{ambient_authority, fs::Dir};

pub(crate) use self::path::{FilePath, is_in_git_folder};

/// The files of one promotion.
#[derive(Debug, Clone)]
pub struct WorkDir {
    root: PathBuf,
    files: Arc<Dir>,
}

/// Whether a work directory was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// Nothing was there: whatever steps had written is gone.
    Fresh,
    Present,
}

/// Why a path cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PathError {
    #[error("path {path:?} leads out of the work directory")]
    Leaves { path: String },
    #[error("path {path:?} is inside a .git folder")]
    Git { path: String },
    #[error("path {path:?} is empty or has a zero byte")]
    Odd { path: String },
    #[error("failed to look at {path:?}")]
    Look { path: String, source: io::Error },
    #[error("failed to read {path:?}")]
    Read { path: String, source: io::Error },
    #[error("failed to write {path:?}")]
    Write { path: String, source: io::Error },
}

/// What to do when files of ours cannot be read or written.
pub(crate) const SEE_THE_DISK: &str =
    "see whether the disk of the data folder is full or read-only: df -h";

/// Names the next thing to try when files of a promotion cannot be read or written: its paths may be wrong, or the disk.
pub(crate) fn next_after(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound
        | io::ErrorKind::NotADirectory
        | io::ErrorKind::IsADirectory
        | io::ErrorKind::InvalidData => "name what git-clone checks out or an earlier step writes",
        _ => SEE_THE_DISK,
    }
}

impl PathError {
    /// Names the next thing to try.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Leaves { .. } | Self::Odd { .. } => {
                "write a path below the work directory, such as ./src"
            }
            Self::Git { .. } => "write beside it, and let git-commit write there",
            Self::Look { source, .. } | Self::Read { source, .. } | Self::Write { source, .. } => {
                next_after(source)
            }
        }
    }
}

impl WorkDir {
    /// Opens the work directory of a promotion, creating it where it is missing.
    pub fn open(work_root: &Path, promotion_uid: &str) -> io::Result<(Self, Found)> {
        let root = folder(work_root, promotion_uid)?;
        let files = root.join("files");
        let found = if files.is_dir() {
            Found::Present
        } else {
            Found::Fresh
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&files)?;
        // Children are told absolute paths, and Landlock rules name real ones.
        let root = root.canonicalize()?;
        let files = Dir::open_ambient_dir(root.join("files"), ambient_authority())?;
        Ok((
            Self {
                root,
                files: Arc::new(files),
            },
            found,
        ))
    }

    /// The folder that children may write to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder that renderers may write to, apart from everything else.
    pub fn renderer_dir(&self) -> Result<PathBuf, PathError> {
        let path = self.root.join("renderer");
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path);
        made.map_err(|source| PathError::Write {
            path: path.display().to_string(),
            source,
        })?;
        Ok(path)
    }

    /// The files as a capability: paths given to it cannot leave it.
    pub fn files(&self) -> &Dir {
        &self.files
    }

    /// Gives the absolute path of an existing or future file for a child, symlinks resolved.
    pub fn absolute(&self, path: &FilePath) -> Result<PathBuf, PathError> {
        let files = self.root.join("files");
        let real = self.resolve(path)?;
        Ok(if real == Path::new(".") {
            files
        } else {
            files.join(real)
        })
    }

    /// Gives the path of a file that a step writes, symlinks resolved: never inside `.git`.
    pub fn writable(&self, path: &FilePath) -> Result<PathBuf, PathError> {
        let real = self.resolve(path)?;
        if is_in_git_folder(&real) {
            return Err(PathError::Git {
                path: path.to_string(),
            });
        }
        Ok(real)
    }

    /// Gives the path of a file that a step reads, symlinks resolved.
    pub fn existing(&self, path: &FilePath) -> Result<PathBuf, PathError> {
        self.resolve(path)
    }

    /// Reads a text file.
    pub fn read_text(&self, path: &Path) -> Result<String, PathError> {
        let read = self.files.read_to_string(path);
        read.map_err(|source| PathError::Read {
            path: path.display().to_string(),
            source,
        })
    }

    /// Writes a file as a whole: a crash leaves the old text or the new one. The mode of a file that is there stays.
    pub fn write_text(&self, path: &Path, text: &str) -> Result<(), PathError> {
        let write = || {
            let parent = path
                .parent()
                .filter(|it| !it.as_os_str().is_empty())
                .unwrap_or(Path::new("."));
            self.files.create_dir_all(parent)?;
            let name = path
                .file_name()
                .ok_or(io::ErrorKind::InvalidInput)?
                .to_string_lossy();
            let temporary = parent.join(format!(".{name}.argosy"));
            self.files.write(&temporary, text)?;
            match self.files.metadata(path) {
                Ok(old) => self.files.set_permissions(&temporary, old.permissions())?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            self.files.rename(&temporary, &self.files, path)
        };
        write().map_err(|source| PathError::Write {
            path: path.display().to_string(),
            source,
        })
    }

    /// Resolves the symlinks of an existing or future path, relative to the files.
    ///
    /// # Errors
    /// [`PathError::Leaves`] when a symlink on the way leads out.
    fn resolve(&self, path: &FilePath) -> Result<PathBuf, PathError> {
        let mut missing = PathBuf::new();
        let mut existing = path.as_path().to_owned();
        loop {
            let with_missing = |real: PathBuf| {
                if missing.as_os_str().is_empty() {
                    real
                } else {
                    real.join(&missing)
                }
            };
            // The top itself has no symlink in it, and cap-std would name it absolutely.
            if existing == Path::new(".") {
                let top = if missing.as_os_str().is_empty() {
                    existing
                } else {
                    missing
                };
                return Ok(top);
            }
            match self.files.canonicalize(&existing) {
                Ok(real) => return Ok(with_missing(real)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    // A dangling symlink is found but cannot be resolved: what it names is not ours to create.
                    if self
                        .files
                        .symlink_metadata(&existing)
                        .is_ok_and(|it| it.is_symlink())
                    {
                        return Err(PathError::Leaves {
                            path: path.to_string(),
                        });
                    }
                    let name = existing.file_name().map(PathBuf::from).unwrap_or_default();
                    missing = if missing.as_os_str().is_empty() {
                        name
                    } else {
                        name.join(missing)
                    };
                    existing = existing
                        .parent()
                        .filter(|it| !it.as_os_str().is_empty())
                        .unwrap_or(Path::new("."))
                        .into();
                }
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Err(PathError::Leaves {
                        path: path.to_string(),
                    });
                }
                Err(source) => {
                    return Err(PathError::Look {
                        path: path.to_string(),
                        source,
                    });
                }
            }
        }
    }
}

/// Deletes the work directory of a promotion; none is fine.
///
/// It vanishes at once under its name, so that a crash half-way cannot leave one that looks usable.
pub fn remove_work_dir(work_root: &Path, promotion_uid: &str) -> io::Result<()> {
    let root = folder(work_root, promotion_uid)?;
    let doomed = root.with_extension("removed");
    for result in [
        remove_all(&doomed),
        fs::rename(&root, &doomed),
        remove_all(&doomed),
    ] {
        match result {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn remove_all(path: &Path) -> io::Result<()> {
    fs::remove_dir_all(path)
}

fn folder(work_root: &Path, promotion_uid: &str) -> io::Result<PathBuf> {
    if promotion_uid.is_empty()
        || !promotion_uid
            .chars()
            .all(|it| it.is_ascii_alphanumeric() || it == '-')
    {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a promotion's uid has letters, digits and dashes",
        ));
    }
    Ok(work_root.join(format!("promotion-{promotion_uid}")))
}

#[cfg(test)]
mod tests;
