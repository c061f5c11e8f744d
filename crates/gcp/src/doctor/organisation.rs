//! Checks of what stands above a project: organisation policies and perimeters.

use std::collections::BTreeSet;

use super::{Answer, Verdict, key_limits, lists};
use crate::facts::{Denial, Facts, OrganisationPolicy, Reading, Reason, Seen, Source};
use crate::principal::ProjectId;
use crate::setup::repair::organisation::{self, Exception};
use crate::setup::{BASELINE, Baseline, Fix, HARDENING};

/// Constraints that forbid what `setup` does if they are enforced.
const BLOCKERS: &[(&str, &str)] = &[
    (
        "iam.disableServiceAccountCreation",
        "no account can be made for a Project here",
    ),
    (
        "iam.managed.disableServiceAccountCreation",
        "no account can be made for a Project here",
    ),
    (
        "iam.disableWorkloadIdentityClusterCreation",
        "no cluster with a workload pool can be made",
    ),
];

/// The constraint that says which services may be on at all.
pub const USABLE_SERVICES: &str = "gcp.restrictServiceUsage";
/// The constraint that lists accounts whose tokens may live longer than an hour.
const LONG_LIVES: &str = "iam.allowServiceAccountCredentialLifetimeExtension";

const REACHES_EVERYTHING: &str = "each is for all of the project, and keeps clusters and buckets that were built otherwise from \
    being changed: look first; argosy gcp setup --org-policies=all plans them";

/// The services that a perimeter has to let the controller and the accounts of Projects reach.
const GUARDED: [&str; 2] = [
    "iamcredentials.googleapis.com",
    "artifactregistry.googleapis.com",
];

/// Lists the constraints that are looked at, without `constraints/`.
pub fn constraints() -> impl Iterator<Item = &'static str> {
    let blockers = BLOCKERS.iter().map(|(constraint, _)| *constraint);
    let baseline = BASELINE.iter().chain(HARDENING);
    blockers
        .chain(baseline.flat_map(Baseline::names))
        .chain([USABLE_SERVICES, LONG_LIVES])
        .chain(key_limits::LIMITS)
        .chain(lists::LISTS)
}

