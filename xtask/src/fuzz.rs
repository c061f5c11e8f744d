//! `cargo xtask fuzz`: lets libFuzzer look for bytes on which a reader of what servers send breaks.
//!
//! The targets are in `fuzz/`, a workspace of its own: they are built for coverage, with checks, by flags of the stable
//! compiler that other builds do not want. What was found interesting is kept beside the build, and used the next time.

use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::workspace;

/// One for each reader.
const TARGETS: &[&str] = &["challenge", "manifest", "tags", "pkt_line", "chart_index"];

/// What libFuzzer needs to see which way a run went.
///
/// Source: <https://llvm.org/docs/LibFuzzer.html>, <https://github.com/rust-fuzz/cargo-fuzz>
const FLAGS: &[&str] = &[
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];
/// With a target that is named, programs that run while building are built without the flags.
const MACHINE: &str = "x86_64-unknown-linux-gnu";

/// Runs `chosen` targets, or all, each for so many seconds.
pub(crate) fn fuzz(chosen: &[String], seconds: u64) -> Result<()> {
    if let Some(unknown) = chosen.iter().find(|it| !TARGETS.contains(&it.as_str())) {
        bail!(
            "there is no target {unknown:?}; there are: {}",
            TARGETS.join(", ")
        );
    }
    let chosen: Vec<&str> = match chosen {
        [] => TARGETS.to_vec(),
        some => some.iter().map(String::as_str).collect(),
    };
    let manifest = workspace::root()?.join("fuzz/Cargo.toml");
    let built = workspace::target()?.join("fuzz");
    let manifest = manifest
        .to_str()
        .context("the project's path is not UTF-8")?;
    let mut build = workspace::cargo(&[
        "build",
        "--release",
        "--locked",
        "--bins",
        "--target",
        MACHINE,
        "--manifest-path",
        manifest,
    ])?;
    build
        .env("RUSTFLAGS", FLAGS.join(" "))
        .env("CARGO_TARGET_DIR", &built);
    workspace::run(&mut build)
        .context("libFuzzer is built from source and needs a C++ compiler: apt-get install g++")?;
    let mut broken = Vec::new();
    for target in chosen {
        println!("fuzz: {target} for {seconds} s …");
        let corpus = built.join("corpus").join(target);
        let found = built.join("found").join(target);
        std::fs::create_dir_all(&corpus)?;
        std::fs::create_dir_all(&found)?;
        let mut run = Command::new(built.join(MACHINE).join("release").join(target));
        run.arg(format!("-max_total_time={seconds}"))
            .arg(format!("-artifact_prefix={}/", found.display()))
            .args(["-timeout=10", "-rss_limit_mb=1024", "-max_len=16384"])
            .args(["-print_final_stats=1", "-verbosity=1"])
            .arg(&corpus);
        if let Err(error) = workspace::run(&mut run) {
            println!(
                "fuzz: {target} broke: {error:#}; the input is in {}",
                found.display()
            );
            broken.push(target);
        }
    }
    ensure!(
        broken.is_empty(),
        "fuzz: these broke: {}",
        broken.join(", ")
    );
    println!("fuzz: nothing broke");
    Ok(())
}
