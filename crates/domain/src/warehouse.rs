//! What a Warehouse needs next: discovery, Freight, or rest.
//!
//! Discovery takes minutes and runs apart. Every subscription is tried, whatever became of the others; Freight is made
//! only when all of them were answered (decision 0082).

mod cost;
mod identity;
mod outcome;
mod remarks;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    DiscoveredArtifacts, DiscoveredChart, DiscoveredCommits, DiscoveredImage, DiscoveredOther,
    Freight, Warehouse, WarehouseStatus,
    condition::{
        self, DISCOVERY_COST, FALSE, FREIGHT_CREATED, FREIGHT_CREATION_CRITERIA_SATISFIED, HEALTHY,
        READY, RECONCILING, TRUE, UNKNOWN,
    },
    names::annotation,
};

pub use self::cost::Cost;
pub use self::identity::{News, Told, identity_news};
pub use self::outcome::{Creation, created};
pub use self::remarks::Remark;
use crate::{Again, event::Tone};

/// Reason of Healthy while a subscription cannot be answered.
const DISCOVERY_FAILED: &str = "DiscoveryFailed";
/// The most that an interval is lengthened by, to spread Warehouses.
const LONGEST_JITTER: Duration = Duration::from_mins(5);

/// What one subscription found.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    Commits(DiscoveredCommits),
    Images(DiscoveredImage),
    Chart(DiscoveredChart),
    Other(DiscoveredOther),
}

/// Why one subscription found nothing out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The repository, or whatever else tells people which subscription it was.
    pub subscription: String,
    pub message: String,
}

/// Which identity of a cloud acted for one subscription, or why none did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub subscription: String,
    /// Who acted, as the member of a policy; none where nobody did.
    pub member: Option<String>,
    /// Reason of the condition.
    pub reason: &'static str,
    pub why: String,
    /// The next command, where something is to be done.
    pub next: Option<String>,
    /// Warning where somebody has to look: nobody acts, or whoever does should not have to.
    pub tone: Tone,
    /// All of that in words, for the condition.
    pub message: String,
    /// What stays the same for as long as the same is to be said; a message may name the number of a request.
    pub gist: String,
}

/// What discovery brought, and for which wishes.
#[derive(Clone, Debug, PartialEq)]
pub struct Discovery {
    /// Generation of the Warehouse that was discovered for.
    pub generation: i64,
    /// Refresh token it had.
    pub refresh: Option<String>,
    /// One answer per subscription, in their order.
    pub answers: Vec<Result<Found, Failure>>,
    /// Those of the subscriptions that are read with an identity; none where that could not be found out.
    pub identities: Option<Vec<Identity>>,
    /// What is worth knowing of the choices.
    pub remarks: Vec<Remark>,
    pub cost: Cost,
}

/// What is known of the task that discovers.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    None,
    Running,
    Ended(Discovery),
}

/// All that a decision about a Warehouse rests on.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub now: Timestamp,
    pub warehouse: &'a Warehouse,
    /// The shortest interval the operator allows.
    pub shortest_interval: Duration,
    pub work: Work,
}

/// What to do about a Warehouse.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Rest,
    /// Start the task that discovers.
    Discover,
    /// Make this Freight, then say so with [`created`].
    Create(Box<Freight>),
}

/// What a decision comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub status: WarehouseStatus,
    pub act: Act,
    pub again: Again,
}

/// Decides what a Warehouse needs next.
pub fn decide(seen: &Seen<'_>) -> Plan {
    let status = seen.warehouse.status.clone().unwrap_or_default();
    match &seen.work {
        Work::Running => Plan {
            status,
            act: Act::Rest,
            again: Again::OnceDone,
        },
        Work::Ended(discovery) if is_current(discovery, seen.warehouse) => {
            outcome::decide(seen, discovery, status)
        }
        // It was discovered for another spec, and another discovery is due.
        Work::Ended(_) | Work::None => match until_due(seen) {
            Some(delay) => Plan {
                status,
                act: Act::Rest,
                again: Again::After(delay),
            },
            None => discover(seen, status),
        },
    }
}

fn is_current(discovery: &Discovery, warehouse: &Warehouse) -> bool {
    warehouse
        .metadata
        .generation
        .is_none_or(|it| it == discovery.generation)
}

/// Gives the generation of the spec that `discoveredArtifacts` were found for.
///
/// `observedGeneration` tells it of discoveries in which every subscription was answered, as upstream writes it; the condition
/// `DiscoveryCost` of each that has ended. The later one counts: a controller that knows no such condition may have looked
/// in between.
pub fn discovered_generation(status: &WarehouseStatus) -> i64 {
    let cost = condition::find(&status.conditions, DISCOVERY_COST);
    let last = cost.and_then(|it| it.observed_generation);
    last.unwrap_or_default().max(status.observed_generation)
}

/// Says how long discovery can wait; nothing means it is due.
fn until_due(seen: &Seen<'_>) -> Option<Duration> {
    let status = seen.warehouse.status.as_ref()?;
    let discovered_at = status
        .discovered_artifacts
        .as_ref()?
        .discovered_at
        .as_ref()?;
    let changed = seen
        .warehouse
        .metadata
        .generation
        .is_some_and(|it| it > status.observed_generation);
    if changed || is_asked(seen, status) {
        return None;
    }
    let interval = interval(seen, discovered_at.0);
    let passed = Duration::try_from(seen.now.duration_since(discovered_at.0)).unwrap_or_default();
    interval.checked_sub(passed).filter(|it| !it.is_zero())
}

