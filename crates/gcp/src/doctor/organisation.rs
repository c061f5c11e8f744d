//! Checks of what stands above a project: denials, organisation policies, perimeters, and the fallback that was chosen.

use super::{Answer, Verdict};
use crate::Fallback;
use crate::facts::{Denial, DenyRule, Facts, OrganisationPolicy, Reading, Reason, Seen, Source};
use crate::policy::{DOWNLOAD, MINT};
use crate::setup::{Action, BASELINE, Fix, Wish};

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
const USABLE_SERVICES: &str = "gcp.restrictServiceUsage";
/// The constraint that lists accounts whose tokens may live longer than an hour.
const LONG_LIVES: &str = "iam.allowServiceAccountCredentialLifetimeExtension";

/// Lists the constraints that are looked at, without `constraints/`.
pub fn constraints() -> impl Iterator<Item = &'static str> {
    let blockers = BLOCKERS.iter().map(|(constraint, _)| *constraint);
    let baseline = BASELINE
        .iter()
        .flat_map(|it| std::iter::once(it.constraint).chain(it.or));
    blockers
        .chain(baseline)
        .chain([USABLE_SERVICES, LONG_LIVES])
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
    let mints = facts.projects.values().map(|it| outcome(&it.mint));
    let direct = facts.pod.direct_permissions.values().map(outcome);
    let own = [
        outcome(&facts.pod.impersonation_probe),
        outcome(&facts.pod.project_permissions),
    ];
    let asked = own.into_iter().chain(mints).chain(of_uses).chain(direct);
    let asked: Vec<_> = asked.flatten().collect();
    let mut refused = asked
        .iter()
        .filter_map(|(denial, source)| match &(*denial)?.reason {
            Reason::Perimeter { id } => Some((id.clone().unwrap_or_default(), source)),
            _ => None,
        });
    match refused.next() {
        None if asked.is_empty() => Verdict::skip("nothing was asked that could be refused"),
        None => Verdict::pass("no refusal speaks of one"),
        Some((id, source)) => Verdict::fail(&format!("a service perimeter refused a request ({id})"))
            .evidence(vec![(*source).clone()])
            .fix(Fix::advice("give the id to whoever runs the perimeter: it needs an ingress rule for the Project's account")),
    }
}

/// Gives why a request was refused, if it was, and which it was; none where nobody asked.
fn outcome<T>(reading: &Reading<T>) -> Option<(Option<&Denial>, &Source)> {
    match &reading.seen {
        Seen::Skipped => None,
        Seen::Denied(denial) => Some((Some(denial), &reading.source)),
        Seen::Known(_) | Seen::Absent | Seen::Unreachable { .. } => Some((None, &reading.source)),
    }
}

pub(super) fn fallback(facts: &Facts) -> Verdict {
    let falls = facts.intent.projects.keys().filter(|it| {
        let seen = facts.project(it);
        let has_none =
            matches!(facts.account_of(it), Ok(Err(_))) || matches!(seen.mint.seen, Seen::Absent);
        let is_refused =
            matches!(&seen.mint.seen, Seen::Denied(it) if it.reason == Reason::MissingPermission);
        has_none || (is_refused && facts.intent.fallback == Fallback::Allow)
    });
    let names = falls.map(String::as_str).collect::<Vec<_>>().join(", ");
    match (facts.intent.fallback, names.is_empty()) {
        (Fallback::Deny, _) => Verdict::pass("no Project falls back to the controller's identity"),
        (_, true) => {
            Verdict::pass("every Project has an identity of its own, as far as was looked")
        }
        (_, false) => {
            Verdict::warn(&format!("{names} would use the controller's identity")).fix(Fix::advice(
                "set up their accounts with argosy gcp setup, then choose deny or if-absent",
            ))
        }
    }
}

pub(super) fn deny_rules(facts: &Facts) -> Vec<(String, Answer)> {
    if facts.deny_rules.is_empty() {
        let nobody = Reading::<()>::default().known().map(|()| Verdict::pass(""));
        return vec![(String::new(), nobody)];
    }
    let all = facts.deny_rules.iter();
    all.map(|(name, reading)| (name.clone(), denied(reading)))
        .collect()
}

