//! Which Promotion of a Stage runs next, and how its phase moves.
//!
//! A Promotion waits until its Stage names it as current, runs its steps once, and ends once. Only one Promotion of a
//! Stage is current at a time; names are in the order of creation, and that order is the queue.

use std::{cmp::Ordering, time::Duration};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use resources::{
    Freight, FreightCollection, Promotion, PromotionPhase, PromotionStatus, Stage, StepStatus,
    names::annotation, request::VerificationRequest,
};

use crate::{
    Again,
    availability::{self, Availability},
    message::with_next,
};

/// How often a Promotion that waits for something outside is looked at, if its step does not say.
pub const POLL: Duration = Duration::from_mins(5);

/// The shortest time a step may ask to wait.
pub const SHORTEST_WAIT: Duration = Duration::from_secs(10);

/// Orders the Promotions of a Stage by what it should do first: go on with what runs, then the oldest that waits.
pub fn by_urgency(one: &Promotion, another: &Promotion) -> Ordering {
    let rank = |it: &Promotion| match (it.is_running(), it.is_terminal()) {
        (true, _) => 0,
        (false, false) => 1,
        (false, true) => 2,
    };
    let by_name = || {
        if one.is_terminal() {
            another.name().cmp(one.name())
        } else {
            one.name().cmp(another.name())
        }
    };
    rank(one).cmp(&rank(another)).then_with(by_name)
}

/// What is known of the task that runs a Promotion's steps.
#[derive(Clone, Debug, PartialEq)]
pub enum Work {
    /// There is none, in this process.
    None,
    Running,
    Ended(End),
}

/// How the task ended.
#[derive(Clone, Debug, PartialEq)]
pub enum End {
    /// All steps are done with, for better or worse.
    Finished {
        phase: PromotionPhase,
        message: String,
    },
    /// A step waits for something outside and asks to be tried again after this long.
    Waiting { after: Option<Duration> },
    /// A step failed and may be tried again.
    Retrying { message: String },
    /// It was told to stop between two looks at the world.
    Stopped,
    /// Its progress could not be stored because the API refuses it, however often it is asked.
    Unstorable { message: String },
}

/// All that a decision about a Promotion rests on.
#[derive(Clone, Debug)]
pub struct Seen<'a> {
    pub now: Timestamp,
    /// The Promotion with the progress its task has stored so far.
    pub promotion: &'a Promotion,
    pub stage: Option<&'a Stage>,
    pub freight: Option<&'a Freight>,
    pub work: Work,
}

/// What to do about a Promotion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing but what the status says.
    Rest,
    /// Start the task that runs the steps.
    Start,
    /// Tell the task to stop; its end is awaited.
    Stop,
    /// Tell people how it ended, and remove what it left on disk.
    End,
    /// It is over: stop what may still run, remove what it left on disk.
    CleanUp,
}

/// What a decision comes to: a status, an act, and when to look again.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    pub status: PromotionStatus,
    pub act: Act,
    pub again: Again,
    /// What to ask the Stage for once the status is stored.
    pub reverify: Option<VerificationRequest>,
}

/// Decides what a Promotion needs next.
pub fn decide(seen: &Seen<'_>) -> Plan {
    let mut status = seen.promotion.status.clone().unwrap_or_default();
    if let Some(refresh) = seen.promotion.annotation(annotation::REFRESH) {
        refresh.clone_into(&mut status.last_handled_refresh);
    }
    if seen.promotion.is_terminal() || seen.promotion.is_terminating() {
        return plan(status, Act::CleanUp, Again::OnChange);
    }
    if let Work::Ended(End::Finished { phase, message }) = &seen.work {
        return finished(seen, status, phase.clone(), message.clone());
    }
    if let Work::Ended(End::Unstorable { message }) = &seen.work {
        return finished(seen, status, PromotionPhase::Errored, message.clone());
    }
    if let Some(request) = seen
        .promotion
        .abort_request()
        .filter(resources::request::AbortRequest::is_terminate)
    {
        if seen.work == Work::Running {
            return plan(status, Act::Stop, Again::OnceDone);
        }
        let actor = if request.actor.is_empty() {
            "the control plane"
        } else {
            &request.actor
        };
        return aborted(seen, status, &format!("Promotion terminated by {actor}"));
    }
    match &seen.work {
        Work::Running => plan(status, Act::Rest, Again::OnceDone),
        Work::Ended(End::Waiting { after }) => {
            let again = Again::After(after.map_or(POLL, |it| it.max(SHORTEST_WAIT)));
            plan(status, Act::Rest, again)
        }
        Work::Ended(End::Retrying { message }) => {
            status.message.clone_from(message);
            plan(status, Act::Rest, Again::AfterError)
        }
        Work::None | Work::Ended(End::Stopped) => start(seen, status),
        Work::Ended(End::Finished { .. } | End::Unstorable { .. }) => {
            unreachable!("answered above")
        }
    }
}

