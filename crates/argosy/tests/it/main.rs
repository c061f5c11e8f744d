//! The binary from outside, on real parts: kubectl, docker-registry, skopeo, git over HTTP.

mod controller;
mod crash;
mod gcp;
mod quickstart;
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
