//! Waiting for something to happen, with an end.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::process::pause;

/// Asks until there is an answer, at most `limit`.
///
/// # Errors
/// When `ask` fails, or nothing was answered in time; the message names `what`.
pub fn wait<T>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask()? {
            return Ok(answer);
        }
        if start.elapsed() > limit {
            bail!("{what}: did not happen within {limit:?}");
        }
        pause(Duration::from_millis(50));
    }
}
