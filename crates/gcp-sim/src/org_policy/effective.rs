//! What holds for a node: its own policy, else its nearest ancestor's, merged where a policy inherits.
//!
//! Source: <https://cloud.google.com/resource-manager/docs/organization-policy/understanding-hierarchy>

use std::collections::BTreeMap;

use super::constraints;
use crate::principal::Principal;
use crate::resource::ResourceName;
use crate::world::{ListValues, OrgPolicy, OrgPolicyRule, World};

pub(super) fn policies<'a>(
    world: &'a World,
    node: &ResourceName,
) -> Option<&'a BTreeMap<String, OrgPolicy>> {
    match node {
        ResourceName::Project { project } => world.project(project).map(|it| &it.org_policies),
        ResourceName::Folder { number } => world.folder(number).map(|it| &it.org_policies),
        ResourceName::Organization { number } => {
            world.organization(number).map(|it| &it.org_policies)
        }
        ResourceName::ServiceAccount { .. }
        | ResourceName::Repository { .. }
        | ResourceName::Topic { .. }
        | ResourceName::Subscription { .. } => None,
    }
}

pub(super) fn policies_mut<'a>(
    world: &'a mut World,
    node: &ResourceName,
) -> Option<&'a mut BTreeMap<String, OrgPolicy>> {
    match node {
        ResourceName::Project { project } => {
            world.project_mut(project).map(|it| &mut it.org_policies)
        }
        ResourceName::Folder { number } => {
            let folder = world.folders.iter_mut().find(|it| it.number == *number);
            folder.map(|it| &mut it.org_policies)
        }
        ResourceName::Organization { number } => {
            let organization = world
                .organizations
                .iter_mut()
                .find(|it| it.number == *number);
            organization.map(|it| &mut it.org_policies)
        }
        ResourceName::ServiceAccount { .. }
        | ResourceName::Repository { .. }
        | ResourceName::Topic { .. }
        | ResourceName::Subscription { .. } => None,
    }
}

/// Merges what a node and its ancestors say. Conditions count as holding; the world has no tags.
pub(crate) fn effective(world: &World, node: &ResourceName, constraint: &str) -> OrgPolicy {
    let mut rules: Vec<OrgPolicyRule> = Vec::new();
    for name in world.lineage(node) {
        let Some(own) = policies(world, &name).and_then(|it| it.get(constraint)) else {
            continue;
        };
        if own.reset {
            break;
        }
        rules.extend(own.rules.iter().cloned());
        if !own.inherit_from_parent {
            break;
        }
    }
    if rules.is_empty() {
        rules.push(constraints::default_rule(constraint));
    }
    OrgPolicy {
        rules: merge(rules),
        ..OrgPolicy::default()
    }
}

/// Lists become one rule; of booleans the nearest counts.
fn merge(rules: Vec<OrgPolicyRule>) -> Vec<OrgPolicyRule> {
    let mut values = ListValues::default();
    let mut others = Vec::new();
    for rule in rules {
        match rule.values {
            Some(own) => {
                values.allowed_values.extend(own.allowed_values);
                values.denied_values.extend(own.denied_values);
            }
            None => others.push(rule),
        }
    }
    if values == ListValues::default() {
        others.truncate(1);
        return others;
    }
    vec![OrgPolicyRule {
        values: Some(values),
        ..OrgPolicyRule::default()
    }]
}

/// Says whether a boolean constraint is enforced in a project.
pub(crate) fn enforced(world: &World, project: &str, constraint: &str) -> bool {
    let policy = effective(world, &ResourceName::project(project), constraint);
    policy.rules.iter().any(|rule| rule.enforce == Some(true))
}

/// Says whether a list constraint names a value, or allows all.
pub(crate) fn lists(world: &World, project: &str, constraint: &str, value: &str) -> bool {
    let policy = effective(world, &ResourceName::project(project), constraint);
    policy.rules.iter().any(|rule| {
        let values = rule.values.iter();
        rule.allow_all == Some(true)
            || values
                .flat_map(|it| &it.allowed_values)
                .any(|own| own == value)
    })
}

