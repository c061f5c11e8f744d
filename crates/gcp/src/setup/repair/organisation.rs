//! Repairs of what stands above a project: constraints, perimeters and denials.

use serde_json::{Value, json};

use super::home;
use crate::facts::{DenyRule, Facts};
use crate::principal::ProjectId;
use crate::setup::shell::command;
use crate::setup::terraform::block::{Block, list, text};
use crate::setup::terraform::edit;
use crate::setup::{Fix, gcloud, terraform};

pub(super) const WHO_SETS_CONSTRAINTS: &str = "it takes roles/orgpolicy.policyAdmin, which whoever runs the organisation has; \
    a tag that the constraint's condition leaves out does as well";

/// How a constraint has to be for one project, so that it does not stand in the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Exception {
    NotEnforced,
    Only(Vec<String>),
    AllBut(Vec<String>),
    Nothing,
    /// What a managed list of members has as its parameters.
    Members {
        subjects: Vec<String>,
        sets: Vec<String>,
    },
}

/// Sets a constraint for the controller's project otherwise than above.
pub(crate) fn except(facts: &Facts, constraint: &str, exception: &Exception) -> Fix {
    except_in(&home(facts), constraint, exception)
}

/// The same for a project that may be another.
pub(crate) fn except_in(project: &ProjectId, constraint: &str, exception: &Exception) -> Fix {
    let policy = terraform::constraint(project, constraint, exception.block());
    let set = gcloud::constraint(project, constraint, &exception.rule());
    Fix::commands(&[set])
        .and_terraform(policy.to_string())
        .and_advice(WHO_SETS_CONSTRAINTS)
}

impl Exception {
    /// Writes the rule as YAML; a list is one line of JSON.
    fn rule(&self) -> String {
        match self {
            Self::NotEnforced => "enforce: false".to_owned(),
            Self::Only(values) => format!("values: {}", json!({ "allowedValues": values })),
            Self::AllBut(values) if values.is_empty() => "allowAll: true".to_owned(),
            Self::AllBut(values) => format!("values: {}", json!({ "deniedValues": values })),
            Self::Nothing => "denyAll: true".to_owned(),
            Self::Members { subjects, sets } => {
                json!({"enforce": true, "parameters": parameters(subjects, sets)}).to_string()
            }
        }
    }

    fn block(&self) -> Block {
        let rules = Block::nested("rules");
        let values = |name, values| Block::nested("values").with(name, &list(values));
        match self {
            Self::NotEnforced => rules.with("enforce", &text("FALSE")),
            Self::Only(allowed) => rules.inside(values("allowed_values", allowed)),
            Self::AllBut(denied) if denied.is_empty() => rules.with("allow_all", &text("TRUE")),
            Self::AllBut(denied) => rules.inside(values("denied_values", denied)),
            Self::Nothing => rules.with("deny_all", &text("TRUE")),
            Self::Members { subjects, sets } => rules
                .with("enforce", &text("TRUE"))
                .with("parameters", &text(&parameters(subjects, sets).to_string())),
        }
    }
}

fn parameters(subjects: &[String], sets: &[String]) -> Value {
    json!({"allowedMemberSubjects": subjects, "allowedPrincipalSets": sets})
}

/// Lets the controller and the accounts of Projects through a perimeter to some services.
///
/// Source: <https://cloud.google.com/vpc-service-controls/docs/ingress-egress-rules>,
/// <https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/access_context_manager_service_perimeter_ingress_policy>
pub(crate) fn let_in(facts: &Facts, services: &[&str]) -> Fix {
    let mut who: Vec<String> = facts
        .principal()
        .ok()
        .iter()
        .map(ToString::to_string)
        .collect();
    let accounts = facts.intent.projects.keys();
    let accounts = accounts.filter_map(|it| facts.account_of(it).ok()?.ok());
    who.extend(accounts.map(|it| it.member()));
    let perimeters = ["gcloud", "access-context-manager", "perimeters"];
    let word = |verb: &'static str| [&perimeters[..], &[verb, "PERIMETER"]].concat();
    let shown = [
        ("policy", "POLICY"),
        ("format", "json(status.ingressPolicies)"),
    ];
    let changed = [
        ("policy", "POLICY"),
        ("set-ingress-policies", "ingress.yaml"),
    ];
    Fix::commands(&[
        command(&word("describe"), &shown),
        "# Write what it lists and this to ingress.yaml, as all of it is replaced:".to_owned(),
        format!("# - {}", ingress(&who, services)),
        command(&word("update"), &changed),
    ])
    .and_terraform(ingress_policy(&who, services).to_string())
    .and_advice(
        "it is for whoever runs the perimeter; the id in the refusal finds it in the audit log",
    )
}

