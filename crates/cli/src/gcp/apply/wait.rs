//! Waits until what was granted counts: a token is had, and tags are listed with it.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use gcp::facts::{Denial, Facts, Gap, Reading, Reason, Seen};
use gcp::repository::RepositoryName;
use gcp::setup::{Action, Plan};
use tokio::time::{Instant, sleep};

use crate::gcp::gather;
use crate::gcp::place::Access;

/// How long to wait between two tries: grants take two minutes to count, at times seven.
///
/// Source: <https://cloud.google.com/iam/docs/access-change-propagation>
const PAUSE: Duration = Duration::from_secs(5);

/// Whether it was tried from here, so that it is known to work.
#[derive(Debug, Clone, Copy)]
pub(in crate::gcp) enum Tried {
    Yes,
    No,
}

/// What a plan was made of, and the plan: both say what to expect after it was carried out.
#[derive(Debug, Clone, Copy)]
pub(in crate::gcp) struct Planned<'planned> {
    pub(in crate::gcp) facts: &'planned Facts,
    pub(in crate::gcp) plan: &'planned Plan,
}

/// How far it has come.
#[derive(Debug, PartialEq, Eq)]
enum Standing {
    /// All that could be tried works; in these repositories there is no image yet, which nobody without a grant is told.
    Counts {
        empty: Vec<RepositoryName>,
    },
    /// Nothing that was planned could make anything work.
    Nothing,
    NotYet(String),
    /// Waiting does not change it.
    Never(String),
}

/// Tries what the Projects are meant to do until it works, the last time when `longest` is over.
///
/// What the plan could not bring about is not tried.
///
/// # Errors
/// Names what does not work: at once where waiting changes nothing about it, else when the time is over.
pub(in crate::gcp) async fn wait_until_it_counts(
    access: &Access,
    planned: Planned<'_>,
    longest: Duration,
) -> Result<Tried> {
    let started = Instant::now();
    let deadline = started + longest;
    let mut progress = Progress::new();
    loop {
        let now = gather::uses(access, planned.facts.intent.clone()).await;
        let missing = match planned.standing(&now) {
            Standing::Counts { empty } => {
                progress.end(started.elapsed(), &empty)?;
                return Ok(Tried::Yes);
            }
            Standing::Nothing => {
                progress.end_untried()?;
                return Ok(Tried::No);
            }
            Standing::NotYet(missing) => missing,
            Standing::Never(missing) => {
                progress.clear()?;
                bail!(
                    "all steps are done and it does not work: {missing}; waiting changes nothing about that, \
                     see which link is broken: argosy gcp doctor"
                );
            }
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

impl Planned<'_> {
    /// Judges what was tried just now; what never comes is said first, however much else is only late.
    fn standing(&self, now: &Facts) -> Standing {
        let mut is_tried = false;
        let mut empty = Vec::new();
        let mut late = None;
        for (name, seen) in &now.projects {
            if self.has_no_account(name) {
                continue;
            }
            is_tried = true;
            if let Err(gap) = seen.mint.known() {
                let missing = format!("{name} gets no token: {}", gap.why);
                if self.is_final(&seen.mint) {
                    return Standing::Never(missing);
                }
                late.get_or_insert(missing);
                continue;
            }
            let uses = seen.uses.iter();
            for (address, used) in uses.filter(|(it, _)| !self.is_absent(&it.repository)) {
                let Err(Gap { why, .. }) = used.pull.known() else {
                    continue;
                };
                let repository = &address.repository;
                let missing = format!("{name} does not read {repository}: {why}");
                match &used.pull.seen {
                    Seen::Absent if empty.contains(repository) => {}
                    Seen::Absent => empty.push(repository.clone()),
                    _ if self.is_final(&used.pull) => return Standing::Never(missing),
                    _ => _ = late.get_or_insert(missing),
                }
            }
        }
        match late {
            Some(missing) => Standing::NotYet(missing),
            None if is_tried => Standing::Counts { empty },
            None => Standing::Nothing,
        }
    }

    /// Says whether no service account can have the Project's name; the plan says it as a note.
    fn has_no_account(&self, project: &str) -> bool {
        matches!(self.facts.account_of(project), Ok(Err(_)))
    }

    /// Says whether a repository was not there to grant anything on; the plan says it as a note.
    fn is_absent(&self, name: &RepositoryName) -> bool {
        self.facts.repository(name).policy.seen == Seen::Absent
    }

    /// Says whether a refusal is none that a step of the plan takes away after a while.
    fn is_final<T>(&self, reading: &Reading<T>) -> bool {
        let Seen::Denied(Denial { reason, .. }) = &reading.seen else {
            return false;
        };
        match reason {
            Reason::Perimeter { .. } | Reason::OrganisationPolicy => true,
            Reason::ServiceDisabled { service } => !self.switches_on(service.as_deref()),
            Reason::MissingPermission
            | Reason::NarrowScope
            | Reason::BadCredential
            | Reason::Anonymous
            | Reason::Other => false,
        }
    }

    /// Says whether a service is one of the plan, or was seen to be on: both take a while to be known everywhere.
    pub(super) fn switches_on(&self, service: Option<&str>) -> bool {
        let is_meant = |it: &str| service.is_none_or(|service| service == it);
        let is_planned = self.plan.actions.iter().any(|action| match action {
            Action::EnableServices { services, .. } => services.iter().any(|it| is_meant(it)),
            _ => false,
        });
        let mut seen = self.facts.services.iter();
        let is_on = seen.any(|(name, on)| {
            service == Some(name.service.as_str()) && matches!(on.seen, Seen::Known(true))
        });
        is_planned || is_on
    }
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

    fn end(self, waited: Duration, empty: &[RepositoryName]) -> Result<()> {
        let lead = if self.is_terminal { "\r\x1b[K" } else { "" };
        let mut stderr = anstream::stderr().lock();
        let context = "failed to write to standard error";
        writeln!(stderr, "{lead}it works, after {} s", waited.as_secs()).context(context)?;
        for name in empty {
            writeln!(
                stderr,
                "the grant on {name} counts, there is no such image in it yet"
            )
            .context(context)?;
        }
        Ok(())
    }

    fn end_untried(&self) -> Result<()> {
        self.clear()?;
        let mut stderr = anstream::stderr().lock();
        writeln!(stderr, "nothing was tried, for the reasons above")
            .context("failed to write to standard error")
    }
}

#[cfg(test)]
mod tests;
