//! Which Freight a Stage may take: its sources, soak times and approvals.
//!
//! One rule serves admission, the promotion loop and auto-promotion, so what a person may promote by hand is exactly
//! what is promoted automatically. Only upstream Stages that the request names count (decision 0080).

use std::{borrow::Borrow, ops::ControlFlow, sync::Arc};

use jiff::{SignedDuration, Timestamp};
use resources::{Freight, FreightRequest, SelectionPolicy, Stage};

/// Says whether a Stage may take a Freight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    Now,
    /// Verified upstream, but still soaking there; available from this moment on if it stays.
    From(Timestamp),
    No,
}

impl Availability {
    /// Any of the two suffices: the earlier one.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Now, _) | (_, Self::Now) => Self::Now,
            (Self::From(one), Self::From(another)) => Self::From(one.min(another)),
            (Self::From(at), Self::No) | (Self::No, Self::From(at)) => Self::From(at),
            (Self::No, Self::No) => Self::No,
        }
    }

    /// Both are needed: the later one.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::From(one), Self::From(another)) => Self::From(one.max(another)),
            (Self::From(at), Self::Now) | (Self::Now, Self::From(at)) => Self::From(at),
            (Self::Now, Self::Now) => Self::Now,
        }
    }
}

/// Says whether `stage` may take `freight`, whichever of its requests asks for it.
pub fn available(stage: &Stage, freight: &Freight, now: Timestamp) -> Availability {
    if stage.metadata.namespace != freight.metadata.namespace {
        return Availability::No;
    }
    let answers = stage
        .spec
        .requested_freight
        .iter()
        .map(|it| requested(stage.name(), it, freight, now));
    answers.fold(Availability::No, Availability::or)
}

/// Says whether the Stage named `stage` may take `freight` for one of its requests.
pub fn requested(
    stage: &str,
    request: &FreightRequest,
    freight: &Freight,
    now: Timestamp,
) -> Availability {
    if request.origin != freight.origin {
        return Availability::No;
    }
    if freight.is_approved_for(stage) || request.sources.direct {
        return Availability::Now;
    }
    let soak_time = soak_time(request);
    let upstream = request
        .sources
        .stages
        .iter()
        .map(|it| soaked(freight, it, soak_time, now));
    if request.sources.wants_all() {
        upstream.fold(Availability::Now, Availability::and)
    } else {
        upstream.fold(Availability::No, Availability::or)
    }
}

/// Gives how long Freight has to stay in a Stage that verified it; nothing is no time at all.
pub fn soak_time(request: &FreightRequest) -> SignedDuration {
    SignedDuration::from_nanos(
        request
            .sources
            .required_soak_time
            .map_or(0, resources::Duration::as_nanos),
    )
}

/// Says whether `freight` was verified in `stage` and has stayed there long enough.
pub fn soaked(
    freight: &Freight,
    stage: &str,
    soak_time: SignedDuration,
    now: Timestamp,
) -> Availability {
    let Some(status) = &freight.status else {
        return Availability::No;
    };
    let Some(verified) = status.verified_in.get(stage) else {
        return Availability::No;
    };
    let longest = verified
        .longest_completed_soak
        .map_or(0, resources::Duration::as_nanos);
    if SignedDuration::from_nanos(longest) >= soak_time {
        return Availability::Now;
    }
    let since = status
        .currently_in
        .get(stage)
        .and_then(|it| it.since.as_ref());
    match since.and_then(|it| it.0.checked_add(soak_time).ok()) {
        Some(until) if until <= now => Availability::Now,
        Some(until) => Availability::From(until),
        None => Availability::No,
    }
}

/// Orders Freight by age: the time it was discovered, then its name. What sorts last is the newest.
pub fn age(freight: &Freight) -> (Timestamp, &str) {
    (
        freight
            .effective_discovered_at()
            .map_or(Timestamp::MIN, |it| it.0),
        freight.name(),
    )
}

/// What auto-promotion would take for one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice<F = Freight> {
    pub freight: Option<F>,
    /// When the next newer Freight will have soaked, if any is soaking.
    pub soaked_at: Option<Timestamp>,
}

/// Looks for the Freight that auto-promotion would take for one request.
///
/// It is shown Freight newest first, perhaps several rows of it, and says when a row need not be read on.
#[derive(Debug)]
struct Search<'a, F> {
    stage: &'a str,
    request: &'a FreightRequest,
    now: Timestamp,
    found: Vec<F>,
    soaked_at: Option<Timestamp>,
}