fn ingress(who: &[String], services: &[&str]) -> Value {
    let operations: Vec<_> = services
        .iter()
        .map(|it| json!({"serviceName": it, "methodSelectors": [{"method": "*"}]}))
        .collect();
    json!({
        "ingressFrom": {"identities": who, "sources": [{"accessLevel": "*"}]},
        "ingressTo": {"operations": operations, "resources": ["*"]},
    })
}

fn ingress_policy(who: &[String], services: &[&str]) -> Block {
    let source = Block::nested("sources").with("access_level", &text("*"));
    let from = Block::nested("ingress_from")
        .with("identities", &list(who))
        .inside(source);
    let mut to = Block::nested("ingress_to").with("resources", &list(&["*".to_owned()]));
    for service in services {
        let methods = Block::nested("method_selectors").with("method", &text("*"));
        let operation = Block::nested("operations").with("service_name", &text(service));
        to = to.inside(operation.inside(methods));
    }
    Block::resource(
        "google_access_context_manager_service_perimeter_ingress_policy",
        "argosy",
    )
    .with(
        "perimeter",
        &text("accessPolicies/POLICY/servicePerimeters/PERIMETER"),
    )
    .inside(from)
    .inside(to)
}

/// Excepts some from a rule of a deny policy; `place` is what the policy is attached to.
///
/// Source: <https://cloud.google.com/iam/docs/deny-access>,
/// <https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/iam_deny_policy>
pub(crate) fn except_from_denial(place: &str, rule: &DenyRule, who: &[String]) -> Fix {
    let id = rule.policy.rsplit('/').next().unwrap_or_default();
    let point = format!("cloudresourcemanager.googleapis.com/{place}");
    let attached = [
        ("attachment-point", point.as_str()),
        ("kind", "denypolicies"),
    ];
    let policies = |verb| ["gcloud", "iam", "policies", verb, id];
    let mut shown = attached.to_vec();
    shown.push(("format", "json"));
    let mut changed = attached.to_vec();
    changed.push(("policy-file", "policy.json"));
    let mut excepted = rule.excepted_principals.clone();
    excepted.extend(who.iter().cloned());
    let inner = Block::nested("deny_rule").with("exception_principals", &list(&excepted));
    Fix::commands(&[
        format!(
            "# Add {} to exceptionPrincipals of the rule in between.",
            Value::from(who)
        ),
        format!("{} > policy.json", command(&policies("get"), &shown)),
        command(&policies("update"), &changed),
    ])
    .and_terraform(edit(
        &format!("google_iam_deny_policy {id} of {place}"),
        &Block::nested("rules").inside(inner),
    ))
}

