//! The binary from outside, on real parts: kubectl, docker-registry, skopeo, git over HTTP and SSH.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod book;
mod controller;
mod crash;
mod discover;
mod fenced;
mod gcp;
mod pipeline;
mod quickstart;
#[cfg(feature = "slow")]
mod slow;
mod ssh;
mod up;

use std::path::{Path, PathBuf};

/// The binary under test.
fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_argosy"))
}

/// The example that the README starts with.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/quickstart")
}
