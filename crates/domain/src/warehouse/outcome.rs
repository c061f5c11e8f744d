//! What follows from what was discovered.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    FreightCreationPolicy, WarehouseStatus,
    condition::{
        FALSE, FREIGHT_CREATED, FREIGHT_CREATION_CRITERIA_SATISFIED, READY, RECONCILING, TRUE,
    },
};

use super::{
    Act, Conditions, DISCOVERY_FAILED, Discovery, Failure, Plan, Seen, cost, discovered_generation,
    identity, merged, next_discovery, remarks,
};
use crate::{
    Again, criteria,
    freight::{self, Lack},
    message::with_next,
};

const DISCOVERED: &str = "all subscriptions have answered";

/// Decides what follows from a discovery.
pub(super) fn decide(seen: &Seen<'_>, discovery: &Discovery, mut status: WarehouseStatus) -> Plan {
    let failures: Vec<&Failure> = discovery
        .answers
        .iter()
        .filter_map(|it| it.as_ref().err())
        .collect();
    // Before the conditions say it of this discovery.
    let is_same_spec = discovered_generation(&status) == discovery.generation;
    let mut conditions = Conditions::new(seen, &mut status);
    if let Some(identities) = &discovery.identities {
        identity::tell(&mut conditions, identities);
    }
    remarks::tell(&mut conditions, &discovery.remarks);
    cost::tell(&mut conditions, &discovery.cost);
    let before = status.discovered_artifacts.take();
    let mut found = merged(&discovery.answers, before.as_ref().filter(|_| is_same_spec));
    if !failures.is_empty() {
        found.discovered_at = before.and_then(|it| it.discovered_at);
        status.discovered_artifacts = Some(found);
        let message = failures
            .iter()
            .map(|it| format!("{}: {}", it.subscription, it.message))
            .collect::<Vec<_>>()
            .join("; ");
        Conditions::new(seen, &mut status).fail(DISCOVERY_FAILED, "DiscoveryFailure", &message);
        return Plan {
            status,
            act: Act::Rest,
            again: Again::AfterError,
        };
    }
    found.discovered_at = Some(Time(seen.now));
    status.observed_generation = discovery.generation;
    if let Some(refresh) = &discovery.refresh {
        status.last_handled_refresh.clone_from(refresh);
    }
    let plan = |status, act| Plan {
        again: next_discovery(seen, &status),
        status,
        act,
    };

    let freight = match freight::build(seen.warehouse, &found) {
        Ok(freight) => freight,
        Err(lack) => {
            status.discovered_artifacts = Some(found);
            let (healthy, ready, message) = lacking(lack);
            Conditions::new(seen, &mut status).fail(healthy, ready, message);
            return plan(status, Act::Rest);
        }
    };
    let satisfied = criteria::satisfied(
        seen.warehouse.spec.freight_creation_criteria.as_ref(),
        &found,
        seen.now,
    );
    status.discovered_artifacts = Some(found);
    let wanted = seen.warehouse.spec.freight_creation_policy == FreightCreationPolicy::Automatic;
    let mut conditions = Conditions::new(seen, &mut status);
    if !wanted {
        conditions.succeed(DISCOVERED);
        return plan(status, Act::Rest);
    }
    match satisfied {
        Err(error) => {
            let message = with_next(
                format!("failed to evaluate freightCreationCriteria: {error}"),
                "correct the expression in the Warehouse's spec",
            );
            conditions.fail(
                "CriteriaEvaluationFailed",
                "CriteriaEvaluationFailed",
                &message,
            );
            plan(status, Act::Rest)
        }
        Ok(false) => {
            let message = "what was found does not satisfy freightCreationCriteria";
            conditions.set(
                FREIGHT_CREATION_CRITERIA_SATISFIED,
                FALSE,
                "CriteriaNotSatisfied",
                message,
            );
            conditions.succeed(DISCOVERED);
            plan(status, Act::Rest)
        }
        Ok(true) => {
            conditions.set(
                FREIGHT_CREATION_CRITERIA_SATISFIED,
                TRUE,
                "CriteriaSatisfied",
                "Freight may be made of what was found",
            );
            conditions.set(
                RECONCILING,
                TRUE,
                "FreightCreationInProgress",
                "making Freight of what was found",
            );
            conditions.set(
                READY,
                FALSE,
                "AwaitingFreightCreation",
                "making Freight of what was found",
            );
            plan(status, Act::Create(Box::new(freight)))
        }
    }
}

/// Gives the reasons for Healthy and Ready, and the message.
fn lacking(lack: Lack) -> (&'static str, &'static str, &'static str) {
    match lack {
        Lack::Artifacts => (
            "MissingArtifacts",
            "MissingArtifacts",
            "no subscription found anything",
        ),
        Lack::Commits => (
            "NoCommitsDiscovered",
            "MissingCommits",
            "a Git repository has no commit that fits its subscription",
        ),
        Lack::Images => (
            "NoImageReferencesDiscovered",
            "MissingImageReferences",
            "an image repository has no image that fits its subscription",
        ),
        Lack::Versions => (
            "NoChartVersionsDiscovered",
            "MissingChartVersions",
            "a chart repository has no version that fits its subscription",
        ),
        Lack::References => (
            "MissingArtifacts",
            "MissingArtifacts",
            "a subscription found no artifact",
        ),
    }
}

/// How an attempt to make Freight went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Creation {
    /// The API gave it this name.
    Created { name: String },
    /// The same combination had been made before.
    AlreadyExists { name: String },
    Failed {
        message: String,
        /// What to do about it.
        next: String,
    },
}

/// Says in the status how making Freight went, and when to look again.
pub fn created(
    seen: &Seen<'_>,
    mut status: WarehouseStatus,
    creation: &Creation,
) -> (WarehouseStatus, Again) {
    let again = next_discovery(seen, &status);
    match creation {
        Creation::Created { name } => {
            status.last_freight_id.clone_from(name);
            let mut conditions = Conditions::new(seen, &mut status);
            conditions.set(
                FREIGHT_CREATED,
                TRUE,
                "NewFreight",
                &format!("made Freight {name:?}"),
            );
            conditions.succeed(DISCOVERED);
            (status, again)
        }
        Creation::AlreadyExists { name } => {
            status.last_freight_id.clone_from(name);
            let mut conditions = Conditions::new(seen, &mut status);
            conditions.set(
                FREIGHT_CREATED,
                FALSE,
                "AlreadyExists",
                &format!("Freight {name:?} holds just this"),
            );
            conditions.succeed(DISCOVERED);
            (status, again)
        }
        Creation::Failed { message, next } => {
            // Discovery is repeated with the attempt, since nothing else would be.
            if let Some(found) = &mut status.discovered_artifacts {
                found.discovered_at = None;
            }
            let message = with_next(format!("failed to create Freight: {message}"), next);
            Conditions::new(seen, &mut status).fail(
                "FreightBuildFailure",
                "FreightCreationFailure",
                &message,
            );
            (status, Again::AfterError)
        }
    }
}