/// Decides about a Promotion that nobody works on: it waits for its turn, or its steps start.
fn start(seen: &Seen<'_>, mut status: PromotionStatus) -> Plan {
    if status.phase.is_none() {
        status.phase = Some(PromotionPhase::Pending);
    }
    let namespace = seen.promotion.namespace();
    let Some(stage) = seen.stage else {
        let message = format!("Stage {:?} does not exist", seen.promotion.spec.stage);
        status.message = with_next(
            message,
            format!("see which there are: kubectl get stages --namespace {namespace}"),
        );
        return plan(status, Act::Rest, Again::AfterError);
    };
    let current = stage
        .status
        .as_ref()
        .and_then(|it| it.current_promotion.as_ref());
    if current.is_none_or(|it| it.name != seen.promotion.name()) {
        return plan(status, Act::Rest, Again::OnChange);
    }
    let Some(freight) = seen.freight else {
        let message = format!("Freight {:?} does not exist", seen.promotion.spec.freight);
        let message = with_next(
            message,
            format!("see which there is: kubectl get freight --namespace {namespace}"),
        );
        return finished(seen, status, PromotionPhase::Errored, message);
    };
    if availability::available(stage, freight, seen.now) != Availability::Now {
        let message = format!(
            "Freight {:?} is not available to Stage {:?}",
            freight.name(),
            stage.name()
        );
        let message = with_next(
            message,
            format!(
                "see where it was verified: kubectl get freight {} --namespace {namespace} -o yaml",
                freight.name()
            ),
        );
        return finished(seen, status, PromotionPhase::Errored, message);
    }
    if status.phase != Some(PromotionPhase::Running) {
        status.phase = Some(PromotionPhase::Running);
        status.started_at = Some(Time(seen.now));
        status.message.clear();
    }
    status.freight = Some(freight.reference());
    status.freight_collection = Some(collection(stage, freight));
    plan(status, Act::Start, Again::OnceDone)
}

/// Gives what the Stage will hold afterwards: the new Freight, and from other origins that are still requested what the
/// last Promotion brought.
pub fn collection(stage: &Stage, freight: &Freight) -> FreightCollection {
    let last = stage
        .status
        .as_ref()
        .and_then(|it| it.last_promotion.as_ref());
    let before = last
        .and_then(|it| it.status.as_ref())
        .and_then(|it| it.freight_collection.as_ref());
    let kept = stage
        .spec
        .requested_freight
        .iter()
        .filter(|it| it.origin != freight.origin);
    let kept = kept.filter_map(|it| {
        before
            .and_then(|before| before.of_origin(&it.origin))
            .cloned()
    });
    FreightCollection::of(kept.chain([freight.reference()]))
}

fn finished(
    seen: &Seen<'_>,
    mut status: PromotionStatus,
    phase: PromotionPhase,
    message: String,
) -> Plan {
    status.message = message;
    status.finished_at = Some(Time(seen.now));
    let reverify = (phase == PromotionPhase::Succeeded)
        .then(|| reverification(seen))
        .flatten();
    status.phase = Some(phase);
    Plan {
        reverify,
        ..plan(status, Act::End, Again::OnChange)
    }
}

fn aborted(seen: &Seen<'_>, mut status: PromotionStatus, message: &str) -> Plan {
    for step in &mut status.step_execution_metadata {
        if step.status == Some(StepStatus::Running) {
            step.status = Some(StepStatus::Aborted);
            step.finished_at = Some(Time(seen.now));
        }
    }
    finished(seen, status, PromotionPhase::Aborted, message.to_owned())
}

/// Asks for a new verification where Freight was promoted that is in the Stage already.
fn reverification(seen: &Seen<'_>) -> Option<VerificationRequest> {
    let current = seen.stage?.status.as_ref()?.freight_history.first()?;
    if !current.includes(&seen.promotion.spec.freight) {
        return None;
    }
    let id = current.current_verification()?.id.clone();
    let actor = seen.promotion.create_actor().unwrap_or_default().to_owned();
    Some(VerificationRequest {
        id,
        actor,
        control_plane: true,
    })
}

fn plan(status: PromotionStatus, act: Act, again: Again) -> Plan {
    Plan {
        status,
        act,
        again,
        reverify: None,
    }
}

#[cfg(test)]
mod tests;
