//! What every long-running command does first: one crypto provider, a log, a runtime, and an ear for signals.

use std::future::Future;

use anyhow::{Context as _, Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::Logging;
use crate::logging;

/// Runs `work` until it ends; SIGTERM and SIGINT cancel its token.
///
/// A second signal ends the process at once.
///
/// # Errors
/// When the process cannot be set up, and whatever `work` answers.
pub(crate) fn run<F>(settings: &Logging, work: impl FnOnce(CancellationToken) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow!("another crypto provider is installed already"))?;
    logging::start(settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("failed to start the runtime")?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        tokio::spawn(listen_for_signals(stop.clone()));
        work(stop).await
    })
}

async fn listen_for_signals(stop: CancellationToken) {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::warn!("signals cannot be received; stop the process by kill -9");
        return;
    };
    for round in 0.. {
        let name = tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        };
        if round > 0 {
            tracing::warn!(
                signal = name,
                "stopping at once; promotions resume at the next start"
            );
            exit_now();
        }
        tracing::info!(signal = name, "stopping; a second signal stops at once");
        stop.cancel();
    }
}

#[expect(
    clippy::exit,
    reason = "the second signal asks for just that; everything stored stays stored"
)]
fn exit_now() -> ! {
    std::process::exit(130)
}
