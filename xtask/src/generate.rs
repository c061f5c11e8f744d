//! `cargo xtask generate`: the files that follow from others.
//!
//! | file | from |
//! | --- | --- |
//! | `schemas/crds.yaml` | `crates/resources/crds/*.yaml` |
//! | `docs/book/kinds.md` | the same: tables of fields for each kind |
//! | `docs/steps/README.md` | the first paragraph of each step's page |
//! | `docs/decisions/README.md` | the titles of the decisions |
//! | `docs/book/command-line.md` | what `argosy … --help` prints |

mod kinds;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::workspace;

/// Builds `argosy`, then writes all generated files and gives those that changed.
pub(crate) fn generate() -> Result<Vec<PathBuf>> {
    generate_with(&build_argosy(&[])?)
}

/// The same with an `argosy` that is built already.
pub(crate) fn generate_with(argosy: &Path) -> Result<Vec<PathBuf>> {
    let root = workspace::root()?;
    let files = [
        ("schemas/crds.yaml", all_crds(&root)?),
        ("docs/book/kinds.md", kinds_page(&root)?),
        ("docs/steps/README.md", steps_page(&root)?),
        ("docs/decisions/README.md", decisions_page(&root)?),
        ("docs/book/command-line.md", command_line_page(argosy)?),
    ];
    let mut changed = Vec::new();
    for (path, text) in files {
        let file = root.join(path);
        if fs::read_to_string(&file).ok().as_deref() != Some(text.as_str()) {
            fs::create_dir_all(file.parent().context("a file has a folder")?)?;
            fs::write(&file, text)?;
            changed.push(PathBuf::from(path));
        }
    }
    Ok(changed)
}

fn crd_files(root: &Path) -> Result<Vec<(PathBuf, String)>> {
    let folder = root.join("crates/resources/crds");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .with_context(|| format!("failed to read {}", folder.display()))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "yaml")
    });
    files.sort();
    files
        .into_iter()
        .map(|file| Ok((file.clone(), fs::read_to_string(&file)?)))
        .collect()
}

fn all_crds(root: &Path) -> Result<String> {
    let mut text =
        String::from("# Written by `cargo xtask generate` from crates/resources/crds.\n");
    for (_, crd) in crd_files(root)? {
        let body = crd.strip_prefix("---\n").unwrap_or(&crd);
        write!(text, "---\n{}\n", body.trim_end())?;
    }
    Ok(text)
}

fn kinds_page(root: &Path) -> Result<String> {
    let parse = |(path, crd): &(PathBuf, String)| {
        serde_saphyr::from_str(crd).with_context(|| format!("failed to parse {}", path.display()))
    };
    let crds: Vec<Value> = crd_files(root)?.iter().map(parse).collect::<Result<_>>()?;
    kinds::page(&crds)
}

fn steps_page(root: &Path) -> Result<String> {
    let folder = root.join("docs/steps");
    let mut pages: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    pages.retain(|page| {
        page.extension().is_some_and(|extension| extension == "md")
            && page.file_stem().is_some_and(|stem| stem != "README")
    });
    pages.sort();
    let mut text = String::from("# Promotion steps\n\n| Step | |\n| --- | --- |\n");
    for page in pages {
        let name = page
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let content = fs::read_to_string(&page)?;
        let first = content
            .split("\n\n")
            .find(|part| !part.starts_with('#'))
            .unwrap_or_default();
        let sentence = first.split_whitespace().collect::<Vec<_>>().join(" ");
        let sentence = sentence
            .split_inclusive(". ")
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned();
        writeln!(text, "| [`{name}`]({name}.md) | {sentence} |")?;
    }
    Ok(text)
}

fn decisions_page(root: &Path) -> Result<String> {
    let folder = root.join("docs/decisions");
    let mut pages: Vec<PathBuf> = fs::read_dir(&folder)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    pages.retain(|page| page.file_name().is_some_and(|name| name != "README.md"));
    pages.sort();
    let mut text = String::from(
        "# Decisions\n\nWhat we chose where the road forked, so that the next reader is not surprised. Each page: context, \
         decision, consequence. Numbers to 0019 are about the house and the embedded API, to 0039 about kinds and \
         admission, to 0059 about promotions, to 0079 about artifacts and credentials, then about decisions and loops.\n\n",
    );
    for page in pages {
        let name = page
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let content = fs::read_to_string(&page)?;
        let title = content
            .lines()
            .next()
            .unwrap_or_default()
            .trim_start_matches('#')
            .trim();
        let number = name.split('-').next().unwrap_or_default();
        writeln!(text, "- [{number}]({name}) {title}")?;
    }
    Ok(text)
}

fn command_line_page(argosy: &Path) -> Result<String> {
    let mut text = String::from(
        "# Command line\n\nWhat `--help` prints, written by `cargo xtask generate`.\n",
    );
    for words in [
        &[][..],
        &["up"],
        &["controller"],
        &["crds"],
        &["discover", "image"],
        &["discover", "git"],
        &["discover", "chart"],
        &["gcp", "doctor"],
        &["gcp", "audit"],
        &["gcp", "setup"],
        &["gcp", "sim"],
    ] {
        let name = ["argosy"]
            .iter()
            .chain(words)
            .copied()
            .collect::<Vec<_>>()
            .join(" ");
        let help = workspace::output(
            Command::new(argosy)
                .args(words)
                .arg("--help")
                .env_clear()
                .env("COLUMNS", "100")
                .env("NO_COLOR", "1"),
        )?;
        let help: Vec<&str> = help.trim_end().lines().map(str::trim_end).collect();
        write!(text, "\n## `{name}`\n\n```text\n{}\n```\n", help.join("\n"))?;
    }
    Ok(text)
}

/// Builds the `argosy` binary and gives its path.
pub(crate) fn build_argosy(flags: &[&str]) -> Result<PathBuf> {
    let mut build = workspace::cargo(&[
        "build",
        "--package",
        "argosy",
        "--locked",
        "--message-format=json-render-diagnostics",
    ])?;
    build.args(flags).stderr(std::process::Stdio::inherit());
    let text = workspace::output(&mut build)?;
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message.pointer("/target/name").and_then(Value::as_str) == Some("argosy"))
        .find_map(|message| {
            message
                .get("executable")
                .and_then(Value::as_str)
                .map(PathBuf::from)
        })
        .context("cargo built no argosy; see what it says: cargo build -p argosy")
}
