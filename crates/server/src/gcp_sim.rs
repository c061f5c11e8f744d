//! `argosy gcp sim`: Google Cloud on loopback, of a world that a file describes.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use embedded_apiserver::write_private;
use gcp_sim::{Clock, Options, Simulator, World};
use tokio_util::sync::CancellationToken;

use crate::args::GcpSim;
use crate::process;

/// Listens until SIGTERM or SIGINT.
///
/// # Errors
/// When the file is not a world, or a port is taken.
pub fn gcp_sim(arguments: GcpSim) -> Result<()> {
    process::run(&arguments.logging.clone(), |stop| run(arguments, stop))
}

async fn run(arguments: GcpSim, stop: CancellationToken) -> Result<()> {
    let world = World::read(&arguments.world).map_err(|error| {
        let hint = error.hint();
        anyhow::Error::new(error).context(format!("the world cannot be used; {hint}"))
    })?;
    let at = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    let options = Options {
        apis: at(arguments.apis_port),
        registry: at(arguments.registry_port),
        admin: at(arguments.admin_port),
        clock: Clock::of_the_machine(),
        seed: arguments.seed,
    };
    let simulator = Simulator::start(world, options).await.map_err(|error| {
        let hint = error.hint();
        anyhow::Error::new(error).context(format!("the simulator cannot start; {hint}"))
    })?;
    for (member, file) in &arguments.tokens {
        let token = simulator.token_of(member).with_context(|| {
            format!("{member:?} is nobody who has tokens; write user:NAME@DOMAIN or serviceAccount:EMAIL")
        })?;
        write_private(file, token.as_bytes()).with_context(|| {
            format!(
                "failed to write {}; name another: --token {member}=FILE",
                file.display()
            )
        })?;
    }
    print(&simulator).context("failed to write to standard output")?;
    stop.cancelled().await;
    simulator.stop();
    Ok(())
}

/// What names the metadata server to clients: most read the first, Google's Python client looks for a machine of Google's at
/// the second, and gcloud reads the third.
///
/// Source: <https://googleapis.dev/python/google-auth/latest/reference/google.auth.environment_vars.html>
const METADATA_SERVER: [&str; 3] = ["GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"];

/// Says where everything is, as lines that a shell can source.
///
/// There is one metadata server for each pod. A shell would keep the last, so all but the first are comments.
fn print(simulator: &Simulator) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "SIMULATOR_APIS={}", simulator.apis)?;
    writeln!(output, "SIMULATOR_REGISTRY={}", simulator.registry)?;
    writeln!(output, "SIMULATOR_ADMIN={}", simulator.admin)?;
    for (index, (pod, address)) in simulator.metadata.iter().enumerate() {
        writeln!(output, "# the metadata server of the pod {pod}")?;
        let comment = if index == 0 { "" } else { "# " };
        for name in METADATA_SERVER {
            writeln!(output, "{comment}{name}={address}")?;
        }
    }
    output.flush()
}