/// Says whether domain restriction lets a member into a policy.
///
/// Members of the organization's own workload pools count as its own, which nobody has confirmed.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains>
pub(crate) fn permits_member(world: &World, resource: &ResourceName, member: &str) -> bool {
    let lineage = world.lineage(resource);
    let Some(node) = lineage.iter().find(|name| policies(world, name).is_some()) else {
        return true;
    };
    let policy = effective(world, node, "iam.allowedPolicyMemberDomains");
    let allowed: Vec<&String> = policy
        .rules
        .iter()
        .filter_map(|rule| rule.values.as_ref())
        .flat_map(|values| &values.allowed_values)
        .collect();
    if policy.rules.iter().any(|rule| rule.allow_all == Some(true)) || allowed.is_empty() {
        return true;
    }
    if member.starts_with("deleted:") {
        return true;
    }
    customer_of(world, member).is_some_and(|customer| {
        allowed
            .iter()
            .any(|value| value.strip_prefix("is:").unwrap_or(value) == customer)
    })
}

/// Finds the customer id that a member belongs to.
fn customer_of<'a>(world: &'a World, member: &str) -> Option<&'a str> {
    let of_project = |project: &str| {
        world
            .lineage(&ResourceName::project(project))
            .into_iter()
            .find_map(|name| match name {
                ResourceName::Organization { number } => {
                    world.organization(&number).map(|it| it.customer.as_str())
                }
                _ => None,
            })
    };
    if let Some(Principal::ServiceAccount { email }) = Principal::parse_member(member) {
        let (project, _) = world.service_account(&email)?;
        return of_project(&project.id);
    }
    if let Some((_, rest)) = member.split_once("://iam.googleapis.com/projects/") {
        return of_project(rest.split('/').next()?);
    }
    if let Some((pool, _)) = member
        .strip_prefix("serviceAccount:")
        .and_then(|rest| rest.split_once(".svc.id.goog["))
    {
        return of_project(pool);
    }
    let (_, address) = member.split_once(':')?;
    let domain = address.rsplit('@').next()?;
    let organization = world
        .organizations
        .iter()
        .find(|it| it.display_name == domain)?;
    Some(&organization.customer)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORLD: &str = r#"
organizations:
- number: "1"
  displayName: acme.example
  customer: C0acme
  orgPolicies:
    iam.disableServiceAccountKeyCreation: {rules: [{enforce: true}]}
    iam.allowedPolicyMemberDomains: {rules: [{values: {allowedValues: ["is:C0acme"]}}]}
    gcp.resourceLocations: {rules: [{values: {allowedValues: ["in:eu-locations"]}}]}
projects:
- id: strict
  number: 7
  parent: organizations/1
- id: loose
  number: 8
  parent: organizations/1
  orgPolicies:
    iam.disableServiceAccountKeyCreation: {rules: [{enforce: false}]}
    gcp.resourceLocations: {inheritFromParent: true, rules: [{values: {allowedValues: ["in:us-locations"]}}]}
"#;

    fn world() -> World {
        World::from_yaml("world.yaml", WORLD).unwrap()
    }

    #[test]
    fn the_nearest_policy_counts() {
        let constraint = "iam.disableServiceAccountKeyCreation";
        assert!(enforced(&world(), "strict", constraint));
        assert!(!enforced(&world(), "loose", constraint));
    }

    #[test]
    fn what_nobody_wrote_has_its_default() {
        let world = world();
        assert!(!enforced(
            &world,
            "strict",
            "iam.disableServiceAccountCreation"
        ));
        let extension = "iam.allowServiceAccountCredentialLifetimeExtension";
        assert!(!lists(
            &world,
            "strict",
            extension,
            "a@strict.iam.gserviceaccount.com"
        ));
    }

    #[test]
    fn lists_are_merged_where_a_policy_inherits() {
        let world = world();
        let constraint = "gcp.resourceLocations";
        assert!(lists(&world, "loose", constraint, "in:eu-locations"));
        assert!(lists(&world, "loose", constraint, "in:us-locations"));
        assert!(!lists(&world, "strict", constraint, "in:us-locations"));
    }

    #[test]
    fn domain_restriction_knows_its_own_people_and_pools() {
        let pool = "iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/strict.svc.id.goog";
        for (member, permitted) in [
            ("user:ann@acme.example".to_owned(), true),
            ("user:eve@elsewhere.example".to_owned(), false),
            ("allUsers".to_owned(), false),
            (format!("principal://{pool}/subject/ns/a/sa/b"), true),
        ] {
            let found = permits_member(&world(), &ResourceName::project("strict"), &member);
            assert_eq!(found, permitted, "{member}");
        }
    }
}
