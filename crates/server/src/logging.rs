//! Log lines on standard error.

use std::io::{self, IsTerminal as _};

use anyhow::{Context as _, Result, anyhow};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{LogFormat, Logging};

/// Starts logging as asked. Colours only on a terminal, and never when `NO_COLOR` is set.
pub(crate) fn start(settings: &Logging) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.log_level).map_err(|error| {
        anyhow!(
            "--log-level {:?} is wrong ({error}); use error, warn, info, debug or trace, or parts such as info,controllers=debug",
            settings.log_level
        )
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    match settings.log_format {
        LogFormat::Text => {
            let lines = tracing_subscriber::fmt::layer()
                .with_writer(io::stderr)
                .with_target(false)
                .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
            registry.with(lines).try_init()
        }
        LogFormat::Json => registry
            .with(
                tracing_subscriber::fmt::layer()
                    .json()
                    .with_writer(io::stderr),
            )
            .try_init(),
    }
    .context("logging was started twice")
}
