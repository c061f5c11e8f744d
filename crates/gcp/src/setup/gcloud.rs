//! Writes a plan as gcloud commands.

mod script;

pub use script::script;

use super::shell::{command, quote};
use super::{Action, MINTER_ROLE, MINTER_TITLE, Plan, Resource, RoleGrant, Wish};
use crate::facts::ClusterName;
use crate::policy::MINT;
use crate::principal::{ProjectId, ServiceAccountEmail};

/// Writes the commands alone, each ending its line.
pub fn commands(plan: &Plan) -> String {
    let lines = plan.actions.iter().map(|it| write(it) + "\n");
    lines.collect()
}

fn write(action: &Action) -> String {
    match action {
        Action::EnableServices { project, services } => {
            let mut words = vec!["gcloud", "services", "enable"];
            words.extend(services.iter().map(String::as_str));
            command(&words, &[("project", project.as_str())])
        }
        Action::SetWorkloadPool { cluster, pool } => cluster_command(
            &[
                "gcloud",
                "container",
                "clusters",
                "update",
                &cluster.cluster,
            ],
            cluster,
            &[("workload-pool", pool.as_str())],
        ),
        Action::SetNodePoolMetadata { cluster, node_pool } => cluster_command(
            &["gcloud", "container", "node-pools", "update", node_pool],
            cluster,
            &[
                ("cluster", &cluster.cluster),
                ("workload-metadata", "GKE_METADATA"),
            ],
        ),
        Action::CreateServiceAccount {
            email,
            project,
            kargo_project,
        } => create_account(email, project, kargo_project),
        Action::CreateRole { project } => role_command(
            "create",
            project,
            &[
                ("title", MINTER_TITLE),
                ("permissions", MINT),
                ("stage", "GA"),
            ],
        ),
        Action::EnableServiceAccount { email } => account_command("enable", email),
        Action::DisableServiceAccount { email } => account_command("disable", email),
        Action::Grant(grant) => binding(grant, "add-iam-policy-binding", ("condition", "None")),
        Action::Revoke(grant) => binding(grant, "remove-iam-policy-binding", ("all", "")),
        Action::SetConstraint {
            project,
            constraint,
            wish,
            ..
        } => constraint_command(project, constraint, *wish),
        Action::LogReads {
            project, service, ..
        } => log_reads(project, service),
        Action::DisableKey { email, key } => disable_key(email, key),
        Action::MakeTagsImmutable { repository } => command(
            &[
                "gcloud",
                "artifacts",
                "repositories",
                "update",
                &repository.repository,
            ],
            &[
                ("project", repository.project.as_str()),
                ("location", &repository.location),
                ("immutable-tags", ""),
            ],
        ),
        Action::CreateTopic { project } => command(
            &["gcloud", "pubsub", "topics", "create", "gcr"],
            &[("project", project.as_str())],
        ),
    }
}

fn create_account(email: &ServiceAccountEmail, project: &ProjectId, kargo_project: &str) -> String {
    let id = email.account_id();
    command(
        &["gcloud", "iam", "service-accounts", "create", id],
        &[
            ("project", project.as_str()),
            ("display-name", &display_name(kargo_project)),
        ],
    )
}

/// Says what an account is for, to whoever finds it in the console.
pub(super) fn display_name(kargo_project: &str) -> String {
    format!("Kargo Project {kargo_project}")
}

fn cluster_command(words: &[&str], cluster: &ClusterName, options: &[(&str, &str)]) -> String {
    let mut all = vec![
        ("project", cluster.project.as_str()),
        ("location", cluster.location.as_str()),
    ];
    all.extend_from_slice(options);
    command(words, &all)
}

/// The project is named, as gcloud does not read it out of the email and a default may be missing.
fn account_command(verb: &str, email: &ServiceAccountEmail) -> String {
    let project = email.project();
    let options: Vec<_> = project.iter().map(|it| ("project", it.as_str())).collect();
    command(
        &["gcloud", "iam", "service-accounts", verb, email.as_str()],
        &options,
    )
}

fn disable_key(email: &ServiceAccountEmail, key: &str) -> String {
    let project = email.project();
    let mut options = vec![("iam-account", email.as_str())];
    options.extend(project.iter().map(|it| ("project", it.as_str())));
    command(
        &["gcloud", "iam", "service-accounts", "keys", "disable", key],
        &options,
    )
}

fn role_command(verb: &str, project: &ProjectId, options: &[(&str, &str)]) -> String {
    let words = ["gcloud", "iam", "roles", verb, MINTER_ROLE];
    let mut all = vec![("project", project.as_str())];
    all.extend_from_slice(options);
    command(&words, &all)
}

/// `conditions` says which bindings are meant: gcloud asks back where a policy has conditions and nothing was said.
fn binding(grant: &RoleGrant, verb: &str, conditions: (&str, &str)) -> String {
    let member = grant.member.to_string();
    let of_account = match &grant.resource {
        Resource::ServiceAccount(email) => email.project(),
        Resource::Project(_) | Resource::Repository(_) | Resource::Other(_) => None,
    };
    let mut options: Vec<_> = of_account
        .iter()
        .map(|it| ("project", it.as_str()))
        .collect();
    let mut words = vec!["gcloud"];
    match &grant.resource {
        Resource::Project(project) => words.extend(["projects", verb, project.as_str()]),
        Resource::ServiceAccount(email) => {
            words.extend(["iam", "service-accounts", verb, email.as_str()]);
        }
        Resource::Repository(repository) => {
            words.extend([
                "artifacts",
                "repositories",
                verb,
                repository.repository.as_str(),
            ]);
            options.push(("project", repository.project.as_str()));
            options.push(("location", repository.location.as_str()));
        }
        Resource::Other(name) => match name.split_once('/') {
            Some(("folders", id)) => words.extend(["resource-manager", "folders", verb, id]),
            Some((_, id)) => words.extend(["organizations", verb, id]),
            None => words.extend(["organizations", verb, name.as_str()]),
        },
    }
    options.push(("role", &grant.role));
    options.push(("member", &member));
    options.push(conditions);
    command(&words, &options)
}

fn constraint_command(project: &ProjectId, constraint: &str, wish: Wish) -> String {
    let rule = match wish {
        Wish::Enforce => "enforce: true",
        Wish::DenyAll => "denyAll: true",
    };
    self::constraint(project, constraint, rule)
}

/// Sets a constraint for a project; `rule` is its one rule, on one line of YAML.
pub(super) fn constraint(project: &ProjectId, constraint: &str, rule: &str) -> String {
    format!(
        "gcloud org-policies set-policy /dev/stdin <<'EOF'\n\
         name: projects/{project}/policies/{constraint}\nspec:\n  rules:\n  - {rule}\nEOF"
    )
}

/// There is no command that adds to `auditConfigs`; the policy is edited between two commands.
fn log_reads(project: &ProjectId, service: &str) -> String {
    let project = quote(project.as_str());
    format!(
        "# Add {{\"service\": \"{service}\", \"auditLogConfigs\": [{{\"logType\": \"DATA_READ\"}}]}} to auditConfigs in between.\n\
         gcloud projects get-iam-policy {project} --format=json > policy.json\n\
         gcloud projects set-iam-policy {project} policy.json"
    )
}
