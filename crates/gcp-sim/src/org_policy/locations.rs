//! Where `gcp.resourceLocations` lets resources be made. Groups of locations that are not known here are refused loudly.
//!
//! Source: <https://cloud.google.com/resource-manager/docs/organization-policy/defining-locations>

use super::effective;
use crate::refusal::Refusal;
use crate::resource::ResourceName;
use crate::world::World;

const CONSTRAINT: &str = "gcp.resourceLocations";

/// Regions of the European Union, of those whose names begin with `europe-`.
const OUTSIDE_THE_UNION: [&str; 2] = ["europe-west2", "europe-west6"];

/// Refuses a location that the organization keeps resources out of.
pub(crate) fn check_location(world: &World, project: &str, location: &str) -> Result<(), Refusal> {
    let policy = effective::effective(world, &ResourceName::project(project), CONSTRAINT);
    let refused = || Refusal::location_not_permitted(project, location);
    let mut allowed = Vec::new();
    for rule in &policy.rules {
        if rule.deny_all == Some(true) {
            return Err(refused());
        }
        let Some(values) = &rule.values else {
            continue;
        };
        for value in &values.denied_values {
            if contains(value, location)? {
                return Err(refused());
            }
        }
        allowed.extend(&values.allowed_values);
    }
    let mut permitted = allowed.is_empty();
    for value in allowed {
        permitted |= contains(value, location)?;
    }
    if permitted { Ok(()) } else { Err(refused()) }
}

/// Says whether a value of the policy is a location, or a group that has it.
fn contains(value: &str, location: &str) -> Result<bool, Refusal> {
    let Some(group) = value.strip_prefix("in:") else {
        return Ok(value.strip_prefix("is:").unwrap_or(value) == location);
    };
    let unknown = || Refusal::not_simulated(&format!("knows no group of locations {value:?}"));
    let group = group.strip_suffix("-locations").ok_or_else(unknown)?;
    let multi_region_or =
        |multi: &[&str], region: &str| multi.contains(&location) || location.starts_with(region);
    Ok(match group {
        "us" => multi_region_or(&["us"], "us-"),
        "asia" => multi_region_or(&["asia"], "asia-"),
        "europe" => multi_region_or(&["europe", "eu"], "europe-"),
        "eu" => {
            let outside = OUTSIDE_THE_UNION
                .iter()
                .any(|region| is_in_region(location, region));
            multi_region_or(&["europe", "eu"], "europe-") && !outside
        }
        // A region is a group of its own, with its zones.
        region if region.ends_with(|last: char| last.is_ascii_digit()) => {
            is_in_region(location, region)
        }
        _ => return Err(unknown()),
    })
}

fn is_in_region(location: &str, region: &str) -> bool {
    let zone = location.strip_prefix(region);
    zone.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn world(rules: &str) -> World {
        let yaml = format!(
            "projects: [{{id: acme, orgPolicies: {{gcp.resourceLocations: {{rules: {rules}}}}}}}]"
        );
        World::from_yaml("world.yaml", &yaml).unwrap()
    }

    #[track_caller]
    fn check(rules: &str, location: &str, permitted: bool) {
        let found = check_location(&world(rules), "acme", location);
        assert_eq!(found.is_ok(), permitted, "{rules} {location}: {found:?}");
    }

    #[test]
    fn nothing_is_kept_out_by_default() {
        let world = World::from_yaml("world.yaml", "projects: [{id: acme}]").unwrap();
        assert_eq!(check_location(&world, "acme", "us"), Ok(()));
    }

    #[test]
    fn groups_have_their_regions() {
        let eu = "[{values: {allowedValues: ['in:eu-locations']}}]";
        check(eu, "europe-west1", true);
        check(eu, "europe", true);
        check(eu, "europe-west2", false);
        check(eu, "europe-west12", true);
        check(eu, "us-central1", false);
        let one = "[{values: {allowedValues: ['in:europe-west1-locations', 'us-east1']}}]";
        check(one, "europe-west1", true);
        check(one, "europe-west12", false);
        check(one, "us-east1", true);
        check(one, "us", false);
    }

    #[test]
    fn what_is_denied_stays_out() {
        let policy = "[{values: {allowedValues: ['in:us-locations'], deniedValues: ['us-east1']}}]";
        check(policy, "us-west1", true);
        check(policy, "us-east1", false);
        check("[{denyAll: true}]", "us", false);
        check("[{allowAll: true}]", "us", true);
        check(
            "[{values: {deniedValues: ['in:us-locations']}}]",
            "europe",
            true,
        );
    }

    #[test]
    fn a_group_that_is_not_known_is_no_permission() {
        let rules = "[{values: {allowedValues: ['in:low-carbon-locations']}}]";
        let refusal = check_location(&world(rules), "acme", "us").expect_err("it is not known");
        assert_eq!(refusal.status().as_u16(), 501);
    }
}
