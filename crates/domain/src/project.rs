//! What a Project needs next: its namespace, and who may do what in it.

mod rbac;

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{api::core::v1::Namespace, apimachinery::pkg::apis::meta::v1::Time};
use resources::{
    Project, ProjectStatus, Stage, Warehouse,
    condition::{self, FALSE, HEALTHY, READY, RECONCILING, STALLED, TRUE},
    names::{FINALIZER, annotation, label},
    project::{Count, HealthyCount, ProjectStats},
};

pub use self::rbac::{Access, Installation, access};

/// All that a decision about a Project rests on.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub now: Timestamp,
    pub project: &'a Project,
    pub namespace: Option<&'a Namespace>,
    pub stats: ProjectStats,
}

/// What to do about a Project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Put our finalizer on the Project, so that it cannot go before its namespace is dealt with.
    Hold,
    /// Make the namespace.
    CreateNamespace,
    /// Put our finalizer on a namespace that was made for this Project.
    AdoptNamespace,
    /// Nothing can be done until people change something.
    Refuse,
    /// Wait until the old namespace is gone.
    AwaitNamespace,
    /// See to the objects that say who may do what.
    GrantAccess,
    /// The Project goes, and takes its namespace along.
    DeleteNamespace,
    /// The Project goes, its namespace stays.
    ReleaseNamespace,
    /// Nothing holds the Project back any more.
    Release,
}

/// What a decision comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub status: ProjectStatus,
    pub act: Act,
}

/// Decides what a Project needs next.
pub fn decide(seen: &Seen<'_>) -> Plan {
    let mut status = seen.project.status.clone().unwrap_or_default();
    if seen.project.is_terminating() {
        return Plan {
            status,
            act: farewell(seen),
        };
    }
    if !holds(seen.project.metadata.finalizers.as_deref()) {
        return Plan {
            status,
            act: Act::Hold,
        };
    }
    let act = match seen.namespace {
        None => Act::CreateNamespace,
        Some(namespace) if namespace.metadata.deletion_timestamp.is_some() => Act::AwaitNamespace,
        Some(namespace) if !is_for_projects(namespace) => Act::Refuse,
        Some(namespace) if !holds(namespace.metadata.finalizers.as_deref()) => Act::AdoptNamespace,
        Some(_) => Act::GrantAccess,
    };
    match act {
        Act::Refuse => {
            let message = format!(
                "namespace {:?} exists without the label {}=true; label it to let the Project have it",
                seen.project.name(),
                label::PROJECT
            );
            set(
                seen,
                &mut status,
                STALLED,
                TRUE,
                "ExistingNamespaceMissingLabel",
                &message,
            );
            set(
                seen,
                &mut status,
                READY,
                FALSE,
                "EnsuringNamespaceFailed",
                &message,
            );
            condition::remove(&mut status.conditions, RECONCILING);
        }
        Act::GrantAccess => {
            condition::remove(&mut status.conditions, STALLED);
            condition::remove(&mut status.conditions, RECONCILING);
            set(
                seen,
                &mut status,
                READY,
                TRUE,
                "Synced",
                "the namespace and its access rules are in place",
            );
            condition::remove(&mut status.conditions, HEALTHY);
            status.stats = Some(seen.stats.clone());
        }
        Act::Hold
        | Act::CreateNamespace
        | Act::AdoptNamespace
        | Act::AwaitNamespace
        | Act::DeleteNamespace
        | Act::ReleaseNamespace
        | Act::Release => syncing(seen, &mut status),
    }
    Plan { status, act }
}

fn syncing(seen: &Seen<'_>, status: &mut ProjectStatus) {
    condition::remove(&mut status.conditions, STALLED);
    set(
        seen,
        status,
        RECONCILING,
        TRUE,
        "Syncing",
        "seeing to the namespace and its access rules",
    );
    set(
        seen,
        status,
        READY,
        FALSE,
        "Syncing",
        "seeing to the namespace and its access rules",
    );
}

/// Says in the status that a step of the work failed.
pub fn failed(project: &Project, reason: &str, message: &str, now: Timestamp) -> ProjectStatus {
    let mut status = project.status.clone().unwrap_or_default();
    let generation = project.metadata.generation;
    condition::set(
        &mut status.conditions,
        condition::new(READY, FALSE, reason, message, generation, Time(now)),
    );
    condition::set(
        &mut status.conditions,
        condition::new(
            RECONCILING,
            TRUE,
            reason,
            "it is tried again",
            generation,
            Time(now),
        ),
    );
    status
}

fn set(
    seen: &Seen<'_>,
    status: &mut ProjectStatus,
    kind: &str,
    value: &str,
    reason: &str,
    message: &str,
) {
    let condition = condition::new(
        kind,
        value,
        reason,
        message,
        seen.project.metadata.generation,
        Time(seen.now),
    );
    condition::set(&mut status.conditions, condition);
}

/// Decides how a Project goes: namespace first.
fn farewell(seen: &Seen<'_>) -> Act {
    let Some(namespace) = seen.namespace else {
        return Act::Release;
    };
    let ours = holds(namespace.metadata.finalizers.as_deref());
    let kept = seen.project.keeps_namespace() || annotated(namespace, annotation::KEEP_NAMESPACE);
    match (ours, kept) {
        (false, _) => Act::Release,
        (true, true) => Act::ReleaseNamespace,
        (true, false) => Act::DeleteNamespace,
    }
}

/// Says whether our finalizer is among these.
pub fn holds(finalizers: Option<&[String]>) -> bool {
    finalizers
        .unwrap_or_default()
        .iter()
        .any(|it| it == FINALIZER)
}

fn is_for_projects(namespace: &Namespace) -> bool {
    value(namespace.metadata.labels.as_ref(), label::PROJECT) == Some(label::TRUE)
}

fn annotated(namespace: &Namespace, key: &str) -> bool {
    value(namespace.metadata.annotations.as_ref(), key) == Some(label::TRUE)
}

fn value<'a>(map: Option<&'a BTreeMap<String, String>>, key: &str) -> Option<&'a str> {
    map?.get(key).map(String::as_str)
}

/// Counts what a Project has, and how much of it is healthy.
pub fn stats<'a>(
    warehouses: impl IntoIterator<Item = &'a Warehouse>,
    stages: impl IntoIterator<Item = &'a Stage>,
) -> ProjectStats {
    let mut stats = ProjectStats::default();
    for it in warehouses {
        count(
            &mut stats.warehouses,
            it.status
                .as_ref()
                .map_or(&[], |it| it.conditions.as_slice()),
        );
    }
    for it in stages.into_iter().filter(|it| !it.is_control_flow()) {
        count(
            &mut stats.stages,
            it.status
                .as_ref()
                .map_or(&[], |it| it.conditions.as_slice()),
        );
    }
    stats
}

fn count(
    count: &mut Count,
    conditions: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition],
) {
    let healthy = i64::from(condition::is_true(conditions, HEALTHY));
    *count = Count {
        count: count.count + 1,
        health: HealthyCount {
            healthy: count.health.healthy + healthy,
        },
    };
}

#[cfg(test)]
mod tests;
