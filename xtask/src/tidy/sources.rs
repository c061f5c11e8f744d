//! What every source file and folder looks like.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::workspace;

/// Names that say nothing about what a folder holds.
const EMPTY_NAMES: &[&str] = &[
    "util", "utils", "common", "helper", "helpers", "shared", "misc",
];

/// The files that may take a secret out of its wrapper: each sends it where it belongs.
const MAY_EXPOSE: &[&str] = &[
    "crates/artifacts/src/child.rs",
    "crates/artifacts/src/child/git.rs",
    "crates/artifacts/src/registry/token.rs",
    "crates/credentials/src/google/key.rs",
    "crates/credentials/src/lib.rs",
    "crates/credentials/src/lookup.rs",
    "crates/credentials/src/tests.rs",
    "crates/gcp/src/apis.rs",
    "crates/gcp/src/authorized_user.rs",
    "crates/gcp/src/cache/slot/tests.rs",
    "crates/gcp/src/cache/tests.rs",
    "crates/gcp/src/external_account.rs",
    "crates/gcp/src/granted.rs",
    "crates/gcp/src/iam_credentials.rs",
    "crates/gcp/src/identities/tests.rs",
    "crates/gcp/src/impersonated_account.rs",
    "crates/gcp/src/metadata/tests.rs",
    "crates/gcp/src/service_account_key.rs",
    "crates/gcp/src/sts.rs",
    "crates/gcp/src/token.rs",
    "crates/secret/src/lib.rs",
    "crates/server/src/google.rs",
];

pub(super) fn check(breaches: &mut Vec<String>) -> Result<()> {
    let root = workspace::root()?;
    let files = workspace::files()?;
    let rust: BTreeSet<PathBuf> = files
        .iter()
        .filter(|file| file.extension().is_some_and(|extension| extension == "rs"))
        .cloned()
        .collect();
    for file in &files {
        for folder in file.parent().into_iter().flat_map(Path::components) {
            let folder = folder.as_os_str().to_string_lossy();
            if EMPTY_NAMES.contains(&folder.as_ref()) {
                breaches.push(format!(
                    "{}: a folder named {folder} says nothing",
                    file.display()
                ));
            }
        }
    }
    for file in &rust {
        let text = fs::read_to_string(root.join(file))?;
        if !text.starts_with("//!") {
            breaches.push(format!(
                "{}:1: opens without `//!`; say what the file is for",
                file.display()
            ));
        }
        let name = file.to_string_lossy();
        if text.contains(concat!(".expose", "()")) && !MAY_EXPOSE.contains(&name.as_ref()) {
            breaches.push(format!(
                "{name}: calls expose() but is not in MAY_EXPOSE (xtask/src/tidy/sources.rs)"
            ));
        }
    }
    for orphan in orphans(&root, &rust)? {
        breaches.push(format!("{}: no `mod` leads here", orphan.display()));
    }
    Ok(())
}

/// Finds the files that no crate root reaches through `mod` declarations.
fn orphans(root: &Path, rust: &BTreeSet<PathBuf>) -> Result<Vec<PathBuf>> {
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<PathBuf> = rust
        .iter()
        .filter(|file| is_crate_root(file))
        .cloned()
        .collect();
    while let Some(file) = waiting.pop() {
        let text = fs::read_to_string(root.join(&file))?;
        let folder = folder_of_children(&file);
        for name in text.lines().filter_map(declared_module) {
            let beside = folder.join(format!("{name}.rs"));
            let inside = folder.join(name).join("mod.rs");
            waiting.extend(
                [beside, inside]
                    .into_iter()
                    .filter(|path| rust.contains(path) && !reached.contains(path)),
            );
        }
        reached.insert(file);
    }
    Ok(rust.difference(&reached).cloned().collect())
}

fn is_crate_root(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let folder = file
        .parent()
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy();
    matches!(name.as_ref(), "lib.rs" | "main.rs" | "build.rs")
        || matches!(
            folder.as_ref(),
            "tests" | "benches" | "examples" | "bin" | "fuzz_targets"
        )
}

fn folder_of_children(file: &Path) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    if matches!(stem.as_str(), "lib" | "main" | "mod") || is_crate_root(file) {
        return folder;
    }
    folder.join(stem)
}

fn declared_module(line: &str) -> Option<&str> {
    let line = line.trim().strip_suffix(';')?;
    let line = match line.strip_prefix("pub") {
        Some(rest) => rest
            .strip_prefix("(crate)")
            .or(rest.strip_prefix("(super)"))
            .unwrap_or(rest),
        None => line,
    };
    line.trim().strip_prefix("mod ")
}

#[cfg(test)]
mod tests {
    use super::declared_module;

    #[test]
    fn a_module_is_found_whatever_its_visibility() {
        for line in [
            "mod watch;",
            "pub mod watch;",
            "pub(crate) mod watch;",
            "    pub(super) mod watch;",
        ] {
            assert_eq!(declared_module(line), Some("watch"), "{line}");
        }
        assert_eq!(declared_module("mod tests {"), None);
    }
}
