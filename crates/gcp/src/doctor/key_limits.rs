//! Constraints that limit the keys which exist where keys may be made.

use super::organisation::{judged_by, sources};
use super::{Answer, Verdict};
use crate::facts::Facts;
use crate::setup::BASELINE;
use crate::setup::repair::organisation::{Exception, except};

/// How long a key is good for.
const EXPIRY: &str = "iam.serviceAccountKeyExpiryHours";
/// What Google does with a key that it found in public.
const EXPOSURE: &str = "iam.serviceAccountKeyExposureResponse";

pub(super) const LIMITS: [&str; 2] = [EXPIRY, EXPOSURE];

/// The constraint of the baseline without which keys can be made.
const CREATION: &str = "iam.managed.disableServiceAccountKeyCreation";
/// The longest life that the constraint takes: 90 days.
const LONGEST: &str = "2160h";
const DISABLE: &str = "DISABLE_KEY";
const WAIT: &str = "WAIT_FOR_ABUSE";

pub(super) fn answers(facts: &Facts) -> Vec<(&'static str, Answer)> {
    vec![(EXPIRY, expiry(facts)), (EXPOSURE, exposure(facts))]
}

/// Asks for a limit only where keys can be made at all.
///
/// Source: <https://cloud.google.com/iam/docs/keys-create-delete#key-expiry>
fn expiry(facts: &Facts) -> Answer {
    let creation = BASELINE.iter().find(|it| it.constraint == CREATION);
    if let Some(creation) = creation.filter(|it| facts.baseline_met(it) == Ok(true)) {
        let read = sources(facts, creation);
        return Ok(Verdict::pass("no key can be made").evidence(read));
    }
    let reading = facts.organisation.get(EXPIRY).cloned().unwrap_or_default();
    let limit = reading.found()?.and_then(|it| it.allowed_values().next());
    let verdict = if let Some(limit) = limit {
        Verdict::pass(&format!("a new key is good for {limit} at most"))
    } else {
        let fix = except(facts, EXPIRY, &Exception::Only(vec![LONGEST.to_owned()]));
        Verdict::warn("a key that is made is good until somebody deletes it", fix)
    };
    Ok(verdict.seen(&reading))
}

/// Warns where Google was told to leave a key alone that stands in public; what it does by itself is to disable it.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/restricting-service-accounts#disable-exposed-keys>
fn exposure(facts: &Facts) -> Answer {
    judged_by(facts, EXPOSURE, |policy| {
        let disables = policy.allowed_values().any(|it| it == DISABLE);
        let waits = policy.allowed_values().any(|it| it == WAIT);
        Ok(if waits && !disables {
            let fix = except(facts, EXPOSURE, &Exception::Only(vec![DISABLE.to_owned()]));
            Verdict::warn(
                "a key that stands in public stays good until it is abused",
                fix,
            )
        } else {
            Verdict::pass("Google disables a key that it finds in public")
        })
    })
}