impl<'a, F: Borrow<Freight> + Clone> Search<'a, F> {
    fn new(stage: &'a str, request: &'a FreightRequest, now: Timestamp) -> Self {
        Self {
            stage,
            request,
            now,
            found: Vec::new(),
            soaked_at: None,
        }
    }

    /// Looks at one Freight; `Break` means that no older one can be chosen.
    fn see(&mut self, freight: &F) -> ControlFlow<()> {
        let matching = matching_upstream(self.request);
        let it = freight.borrow();
        if matching.is_none()
            && self
                .found
                .first()
                .is_some_and(|found| age(found.borrow()) >= age(it))
        {
            return ControlFlow::Break(());
        }
        if matching.is_some_and(|upstream| !it.is_currently_in(upstream)) {
            return ControlFlow::Continue(());
        }
        match requested(self.stage, self.request, it, self.now) {
            Availability::Now if matching.is_some() => {
                if self
                    .found
                    .iter()
                    .all(|found| found.borrow().name() != it.name())
                {
                    self.found.push(freight.clone());
                }
                ControlFlow::Continue(())
            }
            Availability::Now => {
                self.found = vec![freight.clone()];
                ControlFlow::Break(())
            }
            Availability::From(at) => {
                self.soaked_at = Some(self.soaked_at.map_or(at, |earlier| earlier.min(at)));
                ControlFlow::Continue(())
            }
            Availability::No => ControlFlow::Continue(()),
        }
    }

    /// Gives what was found; two pieces of Freight in the Stage that is to be matched are no choice.
    fn finish(mut self) -> Choice<F> {
        let freight = if self.found.len() > 1 {
            None
        } else {
            self.found.pop()
        };
        Choice {
            freight,
            soaked_at: self.soaked_at,
        }
    }
}

/// Gives the upstream Stage whose Freight is to be matched, if the request says so.
pub fn matching_upstream(request: &FreightRequest) -> Option<&str> {
    match request.sources.selection_policy() {
        SelectionPolicy::MatchUpstream => request.sources.stages.first().map(String::as_str),
        SelectionPolicy::NewestFreight => None,
    }
}

/// A row of Freight that is kept together, so that it can be read without looking at any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row<'a> {
    /// What came from a Warehouse.
    Warehouse(&'a str),
    /// What is in a Stage now.
    CurrentlyIn(&'a str),
    /// What was verified in a Stage.
    VerifiedIn(&'a str),
    /// What was approved for a Stage.
    ApprovedFor(&'a str),
    /// What has an alias.
    Alias(&'a str),
}

/// Freight in rows, as somebody keeps it up to date; perhaps a moment behind the API.
pub trait FreightIndex: Send + Sync {
    /// Says whether all there is has been seen once.
    fn is_filled(&self) -> bool;

    /// Shows a row of a namespace, newest first, until `visit` breaks.
    fn walk(
        &self,
        namespace: &str,
        row: Row<'_>,
        visit: &mut dyn FnMut(&Arc<Freight>) -> ControlFlow<()>,
    );
}

/// Looks up what auto-promotion into `stage` would take for `request`, and reads no further than it has to.
pub fn choose(
    index: &dyn FreightIndex,
    stage: &Stage,
    request: &FreightRequest,
    now: Timestamp,
) -> Choice<Arc<Freight>> {
    let mut search = Search::new(stage.name(), request, now);
    let mut walk = |row| index.walk(stage.namespace(), row, &mut |it| search.see(it));
    if let Some(upstream) = matching_upstream(request) {
        walk(Row::CurrentlyIn(upstream));
    } else if request.sources.direct {
        walk(Row::Warehouse(&request.origin.name));
    } else {
        walk(Row::ApprovedFor(stage.name()));
        for upstream in &request.sources.stages {
            walk(Row::VerifiedIn(upstream));
        }
    }
    search.finish()
}

/// Chooses as [`choose`] does, by looking at all there is.
#[cfg(test)]
pub(crate) fn choose_among<F: Borrow<Freight> + Clone>(
    stage: &str,
    request: &FreightRequest,
    freight: &[F],
    now: Timestamp,
) -> Choice<F> {
    let mut newest_first: Vec<&F> = freight.iter().collect();
    newest_first.sort_by(|one, another| age((*another).borrow()).cmp(&age((*one).borrow())));
    let mut search = Search::new(stage, request, now);
    for it in newest_first {
        if search.see(it).is_break() {
            break;
        }
    }
    search.finish()
}

#[cfg(test)]
mod tests;
