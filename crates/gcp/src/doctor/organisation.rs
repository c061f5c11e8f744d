//! Checks of what stands above a project: denials, organisation policies and perimeters.

use super::{Answer, Verdict};
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
        return Verdict::fail(&format!("a service perimeter refused a request ({id})"))
            .evidence(vec![source.clone()])
            .fix(Fix::advice("give the id to whoever runs the perimeter: it needs an ingress rule for the Project's account"));
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

pub(super) fn deny_rules(facts: &Facts) -> Vec<(String, Answer)> {
    if facts.deny_rules.is_empty() {
        let nobody = Reading::<()>::default().known().map(|()| Verdict::pass(""));
        return vec![(String::new(), nobody)];
    }
    let home = facts.home.known().ok();
    let home = home.map(|it| format!("projects/{}", it.project));
    let all = facts.deny_rules.iter();
    all.map(|(name, reading)| {
        // Accounts are acted as where the controller is; a project of repositories alone has none.
        let holds_accounts = !name.starts_with("projects/") || home.as_ref() == Some(name);
        let wanted: &[&str] = if holds_accounts {
            &[MINT, DOWNLOAD]
        } else {
            &[DOWNLOAD]
        };
        (name.clone(), denied(reading, wanted))
    })
    .collect()
}

fn denied(reading: &Reading<Vec<DenyRule>>, wanted: &[&str]) -> Answer {
    let wanted: Vec<_> = wanted.iter().map(|it| in_words_of_denials(it)).collect();
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
