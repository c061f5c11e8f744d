//! `argosy discover image|git|chart`: a dry run of one subscription, from a terminal.
//!
//! ```text
//! flags → a subscription as a Warehouse would have it → artifacts (with progress) → report → print
//! ```
//!
//! Nothing is written anywhere but to a folder that is deleted at the end.

mod chart;
mod flags;
mod git;
mod image;
mod outside;
mod print;
mod progress;
mod report;

use std::future::Future;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use clap::{Args, Subcommand, ValueEnum};

pub use chart::Chart;
pub use git::Git;
pub use image::Image;

use report::Report;

/// The exit code where everything went well and nothing fits.
const NOTHING: u8 = 3;

/// Shows what a subscription would find: what is taken, what is ruled out and by which rule, and what that costs
///
/// Asks the repository as a Warehouse would, with the flags in place of the subscription's fields, and changes nothing.
///
/// Ends with 0 if something is taken, with 3 if nothing fits, with 1 if the repository could not be read.
#[derive(Debug, Clone, Subcommand)]
pub enum Discover {
    Image(Image),
    Git(Git),
    Chart(Chart),
}

/// How the report is printed.
#[derive(Debug, Clone, Copy, Args)]
struct Output {
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = Form::Table)]
    output: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// For programs
    Json,
}

/// Discovers once and reports.
///
/// # Errors
/// When a flag is not what it should be, or the repository cannot be read.
pub fn run(arguments: &Discover) -> Result<ExitCode> {
    match arguments {
        Discover::Image(image) => finish(image::report(image), image.output),
        Discover::Git(git) => finish(git::report(git), git.output),
        Discover::Chart(chart) => finish(chart::report(chart), chart.output),
    }
}

fn finish(work: impl Future<Output = Result<Report>>, output: Output) -> Result<ExitCode> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another crypto provider is installed already"))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    let report = runtime.block_on(work)?;
    match output.output {
        Form::Table => print::table(&report)?,
        Form::Json => print::json(&report)?,
    }
    Ok(if report.taken.is_empty() {
        ExitCode::from(NOTHING)
    } else {
        ExitCode::SUCCESS
    })
}

/// Turns an error with its hint into what a command prints.
fn told(error: &dyn std::error::Error, hint: &str) -> anyhow::Error {
    let line = domain::message::in_one_line(error);
    anyhow!(domain::message::with_next(line, hint))
}