/// Says whether somebody asked for a discovery that the status does not know of.
fn is_asked(seen: &Seen<'_>, status: &WarehouseStatus) -> bool {
    let refresh = seen.warehouse.annotation(annotation::REFRESH);
    refresh.is_some_and(|it| it != status.last_handled_refresh)
}

/// Says when the next discovery is due after one that succeeded: at once, where it was asked for while that one ran.
fn next_discovery(seen: &Seen<'_>, status: &WarehouseStatus) -> Again {
    if is_asked(seen, status) {
        Again::Now
    } else {
        Again::After(interval(seen, seen.now))
    }
}

/// Gives the time between the discovery at `last` and the next: what the Warehouse says, but not less than the operator
/// allows, and up to a tenth more, lest all Warehouses that were made together ask together for ever.
fn interval(seen: &Seen<'_>, last: Timestamp) -> Duration {
    let wished = seen.warehouse.spec.interval.to_std();
    let interval = wished.max(seen.shortest_interval);
    let mut hasher = DefaultHasher::new();
    let metadata = &seen.warehouse.metadata;
    // A status keeps whole seconds.
    (
        &metadata.uid,
        &metadata.namespace,
        &metadata.name,
        last.as_second(),
    )
        .hash(&mut hasher);
    let part = u32::try_from(hasher.finish() % 1_000).expect("it is below a thousand");
    interval + (interval / 10_000 * part).min(LONGEST_JITTER)
}

fn discover(seen: &Seen<'_>, mut status: WarehouseStatus) -> Plan {
    // A repository that is down is asked again and again; what is wrong with it stays readable meanwhile.
    let still_failed = condition::find(&status.conditions, HEALTHY).is_some_and(|it| {
        it.reason == DISCOVERY_FAILED
            && it.observed_generation == seen.warehouse.metadata.generation
    });
    let mut conditions = Conditions::new(seen, &mut status);
    conditions.set(
        RECONCILING,
        TRUE,
        "ScheduledDiscovery",
        "looking for artifacts",
    );
    conditions.set(READY, FALSE, "DiscoveryInProgress", "looking for artifacts");
    if !still_failed {
        conditions.set(
            HEALTHY,
            UNKNOWN,
            "Pending",
            "health is known when all subscriptions have answered",
        );
    }
    conditions.remove(FREIGHT_CREATION_CRITERIA_SATISFIED);
    conditions.remove(FREIGHT_CREATED);
    Plan {
        status,
        act: Act::Discover,
        again: Again::OnceDone,
    }
}

/// Sets conditions for one generation at one moment.
struct Conditions<'a> {
    list: &'a mut Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl<'a> Conditions<'a> {
    fn new(seen: &Seen<'_>, status: &'a mut WarehouseStatus) -> Self {
        Self {
            list: &mut status.conditions,
            generation: seen.warehouse.metadata.generation,
            now: seen.now,
        }
    }

    fn set(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        condition::set(
            self.list,
            condition::new(
                kind,
                status,
                reason,
                message,
                self.generation,
                Time(self.now),
            ),
        );
    }

    fn remove(&mut self, kind: &str) {
        condition::remove(self.list, kind);
    }

    /// Healthy and Ready both say no, and work is over.
    fn fail(&mut self, healthy_reason: &str, ready_reason: &str, message: &str) {
        self.set(HEALTHY, FALSE, healthy_reason, message);
        self.set(READY, FALSE, ready_reason, message);
        self.remove(RECONCILING);
    }

    fn succeed(&mut self, message: &str) {
        self.set(HEALTHY, TRUE, "ReconciliationSucceeded", message);
        self.set(READY, TRUE, "ArtifactsDiscovered", message);
        self.remove(RECONCILING);
    }
}

/// Gathers answers as a status has them; where a subscription failed, what it found before stays.
fn merged(
    answers: &[Result<Found, Failure>],
    before: Option<&DiscoveredArtifacts>,
) -> DiscoveredArtifacts {
    let mut found = DiscoveredArtifacts::default();
    for answer in answers {
        match answer {
            Ok(Found::Commits(it)) => found.git.push(it.clone()),
            Ok(Found::Images(it)) => found.images.push(it.clone()),
            Ok(Found::Chart(it)) => found.charts.push(it.clone()),
            Ok(Found::Other(it)) => found.results.push(it.clone()),
            Err(_) => {}
        }
    }
    let Some(before) = before.filter(|_| answers.iter().any(Result::is_err)) else {
        return found;
    };
    keep_missing(&mut found.git, &before.git, |it| {
        (it.repo_url.clone(), it.subscription_name.clone())
    });
    keep_missing(&mut found.images, &before.images, |it| {
        (it.repo_url.clone(), it.subscription_name.clone())
    });
    keep_missing(&mut found.charts, &before.charts, |it| {
        (it.repo_url.clone() + &it.name, it.subscription_name.clone())
    });
    keep_missing(&mut found.results, &before.results, |it| it.name.clone());
    found
}

fn keep_missing<T: Clone, I: PartialEq>(
    found: &mut Vec<T>,
    before: &[T],
    identity: impl Fn(&T) -> I,
) {
    for earlier in before {
        if found.iter().all(|it| identity(it) != identity(earlier)) {
            found.push(earlier.clone());
        }
    }
}

#[cfg(test)]
mod tests;
