//! `cargo xtask check`: everything that must hold before a change lands, in the order that fails soonest.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::{generate, tidy, tools, workspace};

/// Runs every check; with `slow` also the soaks, the large repositories and the benchmarks.
pub(crate) fn check(slow: bool) -> Result<()> {
    let start = Instant::now();
    let bin = step("tools", tools::ensure_tools)?;
    step("format", || {
        workspace::run(&mut workspace::cargo(&["fmt", "--all", "--check"])?).context(
            "to mend: cargo fmt --all (if rustfmt is missing: rustup component add rustfmt)",
        )
    })?;
    step("tidy", tidy::tidy)?;
    step("lints", || {
        let arguments = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ];
        workspace::run(&mut workspace::cargo(&arguments)?)
            .context("if clippy is missing: rustup component add clippy")
    })?;
    // In a step of its own, lest a test wait for it.
    step("Go of the tests", tools::compile_go_of_tests)?;
    step("tests", || {
        let mut tests = workspace::cargo(&["test", "--workspace", "--locked"])?;
        tests.env("ARGOSY_TOOLS", &bin).env("INSTA_UPDATE", "no");
        workspace::run(&mut tests)
    })?;
    step("generated files", generated_files_are_current)?;
    step("documentation", || {
        let mut doc =
            workspace::cargo(&["doc", "--workspace", "--no-deps", "--locked", "--quiet"])?;
        workspace::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    if slow {
        step("soaks", || {
            let mut soaks = workspace::cargo(&[
                "test",
                "--package=argosy",
                "--locked",
                "--features=slow",
                "--test=it",
                "slow::",
            ])?;
            workspace::run(soaks.env("ARGOSY_TOOLS", &bin))?;
            // A day of faults, and a list of a million tags.
            let mut days = workspace::cargo(&[
                "test",
                "--package=scenarios",
                "--locked",
                "--features=slow",
                "--test=google",
                "--test=listings",
                "slow::",
            ])?;
            workspace::run(&mut days)?;
            let mut monorepo = workspace::cargo(&[
                "test",
                "--package=artifacts",
                "--locked",
                "--features=slow",
                "--test=discovery",
                "slow::",
            ])?;
            workspace::run(monorepo.env("ARGOSY_TOOLS", &bin))
        })?;
        step("benchmarks", || {
            // The promotion benchmark looks for the program beside it.
            workspace::run(&mut workspace::cargo(&[
                "build",
                "--release",
                "--package=argosy",
                "--locked",
            ])?)?;
            let mut benches = workspace::cargo(&["bench", "--package=benches", "--locked"])?;
            workspace::run(benches.env("ARGOSY_TOOLS", &bin))
        })?;
    }
    println!("check: all green in {:.0?}", start.elapsed());
    Ok(())
}

fn step<T>(name: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    println!("check: {name} …");
    let start = Instant::now();
    let value = run().with_context(|| format!("check: {name} failed"))?;
    println!("check: {name} ok, {:.1?}", start.elapsed());
    Ok(value)
}

fn generated_files_are_current() -> Result<()> {
    // The tests have just built the binary that they drive; building it alone would build its libraries anew.
    let changed = generate::generate_with(&workspace::target()?.join("debug/argosy"))?;
    ensure!(
        changed.is_empty(),
        "generated files were out of date and have been rewritten: {}; look at `git diff` and commit them",
        changed
            .iter()
            .map(|path| path.display().to_string())
            .collect::<Vec<_>>()
            .join(", ")
    );
    Ok(())
}
