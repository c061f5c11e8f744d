//! Writes a plan as gcloud commands.

use super::shell::{command, quote};
use super::{Action, Plan, Resource, RoleGrant, Wish};
use crate::facts::ClusterName;
use crate::principal::{ProjectId, ServiceAccountEmail};

/// Writes a shell script that stops at the first command that fails; empty for an empty plan.
pub fn script(plan: &Plan) -> String {
    if plan.actions.is_empty() {
        return String::new();
    }
    let mut lines = vec![
        "#!/bin/sh".to_owned(),
        "# May be run again: what is there stays as it is.".to_owned(),
        "set -eu".to_owned(),
    ];
    lines.extend(
        plan.assumed
            .iter()
            .map(|it| format!("# {}", it.replace('\n', " "))),
    );
    lines.push(String::new());
    lines.extend(plan.actions.iter().map(step));
    lines.join("\n") + "\n"
}

/// Writes the commands alone, each ending its line.
pub fn commands(plan: &Plan) -> String {
    let lines = plan.actions.iter().map(|it| write(it) + "\n");
    lines.collect()
}

/// Writes an action so that a script can run it, or says that a person has to.
fn step(action: &Action) -> String {
    let written = guard(action) + &write(action);
    let Action::LogReads { project, service } = action else {
        return written;
    };
    let commented = written.lines().map(|it| format!("#   {it}\n"));
    let left = format!(
        "left to you: log reads of {service} in {project} as this script says, or run setup with --apply"
    );
    format!(
        "# No command adds to auditConfigs, which --apply and --format terraform do:\n{}echo {} >&2",
        commented.collect::<String>(),
        quote(&left)
    )
}

/// Keeps a command from failing where it has been run before; most do nothing then by themselves.
fn guard(action: &Action) -> String {
    let look = match action {
        Action::CreateServiceAccount { email, .. } => account_command("describe", email),
        Action::CreateTopic { project } => command(
            &["gcloud", "pubsub", "topics", "describe", "gcr"],
            &[("project", project.as_str())],
        ),
        _ => return String::new(),
    };
    format!("{look} >/dev/null 2>&1 ||\n")
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
        } => command(
            &[
                "gcloud",
                "iam",
                "service-accounts",
                "create",
                email.account_id(),
            ],
            &[
                ("project", project.as_str()),
                ("display-name", &display_name(kargo_project)),
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
        } => constraint_command(project, constraint, *wish),
        Action::LogReads { project, service } => log_reads(project, service),
        Action::DisableKey { email, key } => command(
            &["gcloud", "iam", "service-accounts", "keys", "disable", key],
            &[("iam-account", email.as_str())],
        ),
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

fn account_command(verb: &str, email: &ServiceAccountEmail) -> String {
    command(
        &["gcloud", "iam", "service-accounts", verb, email.as_str()],
        &[],
    )
}

/// `conditions` says which bindings are meant: gcloud asks back where a policy has conditions and nothing was said.
fn binding(grant: &RoleGrant, verb: &str, conditions: (&str, &str)) -> String {
    let member = grant.member.to_string();
    let mut options = Vec::new();
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