/// Looks at every refusal there was: any of them may speak of a perimeter.
pub(super) fn perimeter(facts: &Facts) -> Verdict {
    let uses = facts.projects.values().flat_map(|it| it.uses.values());
    let of_uses = uses.flat_map(|it| {
        [
            outcome(&it.pull),
            outcome(&it.permissions),
            outcome(&it.listing),
        ]
    });
    let seen = facts.projects.values();
    let mints = seen.flat_map(|it| [outcome(&it.mint), outcome(&it.kubernetes_token)]);
    let direct = facts.pod.direct_permissions.values().map(outcome);
    let own = [
        outcome(&facts.pod.impersonation_probe),
        outcome(&facts.pod.project_permissions),
    ];
    let asked = own.into_iter().chain(mints).chain(of_uses).chain(direct);
    let asked: Vec<_> = asked.flatten().collect();
    let refused = asked.iter().find_map(|(outcome, source)| match outcome {
        Outcome::Refused(denial) => match &denial.reason {
            Reason::Perimeter { id } => Some((id.clone().unwrap_or_default(), *source)),
            _ => None,
        },
        Outcome::Answered | Outcome::Silent { .. } => None,
    });
    if let Some((id, source)) = refused {
        let says = format!("a service perimeter refused a request ({id})");
        let fix = organisation::let_in(facts, &GUARDED);
        return Verdict::fail(&says, fix).evidence(vec![source.clone()]);
    }
    let silent = |it: &(Outcome<'_>, &Source)| matches!(it.0, Outcome::Silent { .. });
    match asked.first() {
        None => Verdict::skip("nothing was asked that could be refused"),
        Some((Outcome::Silent { why }, source)) if asked.iter().all(silent) => {
            Verdict::unknown(&format!("nothing that was asked was answered: {why}"))
                .evidence(vec![(*source).clone()])
        }
        Some(_) => Verdict::pass("no refusal speaks of one"),
    }
}

/// What became of a request that a perimeter could refuse.
enum Outcome<'a> {
    Refused(&'a Denial),
    Answered,
    Silent { why: &'a str },
}

/// Says what became of a request, and which it was; none where nobody asked.
fn outcome<T>(reading: &Reading<T>) -> Option<(Outcome<'_>, &Source)> {
    let outcome = match &reading.seen {
        Seen::Skipped => return None,
        Seen::Denied(denial) => Outcome::Refused(denial),
        Seen::Known(_) | Seen::Absent => Outcome::Answered,
        Seen::Unreachable { why } => Outcome::Silent { why },
    };
    Some((outcome, &reading.source))
}

pub(super) fn blockers(facts: &Facts) -> Vec<(String, Answer)> {
    let switches = BLOCKERS.iter().map(|(constraint, says)| {
        let judge = |it: &OrganisationPolicy| {
            let off = (*says).to_owned();
            it.is_enforced().then_some((off, Exception::NotEnforced))
        };
        (*constraint, judged(facts, constraint, judge))
    });
    let all = switches.chain(lists::answers(facts));
    let all = all.map(|(constraint, answer)| (constraint.to_owned(), answer));
    all.chain(services(facts)).collect()
}

/// Says of each project whether the services may be on that are needed in it: each is under its own policies.
fn services(facts: &Facts) -> Vec<(String, Answer)> {
    let own = facts.organisation.get(USABLE_SERVICES).cloned();
    let own = own.unwrap_or_default();
    let home = match facts.home.known() {
        Ok(home) => (&home.project, &own),
        Err(gap) => return vec![(USABLE_SERVICES.to_owned(), Err(gap))],
    };
    let others = facts.registry_service_limits.iter();
    let others = others.filter(|(project, _)| *project != home.0);
    let mut answers = vec![(USABLE_SERVICES.to_owned(), usable(facts, home.0, home.1))];
    answers.extend(others.map(|(project, reading)| {
        let subject = format!("{USABLE_SERVICES} in {project}");
        (subject, usable(facts, project, reading))
    }));
    answers
}

fn usable(facts: &Facts, project: &ProjectId, reading: &Reading<OrganisationPolicy>) -> Answer {
    let Some(policy) = reading.found()? else {
        return Ok(Verdict::pass("it is not set").seen(reading));
    };
    let all = facts.needed_services();
    let needed = all.iter().filter(|it| it.project == *project);
    let needed: BTreeSet<_> = needed.map(|it| it.service.as_str()).collect();
    let Some(refused) = needed.iter().find(|it| !policy.allows(it)) else {
        return Ok(plain().seen(reading));
    };
    let says = format!("{refused} may not be used in {project}");
    let exception = letting(policy, needed);
    let fix = organisation::except_in(project, USABLE_SERVICES, &exception);
    Ok(Verdict::fail(&says, fix).seen(reading))
}

/// Lets some values pass a list, and nothing else that it does not let pass.
fn letting(policy: &OrganisationPolicy, needed: BTreeSet<&str>) -> Exception {
    let denied = || policy.denied_values();
    if !policy.denies_all() && denied().next().is_some() {
        let kept = denied().filter(|it| !needed.contains(it));
        return Exception::AllBut(kept.map(str::to_owned).collect());
    }
    let allowed: BTreeSet<_> = policy.allowed_values().chain(needed).collect();
    Exception::Only(allowed.into_iter().map(str::to_owned).collect())
}

pub(super) fn baseline(facts: &Facts) -> Vec<(String, Answer)> {
    let wanted = BASELINE.iter().map(|wanted| {
        let answer = facts.baseline_met(wanted).and_then(|met| {
            let verdict = if met {
                Verdict::pass(&format!("it prevents {}", wanted.prevents))
            } else {
                let set = wanted.action(&facts.home.known()?.project);
                let says = format!("it would prevent {}", wanted.prevents);
                Verdict::warn(&says, Fix::by(vec![set]))
            };
            Ok(verdict.evidence(sources(facts, wanted)))
        });
        (wanted.constraint.to_owned(), answer)
    });
    let long_lives = judged(facts, LONG_LIVES, |policy| {
        if policy.allows_all() {
            let says = "tokens of every account may live longer than an hour".to_owned();
            return Some((says, Exception::Nothing));
        }
        let is_ours = |it: &&str| it.contains(crate::principal::ACCOUNT_PREFIX);
        let account = policy.allowed_values().find(is_ours)?;
        let says = format!("tokens of {account} may live longer than an hour");
        let others = policy.allowed_values().filter(|it| !is_ours(it));
        let others: Vec<_> = others.map(str::to_owned).collect();
        let exception = if others.is_empty() {
            Exception::Nothing
        } else {
            Exception::Only(others)
        };
        Some((says, exception))
    });
    let limits = key_limits::answers(facts);
    let limits = limits.into_iter().chain([(LONG_LIVES, long_lives)]);
    wanted
        .chain(limits.map(|(constraint, answer)| (constraint.to_owned(), answer)))
        .collect()
}

/// Says where it was read whether a constraint is in force.
pub(super) fn sources(facts: &Facts, wanted: &Baseline) -> Vec<Source> {
    let readings = wanted.names().filter_map(|it| facts.organisation.get(it));
    readings.map(|it| it.source.clone()).collect()
}

/// Says in one line which constraints would make nodes and buckets harder to take.
pub(super) fn hardening(facts: &Facts) -> Answer {
    let (mut missing, mut gap) = (Vec::new(), None);
    for wanted in HARDENING {
        match facts.baseline_met(wanted) {
            Ok(true) => {}
            Ok(false) => missing.push(wanted),
            Err(found) => gap = gap.or(Some(found)),
        }
    }
    if let (true, Some(gap)) = (missing.is_empty(), gap) {
        return Err(gap);
    }
    let read = HARDENING.iter().flat_map(|it| sources(facts, it)).collect();
    if missing.is_empty() {
        return Ok(Verdict::pass("every constraint is in force").evidence(read));
    }
    let home = &facts.home.known()?.project;
    let set = missing.iter().map(|it| it.action(home)).collect();
    let named: Vec<_> = missing
        .iter()
        .map(|it| format!("{} ({})", it.constraint, it.prevents))
        .collect();
    let says = format!(
        "not in force, with what each prevents: {}",
        named.join(", ")
    );
    let fix = Fix::by(set).and_advice(REACHES_EVERYTHING);
    Ok(Verdict::warn(&says, fix).evidence(read))
}

/// Fails where a constraint stands in the way, with what `judge` says of it and how it has to be instead.
fn judged(
    facts: &Facts,
    constraint: &str,
    judge: impl Fn(&OrganisationPolicy) -> Option<(String, Exception)>,
) -> Answer {
    judged_by(facts, constraint, |policy| {
        Ok(match judge(policy) {
            None => plain(),
            Some((says, exception)) => {
                let fix = organisation::except(facts, constraint, &exception);
                Verdict::fail(&says, fix)
            }
        })
    })
}

/// Says what `judge` says of a constraint, where it is set.
pub(super) fn judged_by(
    facts: &Facts,
    constraint: &str,
    judge: impl Fn(&OrganisationPolicy) -> Answer,
) -> Answer {
    let reading = facts
        .organisation
        .get(constraint)
        .cloned()
        .unwrap_or_default();
    let Some(policy) = reading.found()? else {
        return Ok(Verdict::pass("it is not set").seen(&reading));
    };
    Ok(judge(policy)?.seen(&reading))
}

pub(super) fn plain() -> Verdict {
    Verdict::pass("it does not stand in the way")
}
