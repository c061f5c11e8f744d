//! Where the programs of `tools.lock` are.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

/// Finds a program that `cargo xtask tools` fetched, such as `skopeo`.
///
/// Looks in `$ARGOSY_TOOLS` (a folder), then in the cache's `current`.
///
/// # Errors
/// When the program is not there: the message names the command that fetches it.
pub fn path(name: &str) -> Result<PathBuf> {
    let program = folder().join(name);
    ensure!(
        program.exists(),
        "{name} is not at {}; run: cargo xtask tools",
        program.display()
    );
    Ok(program)
}

/// A value for `PATH`: the folder `first`, then the present one, then the fetched programs, which fill its gaps.
///
/// # Errors
/// When a folder's name has a colon in it.
pub fn search_path(first: Option<&Path>) -> Result<OsString> {
    let present = env::var_os("PATH").unwrap_or_default();
    let folders = first
        .map(Path::to_owned)
        .into_iter()
        .chain(env::split_paths(&present))
        .chain([folder()]);
    env::join_paths(folders).context("failed to make a PATH of folders")
}

#[expect(
    clippy::disallowed_methods,
    reason = "only tests and the demo use this crate"
)]
fn folder() -> PathBuf {
    let setting = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(folder) = setting("ARGOSY_TOOLS") {
        return PathBuf::from(folder);
    }
    let cache = setting("ARGOSY_TOOLS_CACHE").map_or_else(
        || {
            let base = setting("XDG_CACHE_HOME").map_or_else(
                || Path::new(&setting("HOME").unwrap_or_default()).join(".cache"),
                PathBuf::from,
            );
            base.join("argosy/tools")
        },
        PathBuf::from,
    );
    cache.join("current/bin")
}
