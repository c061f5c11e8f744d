//! Automation: the commands of `cargo xtask`.
#![expect(
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a program for the terminal"
)]

mod check;
mod demo;
mod fuzz;
mod generate;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

/// Builds, checks and shows Argosy.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Command {
    /// Runs everything that must hold: format, lints, tests, documentation, house rules, generated files.
    Check {
        /// Also the soaks, the large repositories and the benchmarks.
        #[arg(long)]
        slow: bool,
    },
    /// Shows the whole way on this machine, offline: an image becomes Freight and is promoted through three Stages.
    Demo {
        /// Leaves everything running at the end, and says how to look around with kubectl.
        #[arg(long)]
        keep: bool,
    },
    /// Lets libFuzzer look for bytes on which a reader of what servers send breaks.
    Fuzz {
        /// Readers to try [default: all]: challenge, manifest, tags, `pkt_line`, `chart_index`.
        targets: Vec<String>,
        /// How long each is tried.
        #[arg(long, default_value_t = 600)]
        seconds: u64,
    },
    /// Writes the files that follow from others: CRD bundle, reference pages.
    Generate,
    /// Checks the house rules that a program can hold.
    Tidy,
    /// Fetches the real programs that the demo and the tests run (tools.lock) and prints their folder.
    Tools {
        /// Pins what the package archives hold today.
        #[arg(long)]
        lock: bool,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for (depth, cause) in error.chain().enumerate() {
                eprintln!(
                    "{}{cause}",
                    if depth == 0 { "error: " } else { "  because " }
                );
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    match Command::parse() {
        Command::Check { slow } => check::check(slow)?,
        Command::Demo { keep } => demo::demo(keep)?,
        Command::Fuzz { targets, seconds } => fuzz::fuzz(&targets, seconds)?,
        Command::Generate => {
            for path in generate::generate()? {
                println!("wrote {}", path.display());
            }
        }
        Command::Tidy => tidy::tidy()?,
        Command::Tools { lock } => {
            if lock {
                tools::lock()?;
            }
            println!("{}", tools::ensure_tools()?.display());
        }
    }
    Ok(())
}
