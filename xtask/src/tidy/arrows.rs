//! Which crate may know which, and what may never be in the tree.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::workspace;

/// Each crate and the crates of ours it may depend on. `secret` may be used by anyone, `testkit` and `loopback-servers`
/// by anyone's tests.
const ARROWS: &[(&str, &[&str])] = &[
    ("argosy", WIRING),
    ("artifacts", &["credentials", "domain", "resources"]),
    ("cli", WIRING),
    (
        "controllers",
        &["engine", "artifacts", "credentials", "domain", "resources"],
    ),
    ("credentials", &["gcp", "resources"]),
    ("domain", &["expr", "resources"]),
    ("embedded-apiserver", &[]),
    (
        "engine",
        &["artifacts", "credentials", "domain", "expr", "resources"],
    ),
    ("expr", &[]),
    ("gcp", &[]),
    ("gcp-sim", &[]),
    ("loopback-servers", &[]),
    ("resources", &[]),
    ("secret", &[]),
    ("server", WIRING),
    (
        "testkit",
        &[
            "embedded-apiserver",
            "gcp-sim",
            "loopback-servers",
            "resources",
        ],
    ),
    ("webhooks", &["engine", "domain", "resources"]),
    ("xtask", WIRING),
];

/// Those that wire and decide nothing: any crate but testkit.
const WIRING: &[&str] = &[
    "artifacts",
    "cli",
    "controllers",
    "credentials",
    "domain",
    "embedded-apiserver",
    "engine",
    "expr",
    "gcp",
    "gcp-sim",
    "loopback-servers",
    "resources",
    "server",
    "webhooks",
];

/// Packages of tests and benchmarks, which may use everything.
const OUTERMOST: &[&str] = &["scenarios", "benches"];

/// A second crypto provider, or one with an open advisory.
const BANNED: &[&str] = &["ring", "openssl-sys", "native-tls", "rsa"];

/// Features that would reorder or reformat JSON, on which names and digests depend.
const BANNED_JSON_FEATURES: &[&str] = &["preserve_order", "arbitrary_precision"];

/// The lock file of the fuzz targets.
const FUZZ_LOCK: &str = "fuzz/Cargo.lock";

#[derive(Deserialize)]
struct Lock {
    package: Vec<Locked>,
}

#[derive(Deserialize)]
struct Locked {
    name: String,
    #[serde(default)]
    dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<String>,
    path: Option<String>,
}

pub(super) fn check(breaches: &mut Vec<String>) -> Result<()> {
    let arguments = [
        "metadata",
        "--no-deps",
        "--format-version=1",
        "--locked",
        "--filter-platform=x86_64-unknown-linux-gnu",
    ];
    let text = workspace::output(&mut workspace::cargo(&arguments)?)?;
    let metadata: Metadata =
        serde_json::from_str(&text).context("failed to read cargo metadata")?;
    for package in metadata
        .packages
        .iter()
        .filter(|package| metadata.workspace_members.contains(&package.id))
    {
        check_member(package, breaches);
    }
    check_tree(breaches)?;
    check_lock_of_fuzzing(&metadata.packages, breaches)
}

/// Looks whether what our crates depend on stands in the lock file of `fuzz/`, a workspace of its own: without it no
/// target can be built.
fn check_lock_of_fuzzing(packages: &[Package], breaches: &mut Vec<String>) -> Result<()> {
    let text = std::fs::read_to_string(workspace::root()?.join(FUZZ_LOCK))
        .with_context(|| format!("failed to read {FUZZ_LOCK}"))?;
    for (name, dependency) in missing_in_lock(&text, packages)? {
        breaches.push(format!(
            "{FUZZ_LOCK}: {name} lacks {dependency}; run: cargo metadata --manifest-path fuzz/Cargo.toml"
        ));
    }
    Ok(())
}

