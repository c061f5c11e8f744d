//! What holds for a node: its own policy, else its nearest ancestor's, merged where a policy inherits.
//!
//! Source: <https://cloud.google.com/resource-manager/docs/organization-policy/understanding-hierarchy>

use std::collections::BTreeMap;

use super::constraints;
use crate::principal::Principal;
use crate::resource::ResourceName;
use crate::world::{ListValues, OrgPolicy, OrgPolicyRule, Organization, World};

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

/// Lists become one rule, and nothing is left where one of them denies all; of booleans the nearest counts.
fn merge(mut rules: Vec<OrgPolicyRule>) -> Vec<OrgPolicyRule> {
    if let Some(index) = rules.iter().position(|it| it.deny_all == Some(true)) {
        return vec![rules.swap_remove(index)];
    }
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

/// Says whether domain restriction, in its older form and its newer, lets a member into a policy.
///
/// Members of the organization's own workload pools count as its own, which nobody has confirmed.
///
/// Source: <https://cloud.google.com/resource-manager/docs/organization-policy/restricting-domains>
pub(crate) fn permits_member(world: &World, resource: &ResourceName, member: &str) -> bool {
    let lineage = world.lineage(resource);
    let Some(node) = lineage.iter().find(|name| policies(world, name).is_some()) else {
        return true;
    };
    let home = || organization_of(world, member);
    member.starts_with("deleted:")
        || by_customer(
            &effective(world, node, "iam.allowedPolicyMemberDomains"),
            home,
        ) && by_parameters(
            &effective(world, node, "iam.managed.allowedPolicyMembers"),
            member,
            home,
        )
}

fn by_customer<'a>(policy: &OrgPolicy, home: impl Fn() -> Option<&'a Organization>) -> bool {
    let values = policy.rules.iter().filter_map(|rule| rule.values.as_ref());
    let mut allowed = values.flat_map(|it| &it.allowed_values).peekable();
    if policy.rules.iter().any(|rule| rule.deny_all == Some(true)) {
        return false;
    }
    if policy.rules.iter().any(|rule| rule.allow_all == Some(true)) || allowed.peek().is_none() {
        return true;
    }
    home().is_some_and(|organization| {
        let set = format!(
            "principalSet://iam.googleapis.com/organizations/{}",
            organization.number
        );
        allowed
            .map(|value| value.strip_prefix("is:").unwrap_or(value))
            .any(|value| value == organization.customer || value == set)
    })
}

fn by_parameters<'a>(
    policy: &OrgPolicy,
    member: &str,
    home: impl Fn() -> Option<&'a Organization>,
) -> bool {
    let mut enforced = policy.rules.iter().filter(|it| it.enforce == Some(true));
    let Some(rule) = enforced.next() else {
        return true;
    };
    let lists = |parameter: &str, wanted: &str| {
        let values = rule
            .parameters
            .as_ref()
            .and_then(|it| it[parameter].as_array());
        values.is_some_and(|it| it.iter().any(|value| value.as_str() == Some(wanted)))
    };
    let set = |it: &Organization| {
        format!(
            "//cloudresourcemanager.googleapis.com/organizations/{}",
            it.number
        )
    };
    lists("allowedMemberSubjects", member)
        || home().is_some_and(|it| lists("allowedPrincipalSets", &set(it)))
        || pool_of(member).is_some_and(|it| lists("allowedPrincipalSets", it))
}

/// Spells the pool that an identity is of as lists of principals do.
fn pool_of(member: &str) -> Option<&str> {
    let (_, name) = member.split_once(':')?;
    let (pool, _) = name.split_once("/subject/")?;
    name.starts_with("//iam.googleapis.com/").then_some(pool)
}

/// Finds the organization that a member belongs to.
fn organization_of<'a>(world: &'a World, member: &str) -> Option<&'a Organization> {
    let of_project = |project: &str| {
        world
            .lineage(&ResourceName::project(project))
            .into_iter()
            .find_map(|name| match name {
                ResourceName::Organization { number } => world.organization(&number),
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
    world
        .organizations
        .iter()
        .find(|it| it.display_name == domain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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

    #[test]
    fn its_successor_takes_subjects_and_sets() {
        let pool = "iam.googleapis.com/projects/7/locations/global/workloadIdentityPools/strict.svc.id.goog";
        let member = format!("principal://{pool}/subject/ns/a/sa/b");
        for (parameters, permitted) in [
            (json!({}), false),
            (
                json!({"allowedMemberSubjects": ["user:ann@acme.example"]}),
                false,
            ),
            (json!({"allowedMemberSubjects": [member]}), true),
            (json!({"allowedPrincipalSets": [format!("//{pool}")]}), true),
            (
                json!({"allowedPrincipalSets": ["//cloudresourcemanager.googleapis.com/organizations/1"]}),
                true,
            ),
        ] {
            let mut world = world();
            let rule = OrgPolicyRule {
                enforce: Some(true),
                parameters: Some(parameters.clone()),
                ..OrgPolicyRule::default()
            };
            let policy = OrgPolicy {
                rules: vec![rule],
                ..OrgPolicy::default()
            };
            let constraint = "iam.managed.allowedPolicyMembers".to_owned();
            let organization = &mut world.organizations[0];
            organization.org_policies.insert(constraint, policy);
            let found = permits_member(&world, &ResourceName::project("strict"), &member);
            assert_eq!(found, permitted, "{parameters}");
        }
    }

    #[test]
    fn a_list_that_denies_all_lets_nobody_in() {
        for inherit_from_parent in [false, true] {
            let mut world = world();
            let rule = OrgPolicyRule {
                deny_all: Some(true),
                ..OrgPolicyRule::default()
            };
            let policy = OrgPolicy {
                rules: vec![rule],
                inherit_from_parent,
                ..OrgPolicy::default()
            };
            let constraint = "iam.allowedPolicyMemberDomains".to_owned();
            world.projects[0].org_policies.insert(constraint, policy);
            let project = ResourceName::project("strict");
            assert!(!permits_member(&world, &project, "user:ann@acme.example"));
        }
    }

    #[test]
    fn a_list_may_name_the_organization_itself() {
        let mut world = world();
        let policies = &mut world.organizations[0].org_policies;
        let domains = policies.get_mut("iam.allowedPolicyMemberDomains").unwrap();
        let values = domains.rules[0].values.as_mut().unwrap();
        values.allowed_values =
            vec!["is:principalSet://iam.googleapis.com/organizations/1".to_owned()];
        let project = ResourceName::project("strict");
        assert!(permits_member(&world, &project, "user:ann@acme.example"));
        assert!(!permits_member(
            &world,
            &project,
            "user:eve@elsewhere.example"
        ));
    }
}
