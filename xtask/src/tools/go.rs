//! Go, which only tests use: Google's own Go clients are compiled once, so that tests wait for their own lines alone.
//!
//! Go finds its standard library, the modules and what it compiled inside of the tools' folder, whatever else is on the
//! machine. Modules come from the proxy that the machine's `GOPROXY` names, as `go.sum` pins them.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::workspace;

/// The program that tests drive the simulator with, and the tools that its `go.mod` names.
const CLIENTS: &str = "crates/gcp-sim/tests/go";

/// Runs the Go of the folder that the wrapper lies in, wherever that folder is. Nothing is optimised, which saves a
/// third of the time that compiling takes.
const WRAPPER: &str = r#"#!/bin/sh
home=$(dirname "$(dirname "$(readlink -f "$0")")")
export GOROOT="$home/root/go" GOPATH="$home/go" GOMODCACHE="$home/go/modules" GOCACHE="$home/go/compiled"
export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
export GOFLAGS="-mod=readonly -modcacherw -trimpath -ldflags=-w '-gcflags=all=-N -l -dwarf=false'"
exec "$GOROOT/bin/go" "$@"
"#;

/// Writes the wrapper into `finished`.
pub(super) fn install(finished: &Path) -> Result<()> {
    let wrapper = finished.join("bin/go");
    fs::write(&wrapper, WRAPPER).context("failed to write the wrapper of go")?;
    super::make_executable(&wrapper)
}

/// Fetches the modules that `go.sum` pins into the tools' folder and compiles them, unless that has been done.
pub(super) fn compile_clients(home: &Path) -> Result<()> {
    let clients = workspace::root()?.join(CLIENTS);
    let complete = home.join("go").join(pins(&clients)?);
    if complete.exists() {
        return Ok(());
    }
    eprintln!("tools: compiling Google's Go clients");
    // To no file: compiles the packages, and leaves it to the tests to link their programs.
    super::run(
        Command::new(home.join("bin/go"))
            .args(["build", "-o", "/dev/null", ".", "tool"])
            .current_dir(clients),
        "/bin/sh is needed",
    )
    .context("failed to compile Google's Go clients; if no module can be fetched, set GOPROXY to a proxy that is reached")?;
    fs::write(&complete, "").context("failed to note that Google's Go clients are compiled")
}

/// Names the versions of all modules.
fn pins(clients: &Path) -> Result<String> {
    let mut digest = Sha256::new();
    for name in ["go.mod", "go.sum"] {
        let text = fs::read(clients.join(name)).with_context(|| {
            format!("failed to read {CLIENTS}/{name}; to have it back: git checkout {CLIENTS}")
        })?;
        digest.update(text);
    }
    Ok(hex::encode(digest.finalize())[..16].to_owned())
}
