//! Waits until what was granted counts: a token is had, and tags are listed with it.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use gcp::facts::{Facts, Intent};
use tokio::time::{Instant, sleep};

use crate::gcp::gather;
use crate::gcp::place::Access;

/// How long to wait between two tries: grants take two minutes to count, at times seven.
///
/// Source: <https://cloud.google.com/iam/docs/access-change-propagation>
const PAUSE: Duration = Duration::from_secs(5);

/// Tries what the Projects are meant to do until it works, the last time when `longest` is over.
///
/// # Errors
/// Names what still does not work then.
pub(in crate::gcp) async fn wait_until_it_counts(
    access: &Access,
    intent: Intent,
    longest: Duration,
) -> Result<()> {
    let started = Instant::now();
    let deadline = started + longest;
    let mut progress = Progress::new();
    loop {
        let facts = gather::uses(access, intent.clone()).await;
        let Some(missing) = missing(&facts) else {
            return progress.end(started.elapsed());
        };
        let now = Instant::now();
        if now >= deadline {
            progress.clear()?;
            bail!(
                "all steps are done and it does not work yet, after {} s: {missing}; a grant may take longer to count: \
                 try again with a longer --wait, or see which link is broken: argosy gcp doctor",
                started.elapsed().as_secs()
            );
        }
        progress.say(started.elapsed(), &missing)?;
        sleep(PAUSE.min(deadline - now)).await;
    }
}

/// Says what does not work yet.
fn missing(facts: &Facts) -> Option<String> {
    facts.projects.iter().find_map(|(name, seen)| {
        if let Err(gap) = seen.mint.known() {
            return Some(format!("{name} gets no token: {}", gap.why));
        }
        seen.uses.iter().find_map(|(repository, used)| {
            let gap = used.pull.known().err()?;
            Some(format!("{name} does not read {repository}: {}", gap.why))
        })
    })
}

/// A line on standard error: rewritten on a terminal, else written once for each new reason.
struct Progress {
    is_terminal: bool,
    last: String,
}

impl Progress {
    fn new() -> Self {
        Self {
            is_terminal: std::io::stderr().is_terminal(),
            last: String::new(),
        }
    }

    fn say(&mut self, waited: Duration, what: &str) -> Result<()> {
        let mut stderr = anstream::stderr().lock();
        let what = what.lines().next().unwrap_or_default();
        if self.is_terminal {
            write!(
                stderr,
                "\r\x1b[Kwaiting for it to count, {} s: {what}",
                waited.as_secs()
            )
        } else if self.last == what {
            Ok(())
        } else {
            writeln!(stderr, "waiting for it to count: {what}")
        }
        .and_then(|()| stderr.flush())
        .context("failed to write to standard error")?;
        what.clone_into(&mut self.last);
        Ok(())
    }

    /// Takes away the line that would be rewritten.
    fn clear(&self) -> Result<()> {
        if self.is_terminal {
            write!(anstream::stderr().lock(), "\r\x1b[K")
                .context("failed to write to standard error")?;
        }
        Ok(())
    }

    fn end(self, waited: Duration) -> Result<()> {
        let lead = if self.is_terminal { "\r\x1b[K" } else { "" };
        let mut stderr = anstream::stderr().lock();
        writeln!(stderr, "{lead}it works, after {} s", waited.as_secs())
            .context("failed to write to standard error")
    }
}
