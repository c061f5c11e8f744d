//! Checks of what stands above a project: denials, organisation policies, perimeters, and the fallback that was chosen.

use super::{Answer, Verdict};
use crate::Fallback;
use crate::facts::{Facts, OrganisationPolicy, Reason, Seen};
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

pub(super) fn perimeter(facts: &Facts) -> Verdict {
    let pulls = facts
        .projects
        .values()
        .flat_map(|it| it.uses.values().map(|it| (&it.pull.seen, &it.pull.source)));
    let mints = facts.projects.values().map(|it| match &it.mint.seen {
        Seen::Denied(denial) => (Some(denial), &it.mint.source),
        _ => (None, &it.mint.source),
    });
    let pulls = pulls.map(|(seen, source)| match seen {
        Seen::Denied(denial) => (Some(denial), source),
        _ => (None, source),
    });
    let mut refused = mints
        .chain(pulls)
        .filter_map(|(denial, source)| match &denial?.reason {
            Reason::Perimeter { id } => Some((id.clone().unwrap_or_default(), source.clone())),
            _ => None,
        });
    match refused.next() {
        None => Verdict::pass("no refusal speaks of one"),
        Some((id, source)) => Verdict::fail(&format!("a service perimeter refused a request ({id})"))
            .evidence(vec![source])
            .fix(Fix::advice("give the id to whoever runs the perimeter: it needs an ingress rule for the Project's account")),
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

pub(super) fn deny_rules(facts: &Facts) -> Answer {
    let reading = &facts.deny_rules;
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
