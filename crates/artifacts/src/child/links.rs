//! Finds symlinks that lead out of a tree, for programs that follow them and that nothing fences in.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Error;

/// How many entries are looked at before a tree counts as too large to be checked.
const MOST_ENTRIES: usize = 1_000_000;

/// Finds a symlink in `tree` that leads out of it, or nowhere.
///
/// Costs a look at every entry of the tree; the folders named `.git` are left out.
pub fn link_out_of(tree: &Path) -> io::Result<Option<PathBuf>> {
    let root = tree.canonicalize()?;
    let mut folders = vec![tree.to_owned()];
    let mut seen = 0_usize;
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            seen += 1;
            if seen > MOST_ENTRIES {
                return Err(io::Error::other("too many files"));
            }
            let kind = entry.file_type()?;
            if kind.is_dir() && entry.file_name() != ".git" {
                folders.push(entry.path());
            } else if kind.is_symlink() {
                let inside = entry
                    .path()
                    .canonicalize()
                    .is_ok_and(|target| target.starts_with(&root));
                if !inside {
                    return Ok(Some(entry.path()));
                }
            }
        }
    }
    Ok(None)
}

pub(super) fn refuse_links_out_of(tree: &Path) -> Result<(), Error> {
    match link_out_of(tree) {
        Ok(None) => Ok(()),
        Ok(Some(link)) => Err(Error::LinkLeaves { link }),
        Err(source) => Err(Error::Links {
            path: tree.to_owned(),
            source,
        }),
    }
}
