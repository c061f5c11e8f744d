//! Lists of organisation policies that may keep out the pool of the cluster, or where cluster and repositories are.

use super::organisation::{judged_by, plain};
use super::{Answer, Verdict};
use crate::facts::{Facts, OrganisationPolicy};
use crate::setup::Fix;
use crate::setup::repair::members::{Around, DOMAINS, MEMBERS};
use crate::setup::repair::organisation::{Exception, except};

const LOCATIONS: &str = "gcp.resourceLocations";

pub(super) const LISTS: [&str; 3] = [DOMAINS, MEMBERS, LOCATIONS];

const ONLY_IF_REFUSED: &str = "it is needed only where a grant is refused because a user does \"not belong to a permitted \
    customer\"; a list counts for grants that are made after it";

/// Regions whose names begin with `europe-` and that are outside of the European Union.
const OUTSIDE_THE_UNION: [&str; 2] = ["europe-west2", "europe-west6"];

pub(super) fn answers(facts: &Facts) -> Vec<(&'static str, Answer)> {
    vec![
        (DOMAINS, judged_by(facts, DOMAINS, |it| domains(facts, it))),
        (MEMBERS, judged_by(facts, MEMBERS, |it| members(facts, it))),
        (
            LOCATIONS,
            judged_by(facts, LOCATIONS, |it| locations(facts, it)),
        ),
    ]
}

/// Judges a list of customers. Whether one lets in the pools of its own organisation is confirmed by nobody.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains>
fn domains(facts: &Facts, policy: &OrganisationPolicy) -> Answer {
    let around = Around::of(facts)?;
    let value = |it: &str| it.strip_prefix("is:").unwrap_or(it).to_owned();
    let allowed: Vec<_> = policy.allowed_values().map(value).collect();
    let is_pool = |it: &String| around.is_pool(it);
    let own = around.own_customers();
    let is_denied = policy
        .denied_values()
        .map(value)
        .any(|it| it == own || is_pool(&it));
    if !policy.denies_all() && !is_denied {
        if allowed.is_empty() || allowed.iter().any(is_pool) {
            return Ok(plain());
        }
        if allowed.contains(&own) {
            let fix = except(facts, DOMAINS, &Exception::AllBut(Vec::new()));
            return Ok(unconfirmed(&around, fix));
        }
    }
    let fix = except(facts, DOMAINS, &around.with_own_customers(policy));
    let is_elsewhere = |it: &String| it.starts_with("principalSet:");
    let is_open = around.organisation.is_none() || !allowed.iter().all(is_elsewhere);
    if policy.denies_all() || is_denied || !is_open {
        return Ok(kept_out(&around, fix));
    }
    Ok(unconfirmed(&around, fix))
}

/// Judges the parameters of the successor.
fn members(facts: &Facts, policy: &OrganisationPolicy) -> Answer {
    if !policy.is_enforced() {
        return Ok(plain());
    }
    let around = Around::of(facts)?;
    let subjects = policy.parameter("allowedMemberSubjects");
    let sets = policy.parameter("allowedPrincipalSets");
    if subjects.contains(&around.controller) || sets.iter().any(|it| around.is_pool(it)) {
        return Ok(plain());
    }
    let is_above = sets.iter().any(|it| around.is_above(it));
    let may_be = is_above || around.organisation.is_none() && !sets.is_empty();
    let fix = except(facts, MEMBERS, &around.with(policy, &around.controller));
    Ok(if may_be {
        unconfirmed(&around, fix)
    } else {
        kept_out(&around, fix)
    })
}

fn unconfirmed(around: &Around, fix: Fix) -> Verdict {
    let says = format!(
        "it does not name {}; whether it lets in the pools of its own organisation is not confirmed",
        around.pool
    );
    Verdict::warn(&says, fix.and_advice(ONLY_IF_REFUSED))
}

fn kept_out(around: &Around, fix: Fix) -> Verdict {
    let says = format!(
        "no policy lets in {}: nobody can be given a role",
        around.pool
    );
    Verdict::fail(&says, fix)
}

