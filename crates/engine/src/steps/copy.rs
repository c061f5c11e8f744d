//! `copy`: copies a file or a folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use cap_std::fs::Dir;
use serde::Deserialize;
use serde_json::Map;

use super::{Outcome, Step, StepError};
use crate::{
    context::StepContext,
    ignore::Ignore,
    work_dir::{FilePath, is_in_git_folder, next_after},
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Copy {
    in_path: String,
    out_path: String,
    #[serde(default)]
    ignore: String,
}

impl Step for Copy {
    const KIND: &'static str = "copy";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        let from = cx.work_dir.existing(&FilePath::parse(&self.in_path)?)?;
        let to = cx
            .work_dir
            .writable(&FilePath::parse_for_writing(&self.out_path)?)?;
        let ignore = Ignore::parse(&self.ignore).map_err(|error| {
            StepError::Failed(format!("a line of ignore is not a pattern: {error}"))
                .with_next("write it as in a .gitignore")
        })?;
        let work_dir = cx.work_dir.clone();
        let copied =
            tokio::task::spawn_blocking(move || copy(work_dir.files(), &from, &to, &ignore)).await;
        let failed = |error: io::Error| {
            StepError::Errored(format!(
                "failed to copy {:?} to {:?}: {error}",
                self.in_path, self.out_path
            ))
            .with_next(next_after(&error))
        };
        copied
            .map_err(|error| failed(io::Error::other(error)))?
            .map_err(failed)?;
        cx.reached("copied");
        Ok(Outcome::Done(Map::new()))
    }
}

/// Copies a file, or what a folder holds into a folder that may be there already; symlinks are left out.
fn copy(files: &Dir, from: &Path, to: &Path, ignore: &Ignore) -> io::Result<()> {
    if let Some(parent) = to.parent().filter(|it| !it.as_os_str().is_empty()) {
        files.create_dir_all(parent)?;
    }
    if !files.metadata(from)?.is_dir() {
        return copy_file(files, from, to);
    }
    files.create_dir_all(to)?;
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in files.read_dir(from.join(&folder))? {
            let entry = entry?;
            let kind = entry.file_type()?;
            let path = folder.join(entry.file_name());
            let left_out = ignore.leaves_out(&path.to_string_lossy(), kind.is_dir());
            // A copy into a folder inside of what is copied does not copy itself.
            if left_out || is_in_git_folder(&path) || from.join(&path) == to {
                continue;
            }
            if kind.is_dir() {
                make_folder(files, &to.join(&path))?;
                folders.push(path);
            } else if kind.is_file() {
                copy_file(files, &from.join(&path), &to.join(&path))?;
            }
        }
    }
    Ok(())
}

/// Copies a file with its mode; a symlink in its place is replaced, never followed.
fn copy_file(files: &Dir, from: &Path, to: &Path) -> io::Result<()> {
    if files.symlink_metadata(to).is_ok_and(|it| it.is_symlink()) {
        files.remove_file(to)?;
    }
    files.copy(from, files, to).map(drop)
}

fn make_folder(files: &Dir, path: &Path) -> io::Result<()> {
    match files.symlink_metadata(path) {
        Ok(present) if present.is_dir() => Ok(()),
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is not a folder", path.display()),
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => files.create_dir(path),
        Err(error) => Err(error),
    }
}
