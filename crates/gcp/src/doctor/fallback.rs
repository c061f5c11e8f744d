//! Which Projects the controller would act for with its own identity, by what was tried or, at a desk, by what is granted.

use super::accounts::{create_and_grant, minting};
use super::{Answer, Verdict};
use crate::Fallback;
use crate::facts::{Facts, Gap, Reason, Right, Seen, right};
use crate::setup::Fix;
use crate::setup::repair::repository::{kubernetes_account, reading_as_kubernetes_account};

/// Why a Project does not act as its own account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lack {
    Account,
    Right,
}

pub(super) fn mode(facts: &Facts) -> Answer {
    if facts.intent.fallback == Fallback::Deny {
        return Ok(Verdict::pass(
            "no Project falls back to the controller's identity",
        ));
    }
    let (mut falling, mut unseen) = (Vec::new(), Vec::new());
    for project in facts.intent.projects.keys() {
        match falls(facts, project) {
            Ok(Some(lack)) => falling.push((project.as_str(), lack)),
            Ok(None) => {}
            Err(gap) => unseen.push(Gap {
                why: format!("whether {project} falls back: {}", gap.why),
                ..gap
            }),
        }
    }
    if !falling.is_empty() {
        return Ok(warned(facts, &falling));
    }
    // What was asked in vain is worse than what nobody asked.
    match unseen.into_iter().min_by_key(|it| it.skipped) {
        Some(gap) => Err(gap),
        None => Ok(Verdict::pass(
            "each Project acts as itself, or may not fall back",
        )),
    }
}

fn warned(facts: &Facts, falling: &[(&str, Lack)]) -> Verdict {
    let is_read = |(it, _): &(&str, Lack)| {
        let seen = facts.project(it);
        seen.fallback.found().is_ok() && seen.kubernetes_account.found().is_ok()
    };
    let unless = if falling.iter().all(is_read) {
        ""
    } else {
        ", unless the cluster, which was not read, has it otherwise"
    };
    let names: Vec<_> = falling.iter().map(|(name, _)| *name).collect();
    let says = format!(
        "{} would use the controller's identity{unless}",
        names.join(", ")
    );
    let fix = identities_of_their_own(facts, falling);
    Verdict::warn(
        &says,
        fix.and_advice("afterwards choose deny or if-absent: --gcp-identity-fallback"),
    )
}

/// Gives each Project what it lacks: its account and the controller's role on it, or a Kubernetes account where no
/// service account can have its name.
fn identities_of_their_own(facts: &Facts, falling: &[(&str, Lack)]) -> Fix {
    let (mut actions, mut without_name) = (Vec::new(), Vec::new());
    for (project, lack) in falling {
        match (facts.account_of(project), lack) {
            (Ok(Ok(email)), Lack::Account) => {
                let both = create_and_grant(facts, project, &email);
                actions.extend(both.into_iter().flatten());
            }
            (Ok(Ok(email)), Lack::Right) => actions.extend(minting(facts, &email)),
            (Ok(Err(_)), _) => {
                actions.extend(reading_as_kubernetes_account(facts, project));
                without_name.push(project);
            }
            // Without the controller's project nothing is known to fall.
            (Err(_), _) => {}
        }
    }
    let grants = Fix::by(actions);
    without_name
        .into_iter()
        .fold(grants, |fix, project| kubernetes_account(project).then(fix))
}

/// Says whether the controller acts for a Project, and for want of what, under the policy that the Project may have
/// tightened.
fn falls(facts: &Facts, project: &str) -> Result<Option<Lack>, Gap> {
    let seen = facts.project(project);
    // A Kubernetes account that exists is never passed over, whether or not its token can be had.
    if seen.kubernetes_account.known().is_ok() {
        return Ok(None);
    }
    let wish = seen.fallback;
    // A policy that was not read can only be stricter, which whoever does not fall need not know.
    let wish = wish.found().ok().flatten().cloned().flatten();
    let (policy, _) = facts.intent.fallback.tightened(wish.as_deref());
    Ok(match policy {
        Fallback::Deny => None,
        Fallback::IfAbsent => lack(facts, project, policy)?.filter(|it| *it == Lack::Account),
        Fallback::Allow => lack(facts, project, policy)?,
    })
}

/// Finds what a Project lacks; what was tried counts for more than what is granted.
fn lack(facts: &Facts, project: &str, policy: Fallback) -> Result<Option<Lack>, Gap> {
    if facts.account_of(project)?.is_err() {
        return Ok(Some(Lack::Account));
    }
    let mint = facts.project(project).mint;
    match &mint.seen {
        Seen::Known(_) => Ok(None),
        Seen::Absent => Ok(Some(Lack::Account)),
        Seen::Denied(it) if it.reason == Reason::MissingPermission => Ok(Some(Lack::Right)),
        // Nobody acts while Google has not said who may, so what it would say is taken from what is granted.
        Seen::Denied(_) | Seen::Unreachable { .. } | Seen::Skipped => {
            let granted = by_grants(facts, project, policy);
            granted.map_err(|gap| match mint.known() {
                Err(tried) if !tried.skipped => tried,
                _ => gap,
            })
        }
    }
}

fn by_grants(facts: &Facts, project: &str, policy: Fallback) -> Result<Option<Lack>, Gap> {
    let seen = facts.project(project);
    if seen.account.found()?.is_none() {
        return Ok(Some(Lack::Account));
    }
    if policy != Fallback::Allow {
        return Ok(None);
    }
    match right(facts, &seen)? {
        Right::OnAccount { .. } | Right::Above { .. } => Ok(None),
        Right::None => Ok(Some(Lack::Right)),
    }
}