/// Judges where the cluster is, and the repositories of its project. Those of other projects are under other policies.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/defining-locations>
fn locations(facts: &Facts, policy: &OrganisationPolicy) -> Answer {
    if !policy.denies_all() && policy.lists_nothing() {
        return Ok(plain());
    }
    let home = &facts.home.known()?.project;
    let own = facts.repositories.keys().filter(|it| it.project == *home);
    let own = own.map(|it| (it.location.clone(), format!("repository {it}")));
    let cluster = facts.cluster.known();
    let one = cluster.as_ref().ok();
    let one = one.map(|it| (it.location.clone(), format!("cluster {}", it.name)));
    let mut open = None;
    for (location, what) in own.chain(one) {
        match lets_pass(policy, &location) {
            Some(true) => {}
            Some(false) => {
                let says = format!("{what} is in {location}, where nothing may be made anew");
                let fix = except(facts, LOCATIONS, &letting(policy, &location));
                return Ok(Verdict::fail(&says, fix));
            }
            None => open = open.or(Some((location, what))),
        }
    }
    cluster?;
    Ok(match open {
        None => plain(),
        Some((location, what)) => Verdict::unknown(&format!(
            "{what} is in {location}; which locations the groups of the list have is not known"
        )),
    })
}

/// Says whether something may be made in a location; none where that hangs on a group that is not known.
fn lets_pass(policy: &OrganisationPolicy, location: &str) -> Option<bool> {
    let any = |found: Vec<Option<bool>>| match () {
        () if found.contains(&Some(true)) => Some(true),
        () if found.contains(&None) => None,
        () => Some(false),
    };
    let denied = policy.denied_values().map(|it| holds(it, location));
    let denied = any(denied.collect());
    if policy.denies_all() || denied == Some(true) {
        return Some(false);
    }
    let allowed: Vec<_> = policy.allowed_values().collect();
    let allowed = if allowed.is_empty() {
        Some(true)
    } else {
        any(allowed.iter().map(|it| holds(it, location)).collect())
    };
    match (allowed, denied) {
        (Some(false), _) => Some(false),
        (Some(true), Some(false)) => Some(true),
        _ => None,
    }
}

/// Says whether a value is a location or a group that has it; none for groups that are not known here.
fn holds(value: &str, location: &str) -> Option<bool> {
    let Some(group) = value.strip_prefix("in:") else {
        return Some(value.strip_prefix("is:").unwrap_or(value) == location);
    };
    let is_in = |region: &str| {
        let zone = location.strip_prefix(region);
        zone.is_some_and(|it| it.is_empty() || it.starts_with('-'))
    };
    let is_european = is_in("europe") || location == "eu";
    Some(match group.strip_suffix("-locations")? {
        "us" => is_in("us"),
        "asia" => is_in("asia"),
        "europe" => is_european,
        "eu" => is_european && !OUTSIDE_THE_UNION.iter().any(|it| is_in(it)),
        region if region.ends_with(|last: char| last.is_ascii_digit()) => is_in(region),
        _ => return None,
    })
}

/// Lets one location more pass a list.
fn letting(policy: &OrganisationPolicy, location: &str) -> Exception {
    let denied = || policy.denied_values();
    let is_denied = denied().any(|it| holds(it, location) == Some(true));
    if is_denied && !policy.denies_all() {
        let kept = denied().filter(|it| holds(it, location) != Some(true));
        return Exception::AllBut(kept.map(str::to_owned).collect());
    }
    let allowed = policy.allowed_values().chain([location]);
    Exception::Only(allowed.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_their_regions_and_regions_their_zones() {
        for (value, location, expected) in [
            ("in:eu-locations", "europe-west1-b", Some(true)),
            ("in:eu-locations", "europe-west2", Some(false)),
            ("in:eu-locations", "europe-west12", Some(true)),
            ("in:europe-locations", "europe", Some(true)),
            ("in:us-locations", "us", Some(true)),
            ("in:us-locations", "asia-east1", Some(false)),
            ("in:europe-west1-locations", "europe-west1-b", Some(true)),
            ("in:europe-west1-locations", "europe-west12", Some(false)),
            ("us-east1", "us-east1", Some(true)),
            ("is:us-east1", "us-east4", Some(false)),
            ("in:low-carbon-locations", "us-east1", None),
        ] {
            assert_eq!(holds(value, location), expected, "{value} {location}");
        }
    }

    #[test]
    fn a_denied_location_stays_out_though_it_is_allowed() {
        let json = r#"{"spec":{"rules":[{"values":{"allowedValues":["in:us-locations"],
            "deniedValues":["us-east1","in:low-carbon-locations"]}}]}}"#;
        let policy: OrganisationPolicy = serde_json::from_str(json).expect("a policy");
        assert_eq!(lets_pass(&policy, "us-east1"), Some(false));
        assert_eq!(lets_pass(&policy, "asia-east1"), Some(false));
        assert_eq!(lets_pass(&policy, "us-west1"), None);
        let kept = vec!["in:low-carbon-locations".to_owned()];
        assert_eq!(letting(&policy, "us-east1"), Exception::AllBut(kept));
    }
}
