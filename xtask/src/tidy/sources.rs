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
    "crates/artifacts/src/child/command.rs",
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
    let packages = files
        .iter()
        .filter(|file| file.file_name().is_some_and(|name| name == "Cargo.toml"))
        .filter_map(|file| Some(file.parent()?.to_owned()))
        .collect();
    for orphan in orphans(&root, &rust, &packages)? {
        breaches.push(format!("{}: no `mod` leads here", orphan.display()));
    }
    Ok(())
}

/// Finds the files that no crate root reaches through `mod` declarations; `packages` are the folders with a `Cargo.toml`.
fn orphans(
    root: &Path,
    rust: &BTreeSet<PathBuf>,
    packages: &BTreeSet<PathBuf>,
) -> Result<Vec<PathBuf>> {
    let is_root = |file: &Path| is_crate_root(file, packages);
    let mut reached = BTreeSet::new();
    let mut waiting: Vec<PathBuf> = rust.iter().filter(|file| is_root(file)).cloned().collect();
    while let Some(file) = waiting.pop() {
        let text = fs::read_to_string(root.join(&file))?;
        let folder = folder_of_children(&file, is_root(&file));
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

/// Says whether cargo builds something of the file itself, as it lies in its package.
fn is_crate_root(file: &Path, packages: &BTreeSet<PathBuf>) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let folders = packages
        .iter()
        .filter_map(|package| file.strip_prefix(package).ok()?.parent());
    let mut folders = folders.map(|it| it.to_string_lossy().into_owned());
    folders.any(|folder| match folder.as_str() {
        "" => name == "build.rs",
        "src" => matches!(name.as_ref(), "lib.rs" | "main.rs"),
        "tests" | "benches" | "examples" | "src/bin" | "fuzz_targets" => true,
        other => {
            let of_several_files = ["tests/", "benches/", "examples/", "src/bin/"];
            let program = of_several_files
                .iter()
                .find_map(|it| other.strip_prefix(it));
            name == "main.rs" && program.is_some_and(|it| !it.contains('/'))
        }
    })
}

fn folder_of_children(file: &Path, is_root: bool) -> PathBuf {
    let folder = file.parent().unwrap_or(Path::new("")).to_owned();
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    if is_root || stem == "mod" {
        return folder;
    }
    folder.join(stem.as_ref())
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
    use super::*;

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

    #[test]
    fn a_file_that_no_module_leads_to_is_an_orphan() {
        let folder = tempfile::tempdir().unwrap();
        let mut rust = BTreeSet::new();
        for (name, text) in [
            ("crates/a/build.rs", ""),
            ("crates/a/src/lib.rs", "mod watch;\n"),
            ("crates/a/src/watch.rs", "#[cfg(test)]\nmod tests;\n"),
            ("crates/a/src/watch/tests.rs", "mod late;\n"),
            ("crates/a/src/watch/tests/late.rs", ""),
            ("crates/a/src/watch/tests/forgotten.rs", ""),
            ("crates/a/src/main/main.rs", ""),
            ("crates/a/src/bin/b.rs", ""),
            ("crates/a/tests/quick.rs", ""),
            ("crates/a/tests/it/main.rs", "mod crash;\n"),
            ("crates/a/tests/it/crash.rs", ""),
            ("crates/a/tests/it/forgotten.rs", ""),
            ("tests/scenarios/tests/loops/main.rs", ""),
        ] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
            rust.insert(PathBuf::from(name));
        }
        let packages = ["", "crates/a", "tests/scenarios"]
            .map(PathBuf::from)
            .into();
        let found = orphans(folder.path(), &rust, &packages).unwrap();
        let expected = [
            "crates/a/src/main/main.rs",
            "crates/a/src/watch/tests/forgotten.rs",
            "crates/a/tests/it/forgotten.rs",
        ];
        assert_eq!(found, expected.map(PathBuf::from));
    }
}
