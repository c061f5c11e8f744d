//! The folder in which `argosy` keeps what must survive.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

/// Creates the folder if it is not there, readable by its owner only.
///
/// # Errors
/// When it cannot be created or is not ours.
pub(crate) fn prepare(asked: Option<&Path>, below: &str) -> Result<PathBuf> {
    let folder = match asked {
        Some(folder) => folder.to_owned(),
        None => default_folder(below)?,
    };
    fs::create_dir_all(&folder).with_context(|| {
        format!(
            "failed to create {}; choose another: --data-dir FOLDER",
            folder.display()
        )
    })?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).with_context(|| {
        format!(
            "{} belongs to somebody else; choose another: --data-dir FOLDER",
            folder.display()
        )
    })?;
    folder.canonicalize().with_context(|| {
        format!(
            "failed to find {}; choose another: --data-dir FOLDER",
            folder.display()
        )
    })
}

fn default_folder(below: &str) -> Result<PathBuf> {
    let setting = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let state = match (setting("XDG_STATE_HOME"), setting("HOME")) {
        (Some(state), _) => PathBuf::from(state),
        (None, Some(home)) => Path::new(&home).join(".local/state"),
        (None, None) => bail!(
            "neither XDG_STATE_HOME nor HOME is set; say where to keep data: --data-dir FOLDER"
        ),
    };
    Ok(state.join(below))
}
