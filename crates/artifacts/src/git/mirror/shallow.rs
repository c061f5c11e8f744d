//! Where the history in a mirror is cut.
//!
//! Git writes the commits whose parents it did not fetch to the file `shallow`, and takes them for beginnings. A fetch of
//! two commits from the middle of what is known would so cut the history that others read, which is why the cuts are
//! looked at after each fetch: one whose parents are here is none.
//!
//! Source: <https://git-scm.com/docs/shallow>

use std::collections::HashSet;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

const FILE: &str = "shallow";

/// Reads the cuts of a repository.
pub(super) fn read(git_dir: &Path) -> io::Result<HashSet<String>> {
    match fs::read_to_string(git_dir.join(FILE)) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(error),
    }
}

/// Writes the cuts of a repository in one go.
pub(super) fn write(git_dir: &Path, cuts: &HashSet<String>) -> io::Result<()> {
    let file = git_dir.join(FILE);
    if cuts.is_empty() {
        return match fs::remove_file(file) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        };
    }
    let mut lines: Vec<&str> = cuts.iter().map(String::as_str).collect();
    lines.sort_unstable();
    let new = git_dir.join("shallow.lock");
    fs::write(&new, lines.join("\n") + "\n")?;
    fs::rename(new, file)
}