fn denied(reading: &Reading<Vec<DenyRule>>) -> Answer {
    let wanted = [MINT, DOWNLOAD].map(in_words_of_denials);
    let mut matching = reading.known()?.iter().filter(|rule| {
        rule.denied_permissions.iter().any(|denied| {
            wanted.iter().any(|it| {
                it == denied
                    || denied
                        .strip_suffix('*')
                        .is_some_and(|start| it.starts_with(start))
            })
        })
    });
    Ok(match matching.next() {
        None => Verdict::pass("no rule names what the chain needs"),
        Some(rule) => Verdict::warn(&format!(
            "{} denies {}",
            rule.policy,
            rule.denied_permissions.join(", ")
        ))
        .fix(Fix::advice(
            "check whether it names the controller or the accounts of Projects, and except them",
        )),
    }
    .seen(reading))
}

pub(super) fn blockers(facts: &Facts) -> Vec<(String, Answer)> {
    let switches = BLOCKERS.iter().map(|(constraint, says)| {
        (
            *constraint,
            judged(facts, constraint, |it| {
                (!it.is_enforced()).then_some(()).ok_or((*says).to_owned())
            }),
        )
    });
    let services = judged(facts, USABLE_SERVICES, |policy| {
        let needed = facts.needed_services();
        match needed.iter().find(|it| !policy.allows(&it.service)) {
            Some(it) => Err(format!("{} may not be used", it.service)),
            None => Ok(()),
        }
    });
    let all = switches.chain([(USABLE_SERVICES, services)]);
    all.map(|(constraint, answer)| (constraint.to_owned(), answer))
        .collect()
}

pub(super) fn baseline(facts: &Facts) -> Vec<(String, Answer)> {
    let wanted = BASELINE.iter().map(|wanted| {
        let answer = facts.baseline_met(wanted).map(|met| {
            if met {
                Verdict::pass(&format!("it prevents {}", wanted.prevents))
            } else {
                Verdict::warn(&format!("it would prevent {}", wanted.prevents)).fix(set(
                    facts,
                    wanted.constraint,
                    wanted.wish,
                ))
            }
        });
        (wanted.constraint.to_owned(), answer)
    });
    let long_lives = judged(facts, LONG_LIVES, |policy| {
        match policy
            .allowed_values()
            .find(|it| it.contains(crate::principal::ACCOUNT_PREFIX))
        {
            Some(account) => Err(format!("tokens of {account} may live longer than an hour")),
            None => Ok(()),
        }
    });
    wanted
        .chain([(LONG_LIVES.to_owned(), long_lives)])
        .collect()
}

fn judged(
    facts: &Facts,
    constraint: &str,
    judge: impl Fn(&OrganisationPolicy) -> Result<(), String>,
) -> Answer {
    let reading = facts
        .organisation
        .get(constraint)
        .cloned()
        .unwrap_or_default();
    let Some(policy) = reading.found()? else {
        return Ok(Verdict::pass("it is not set").seen(&reading));
    };
    Ok(match judge(policy) {
        Ok(()) => Verdict::pass("it does not stand in the way"),
        Err(says) => Verdict::fail(&says).fix(Fix::advice(&format!(
            "ask whoever runs the organisation for an exception from {constraint}, for example by a tag"
        ))),
    }
    .seen(&reading))
}

fn set(facts: &Facts, constraint: &str, wish: Wish) -> Fix {
    let Ok(home) = facts.home.known() else {
        return Fix::default();
    };
    Fix::by(vec![Action::SetConstraint {
        project: home.project.clone(),
        constraint: constraint.to_owned(),
        wish,
    }])
}

/// Spells a permission as deny policies do: `iam.serviceAccounts.x` becomes `iam.googleapis.com/serviceAccounts.x`.
fn in_words_of_denials(permission: &str) -> String {
    permission.replacen('.', ".googleapis.com/", 1)
}
