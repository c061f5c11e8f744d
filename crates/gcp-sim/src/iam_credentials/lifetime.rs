//! How long a token of an account may live.
//!
//! Sources: <https://cloud.google.com/iam/docs/create-short-lived-credentials-direct>,
//! <https://github.com/google-github-actions/auth/issues/145>

use jiff::SignedDuration;

use crate::faults::Effect;
use crate::google::Google;
use crate::org_policy;
use crate::refusal::Refusal;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What the organization may allow at most.
const EXTENDED: SignedDuration = SignedDuration::from_hours(12);

const CONSTRAINT: &str = "iam.allowServiceAccountCredentialLifetimeExtension";

/// Reads `3600s`; an hour where nothing is said.
pub(super) fn parse(text: Option<&str>) -> Result<SignedDuration, Refusal> {
    let Some(text) = text else {
        return Ok(HOUR);
    };
    let malformed = || {
        Refusal::invalid_field(
            "lifetime",
            format!(
                "Invalid value at 'lifetime' (type.googleapis.com/google.protobuf.Duration), \"{text}\""
            ),
        )
    };
    let seconds: f64 = text
        .strip_suffix('s')
        .and_then(|number| number.parse().ok())
        .ok_or_else(malformed)?;
    SignedDuration::try_from_secs_f64(seconds).map_err(|_| malformed())
}

pub(super) fn check(google: &Google, lifetime: SignedDuration, email: &str) -> Result<(), Refusal> {
    if lifetime <= SignedDuration::ZERO {
        return Err(Refusal::lifetime_not_positive());
    }
    let capped = |effect: &Effect| matches!(effect, Effect::OrgLifetimeCap);
    if google.fault_about(email, capped).is_some() {
        return Err(Refusal::lifetime_too_long(email));
    }
    let longest = google.read(|world| {
        let project = world
            .service_account(email)
            .map(|(project, _)| project.id.as_str());
        let extended =
            project.is_some_and(|project| org_policy::lists(world, project, CONSTRAINT, email));
        if extended { EXTENDED } else { HOUR }
    });
    if lifetime > longest {
        return Err(Refusal::lifetime_too_long(email));
    }
    Ok(())
}
