//! A path in a work directory, as far as its text tells.

use std::path::{Component, Path, PathBuf};

use super::PathError;

/// A path in a work directory, as far as its text tells: symlinks are checked when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePath(PathBuf);

impl FilePath {
    /// Parses the path of a step's configuration; a leading slash means the work directory.
    pub fn parse(path: &str) -> Result<Self, PathError> {
        if path.is_empty() || path.contains('\0') {
            return Err(PathError::Odd {
                path: path.to_owned(),
            });
        }
        let mut parts: Vec<&std::ffi::OsStr> = Vec::new();
        for component in Path::new(path).components() {
            match component {
                Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
                Component::Normal(part) => parts.push(part),
                Component::ParentDir => {
                    parts.pop().ok_or_else(|| PathError::Leaves {
                        path: path.to_owned(),
                    })?;
                }
            }
        }
        Ok(Self(if parts.is_empty() {
            PathBuf::from(".")
        } else {
            parts.iter().collect()
        }))
    }

    /// Parses a path that a step writes to: never inside `.git`, whatever its case.
    pub fn parse_for_writing(path: &str) -> Result<Self, PathError> {
        let parsed = Self::parse(path)?;
        if parsed
            .0
            .iter()
            .any(|part| part.eq_ignore_ascii_case(".git"))
        {
            return Err(PathError::Git {
                path: path.to_owned(),
            });
        }
        Ok(parsed)
    }

    /// Parses a path that a file in `folder` names; none where its text leads out.
    pub fn parse_beside(folder: &Path, path: &str) -> Option<Self> {
        if path.starts_with('/') {
            return None;
        }
        Self::parse(&folder.join(path).to_string_lossy()).ok()
    }

    /// The path relative to the files of the work directory.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl std::fmt::Display for FilePath {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.0.display())
    }
}

/// Says whether a path is a `.git` folder or file, or inside one, whatever its case.
pub(crate) fn is_in_git_folder(path: &Path) -> bool {
    path.iter().any(|part| part.eq_ignore_ascii_case(".git"))
}