/// Lists, of the crates that a lock file has, what they depend on outside of tests and the lock file does not say.
fn missing_in_lock(lock: &str, packages: &[Package]) -> Result<Vec<(String, String)>> {
    let lock: Lock =
        toml::from_str(lock).with_context(|| format!("failed to parse {FUZZ_LOCK}"))?;
    let mut missing = Vec::new();
    for locked in &lock.package {
        let Some(package) = packages.iter().find(|it| it.name == locked.name) else {
            continue;
        };
        // A line is a name, and where there are several versions that too.
        let names: BTreeSet<&str> = locked
            .dependencies
            .iter()
            .filter_map(|it| it.split(' ').next())
            .collect();
        let needed = package.dependencies.iter().filter(|it| it.kind.is_none());
        for dependency in needed.filter(|it| !names.contains(it.name.as_str())) {
            missing.push((locked.name.clone(), dependency.name.clone()));
        }
    }
    Ok(missing)
}

/// Looks at what is really built: the lock file also holds optional crates that nothing turns on.
fn check_tree(breaches: &mut Vec<String>) -> Result<()> {
    let arguments = [
        "tree",
        "--workspace",
        "--locked",
        "--target=all",
        "--prefix=none",
        "--format={p} [{f}]",
    ];
    let tree = workspace::output(&mut workspace::cargo(&arguments)?)?;
    let lines: BTreeSet<&str> = tree.lines().collect();
    for line in lines {
        let name = line.split_whitespace().next().unwrap_or_default();
        if BANNED.contains(&name) {
            breaches.push(format!("Cargo.lock: {name} is banned; aws-lc-rs is the one crypto provider (cargo tree -i {name})"));
        }
        let features = line.split_once('[').map_or("", |(_, features)| features);
        let features = features.split(']').next().unwrap_or_default().split(',');
        for feature in features
            .filter(|feature| name == "serde_json" && BANNED_JSON_FEATURES.contains(feature))
        {
            breaches.push(format!(
                "Cargo.lock: serde_json/{feature} is on (cargo tree -e features -i serde_json)"
            ));
        }
    }
    Ok(())
}

fn check_member(package: &Package, breaches: &mut Vec<String>) {
    let name = package.name.as_str();
    if OUTERMOST.contains(&name) {
        return;
    }
    let Some((_, allowed)) = ARROWS.iter().find(|(crate_name, _)| *crate_name == name) else {
        breaches.push(format!(
            "{name}: unknown crate; add its row to xtask/src/tidy/arrows.rs and to ARCHITECTURE.md"
        ));
        return;
    };
    for dependency in package
        .dependencies
        .iter()
        .filter(|dependency| dependency.path.is_some())
    {
        let target = dependency.name.as_str();
        let is_test = dependency.kind.as_deref() == Some("dev");
        let fine = target == "secret"
            || allowed.contains(&target)
            || (is_test && matches!(target, "testkit" | "loopback-servers"));
        if !fine {
            breaches.push(format!("{name} → {target} is not an arrow of the design (ARCHITECTURE.md, \"Who may know whom\")"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_that_a_lock_file_lacks_is_named() {
        let dependency = |name: &str, kind: Option<&str>| Dependency {
            name: name.to_owned(),
            kind: kind.map(str::to_owned),
            path: None,
        };
        let package = Package {
            id: String::new(),
            name: "artifacts".to_owned(),
            dependencies: vec![
                dependency("base64", None),
                dependency("shlex", None),
                dependency("proptest", Some("dev")),
            ],
        };
        let lock = |lines: &str| {
            format!(
                "version = 4\n[[package]]\nname = \"artifacts\"\nversion = \"0.1.0\"\ndependencies = [{lines}]\n\
                 [[package]]\nname = \"other\"\nversion = \"1.0.0\"\n"
            )
        };
        let missing =
            |lines: &str| missing_in_lock(&lock(lines), std::slice::from_ref(&package)).unwrap();
        let shlex = ("artifacts".to_owned(), "shlex".to_owned());
        assert_eq!(missing("\"base64 0.22.1\""), [shlex]);
        assert_eq!(missing("\"base64 0.22.1\", \"shlex\""), []);
    }
}