/// Asks for room for more service accounts.
///
/// Source: <https://cloud.google.com/docs/quotas/gcloud-cli-examples>,
/// <https://registry.terraform.io/providers/hashicorp/google/latest/docs/resources/cloud_quotas_quota_preference>
pub(crate) fn more_accounts(facts: &Facts, wanted: usize) -> Fix {
    let (project, wanted) = (home(facts), wanted.to_string());
    let (project, service) = (project.as_str(), "iam.googleapis.com");
    let shown = [
        ("project", project),
        ("service", service),
        ("filter", "quotaDisplayName~'Service Account Count'"),
        ("format", "value(quotaId)"),
    ];
    let asked = [
        ("project", project),
        ("service", service),
        ("quota-id", "QUOTA_ID"),
        ("preferred-value", &wanted),
    ];
    let quotas = ["gcloud", "beta", "quotas"];
    let block = Block::resource("google_cloud_quotas_quota_preference", "service_accounts")
        .with("parent", &text(&format!("projects/{project}")))
        .with("service", &text(service))
        .with("quota_id", &text("QUOTA_ID"))
        .inside(Block::nested("quota_config").with("preferred_value", &wanted));
    Fix::commands(&[
        command(&[&quotas[..], &["info", "list"]].concat(), &shown),
        command(&[&quotas[..], &["preferences", "create"]].concat(), &asked),
    ])
    .and_terraform(block.to_string())
    .and_advice(
        "the first command says what QUOTA_ID is; or let Projects use their Kubernetes accounts",
    )
}

/// Shows which constraints are set, where a refusal speaks of one of them.
pub(crate) fn look_at_constraints(facts: &Facts) -> Fix {
    let project = home(facts);
    let options = [("project", project.as_str())];
    Fix::commands(&[command(&["gcloud", "org-policies", "list"], &options)])
        .without_terraform(
            "which constraint has to be set otherwise is in the words of the refusal",
        )
        .and_advice(WHO_SETS_CONSTRAINTS)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::whole::whole;

    #[test]
    fn an_exception_from_a_list_names_what_is_left_of_it() {
        for (exception, rule, argument) in [
            (
                Exception::Only(vec!["a".to_owned(), "b".to_owned()]),
                r#"  - values: {"allowedValues":["a","b"]}"#,
                r#"allowed_values = ["a", "b"]"#,
            ),
            (
                Exception::AllBut(vec!["c".to_owned()]),
                r#"  - values: {"deniedValues":["c"]}"#,
                r#"denied_values = ["c"]"#,
            ),
            (
                Exception::AllBut(Vec::new()),
                "  - allowAll: true",
                r#"allow_all = "TRUE""#,
            ),
            (
                Exception::Nothing,
                "  - denyAll: true",
                r#"deny_all = "TRUE""#,
            ),
            (
                Exception::NotEnforced,
                "  - enforce: false",
                r#"enforce = "FALSE""#,
            ),
            (
                Exception::Members {
                    subjects: vec!["a".to_owned()],
                    sets: vec!["b".to_owned()],
                },
                r#"  - {"enforce":true,"parameters":{"allowedMemberSubjects":["a"],"allowedPrincipalSets":["b"]}}"#,
                r#"parameters = "{\"allowedMemberSubjects\":[\"a\"],\"allowedPrincipalSets\":[\"b\"]}""#,
            ),
        ] {
            let fix = except(&whole(), "iam.x", &exception);
            let commands = &fix.commands;
            assert!(commands.contains(rule), "{rule}: {commands}");
            let yaml = commands.split("<<'EOF'\n").nth(1).expect("a document");
            let yaml = yaml.strip_suffix("EOF\n").expect("its end");
            let policy: Value = serde_saphyr::from_str(yaml).expect("YAML");
            assert_eq!(policy["name"], "projects/acme-gke/policies/iam.x");
            let terraform = fix.terraform.text();
            assert!(terraform.contains(argument), "{argument}: {terraform}");
        }
    }

    #[test]
    fn who_was_excepted_before_stays_so() {
        let rule = DenyRule {
            policy: "policies/x/denypolicies/strict".to_owned(),
            excepted_principals: vec!["principalSet://goog/group/sre@acme.example".to_owned()],
            ..DenyRule::default()
        };
        let fix = except_from_denial("folders/12", &rule, &["principal://x".to_owned()]);
        assert!(fix.commands.contains("gcloud iam policies update strict"));
        let both = r#"exception_principals = ["principalSet://goog/group/sre@acme.example", "principal://x"]"#;
        assert!(fix.terraform.text().contains(both), "{fix:?}");
    }
}
