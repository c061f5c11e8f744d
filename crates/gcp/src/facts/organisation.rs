//! What an organisation enforces over the controller's project.

use serde::Deserialize;
use serde_json::Value;

/// The effective policy of one constraint, in the form of the Organization Policy API.
///
/// Source: <https://cloud.google.com/resource-manager/docs/reference/orgpolicy/rest/v2/organizations.policies>
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct OrganisationPolicy {
    pub spec: Spec,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Spec {
    pub rules: Vec<Rule>,
}

/// One rule of a constraint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    pub enforce: bool,
    pub allow_all: bool,
    pub deny_all: bool,
    pub values: Values,
    /// What a constraint that is managed takes beside being on; each has its own.
    pub parameters: Value,
}

/// What a list constraint lets through and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Values {
    pub allowed_values: Vec<String>,
    pub denied_values: Vec<String>,
}

impl OrganisationPolicy {
    pub fn enforced() -> Self {
        let rule = Rule {
            enforce: true,
            ..Rule::default()
        };
        Self {
            spec: Spec { rules: vec![rule] },
        }
    }

    /// Says whether a constraint that is on or off is on.
    pub fn is_enforced(&self) -> bool {
        self.spec.rules.iter().any(|it| it.enforce)
    }

    /// Says whether a list constraint lets nothing through.
    pub fn denies_all(&self) -> bool {
        self.spec.rules.iter().any(|it| it.deny_all)
    }

    /// Says whether a list constraint was set to let everything through.
    pub fn allows_all(&self) -> bool {
        self.spec.rules.iter().any(|it| it.allow_all)
    }

    /// Says whether a list constraint lets a value through; without rules it lets everything.
    pub fn allows(&self, value: &str) -> bool {
        let rules = &self.spec.rules;
        let denied = rules.iter().any(|it| {
            it.deny_all
                || it
                    .values
                    .denied_values
                    .iter()
                    .any(|denied| bare(denied) == value)
        });
        let mut lists = rules
            .iter()
            .map(|it| &it.values.allowed_values)
            .filter(|it| !it.is_empty());
        let listed = lists.clone().next().is_none()
            || lists.any(|it| it.iter().any(|allowed| bare(allowed) == value));
        !denied && listed
    }

    /// Says whether a list constraint names no value at all.
    pub fn lists_nothing(&self) -> bool {
        self.allowed_values().next().is_none() && self.denied_values().next().is_none()
    }

    /// Lists the texts of a parameter where a constraint is on.
    pub fn parameter(&self, name: &str) -> Vec<String> {
        let rules = self.spec.rules.iter().filter(|it| it.enforce);
        let values = rules.filter_map(|it| it.parameters.get(name)?.as_array());
        let texts = values.flatten().filter_map(Value::as_str);
        texts.map(str::to_owned).collect()
    }

    /// Lists the values that a list constraint names as allowed.
    pub fn allowed_values(&self) -> impl Iterator<Item = &str> {
        self.spec
            .rules
            .iter()
            .flat_map(|it| &it.values.allowed_values)
            .map(String::as_str)
    }

    /// Lists the values that a list constraint names as denied.
    pub fn denied_values(&self) -> impl Iterator<Item = &str> {
        self.spec
            .rules
            .iter()
            .flat_map(|it| &it.values.denied_values)
            .map(String::as_str)
    }
}

/// Takes the mark of a single value away, which lists of values may have before it.
fn bare(value: &str) -> &str {
    value.strip_prefix("is:").unwrap_or(value)
}

/// A rule that takes permissions away whatever was granted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DenyRule {
    /// The name of its policy.
    pub policy: String,
    pub denied_principals: Vec<String>,
    /// With the service in front: `iam.googleapis.com/serviceAccounts.getAccessToken`.
    pub denied_permissions: Vec<String>,
    pub excepted_principals: Vec<String>,
    pub excepted_permissions: Vec<String>,
    /// The expression without which it does not count; only about tags of the resource.
    pub condition: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: &str) -> OrganisationPolicy {
        serde_json::from_str(json).expect("a policy")
    }

    #[test]
    fn a_list_without_rules_allows_everything() {
        assert!(OrganisationPolicy::default().allows("x"));
        assert!(!OrganisationPolicy::default().is_enforced());
    }

    #[test]
    fn parameters_count_where_a_constraint_is_on() {
        let sets = |enforce: bool| {
            let json = format!(
                r#"{{"spec":{{"rules":[{{"enforce":{enforce},"parameters":{{"sets":["a","b"]}}}}]}}}}"#
            );
            policy(&json).parameter("sets")
        };
        assert_eq!(sets(true), ["a", "b"]);
        assert!(sets(false).is_empty());
        assert!(OrganisationPolicy::enforced().parameter("sets").is_empty());
    }

    #[test]
    fn lists_allow_what_they_name_and_nothing_that_is_denied() {
        let allowing = policy(r#"{"spec":{"rules":[{"values":{"allowedValues":["a","b"]}}]}}"#);
        assert!(allowing.allows("a") && !allowing.allows("c"));
        let denying = policy(r#"{"spec":{"rules":[{"values":{"deniedValues":["a"]}}]}}"#);
        assert!(!denying.allows("a") && denying.allows("c"));
        let nothing = policy(r#"{"spec":{"rules":[{"denyAll":true}]}}"#);
        assert!(nothing.denies_all() && !nothing.allows("a"));
    }
}
