//! The binary: parses the command line and hands over.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Moves images, commits and charts through the stages of a delivery pipeline on Kubernetes.
///
/// Speaks Kargo's API (kargo.akuity.io/v1alpha1): Warehouses watch registries and Git, bundle what they
/// find as Freight, and Freight is promoted through Stages.
///
/// Start here:  argosy up -f my-pipeline.yaml
/// then look around with the kubectl command that it prints.
#[derive(Debug, Parser)]
#[command(
    version,
    verbatim_doc_comment,
    subcommand_required = true,
    arg_required_else_help = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(server::args::Up),
    Controller(server::args::Controller),
    Crds(cli::crds::Crds),
    #[command(subcommand)]
    Discover(cli::discover::Discover),
    /// Google Cloud: identities and registries
    #[command(subcommand)]
    Gcp(GcpCommand),
    #[command(hide = true)]
    Child(server::args::Child),
}

#[derive(Debug, Subcommand)]
enum GcpCommand {
    Doctor(cli::gcp::Doctor),
    Audit(cli::gcp::Audit),
    Setup(cli::gcp::Setup),
    #[cfg(feature = "gcp-sim")]
    Sim(server::args::GcpSim),
}

fn main() -> ExitCode {
    cli::exit::code(match Arguments::parse().command {
        Command::Up(arguments) => server::up(arguments),
        Command::Controller(arguments) => server::controller(arguments),
        Command::Crds(arguments) => cli::crds::run(&arguments),
        Command::Discover(command) => return cli::exit::chosen(cli::discover::run(&command)),
        Command::Gcp(command) => return gcp(command),
        // On success the process has become another program, and nothing returns.
        Command::Child(arguments) => {
            server::child::run(&arguments.into()).map(|never| match never {})
        }
    })
}

fn gcp(command: GcpCommand) -> ExitCode {
    cli::exit::chosen(match command {
        GcpCommand::Doctor(arguments) => cli::gcp::doctor(&arguments),
        GcpCommand::Audit(arguments) => cli::gcp::audit(&arguments),
        GcpCommand::Setup(arguments) => cli::gcp::setup(&arguments),
        #[cfg(feature = "gcp-sim")]
        GcpCommand::Sim(arguments) => {
            return cli::exit::code(server::gcp_sim(arguments));
        }
    })
}
