//! `delete`: deletes files and folders.

use std::{
    io,
    path::{Path, PathBuf},
};

use cap_std::fs::Dir;
use globset::{GlobBuilder, GlobMatcher};
use serde::Deserialize;
use serde_json::{Map, json};

use super::{Outcome, Step, StepError};
use crate::{
    context::StepContext,
    work_dir::{FilePath, next_after},
};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Delete {
    path: Option<String>,
    #[serde(default)]
    paths: Vec<String>,
    #[serde(default)]
    paths_are_globs: bool,
    #[serde(default)]
    strict: bool,
}

impl Step for Delete {
    const KIND: &'static str = "delete";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        let paths: Vec<String> = self.path.into_iter().chain(self.paths).collect();
        let mut doomed = Vec::new();
        for path in &paths {
            let parsed = FilePath::parse(path)?;
            let found = if self.paths_are_globs {
                matches(cx.work_dir.files(), path, &parsed)?
            } else {
                exists(cx.work_dir.files(), parsed.as_path())?
                    .into_iter()
                    .collect()
            };
            // A killed attempt may have deleted what this one misses.
            if found.is_empty() && self.strict && cx.last_checkpoint().is_none() {
                return Err(
                    StepError::Errored(format!("there is nothing to delete at {path:?}"))
                        .with_next("correct the path, or leave strict out"),
                );
            }
            doomed.extend(found);
        }
        if self.strict && !doomed.is_empty() {
            cx.checkpoint(json!({"deleting": true})).await?;
        }
        for path in &doomed {
            delete(cx.work_dir.files(), path)?;
            cx.reached("deleted one");
        }
        Ok(Outcome::Done(Map::new()))
    }
}

/// Gives the path back if something is there, without following a symlink at its end or on the way.
fn exists(files: &Dir, path: &Path) -> Result<Option<PathBuf>, StepError> {
    if path == Path::new(".") {
        return Err(
            StepError::Failed("the work directory itself cannot be deleted".to_owned())
                .with_next("name a folder in it, such as ./src"),
        );
    }
    let ancestors: Vec<_> = path
        .ancestors()
        .skip(1)
        .filter(|it| !it.as_os_str().is_empty())
        .collect();
    for folder in ancestors.into_iter().rev() {
        match files.symlink_metadata(folder) {
            Ok(found) if found.is_symlink() => {
                return Err(StepError::Errored(format!(
                    "{} leads through a symlink",
                    path.display()
                ))
                .with_next("name the folder that the symlink points to"));
            }
            Ok(_) => {}
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(errored(folder, &error)),
        }
    }
    match files.symlink_metadata(path) {
        Ok(_) => Ok(Some(path.to_owned())),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(errored(path, &error)),
    }
}

/// Finds what a pattern names; what is inside of something found is not listed again.
fn matches(files: &Dir, pattern: &str, parsed: &FilePath) -> Result<Vec<PathBuf>, StepError> {
    let matcher = matcher(&parsed.to_string()).map_err(|error| {
        StepError::Failed(format!("{pattern:?} is not a pattern: {error}"))
            .with_next("write a glob such as src/**/*.yaml")
    })?;
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let name = if folder.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &folder
        };
        for entry in files
            .read_dir(name)
            .map_err(|error| errored(name, &error))?
        {
            let entry = entry.map_err(|error| errored(name, &error))?;
            let path = folder.join(entry.file_name());
            if matcher.is_match(&path) {
                found.push(path);
            } else if entry.file_type().is_ok_and(|it| it.is_dir()) {
                folders.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn matcher(pattern: &str) -> Result<GlobMatcher, globset::Error> {
    let built = GlobBuilder::new(pattern)
        .literal_separator(true)
        .backslash_escape(true)
        .build();
    built.map(|glob| glob.compile_matcher())
}

fn delete(files: &Dir, path: &Path) -> Result<(), StepError> {
    let is_folder = files.symlink_metadata(path).is_ok_and(|it| it.is_dir());
    let deleted = if is_folder {
        files.remove_dir_all(path)
    } else {
        files.remove_file(path)
    };
    match deleted {
        Err(error) if !is_missing(&error) => Err(errored(path, &error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn is_missing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn errored(path: &Path, error: &io::Error) -> StepError {
    StepError::Errored(format!("failed to delete {}: {error}", path.display()))
        .with_next(next_after(error))
}
