//! Writes a plan as Terraform, formatted as `terraform fmt` does.
//!
//! Members are added one by one, never whole bindings, which would take the role from everybody else. Numbers of projects
//! come from data sources, and what the same plan creates is referred to, so that Terraform knows the order.

pub(crate) mod block;
mod way_out;

use std::collections::{BTreeMap, BTreeSet};

use block::{Block, label, text};
pub(super) use way_out::way_out;

use super::gcloud::display_name;
use super::{Action, Grantee, Plan, Resource, RoleGrant, Wish, account_name};
use crate::principal::{Principal, ProjectId, ServiceAccountEmail};

/// Writes one file; empty for an empty plan.
pub fn write(plan: &Plan) -> String {
    let names = Names::of(plan);
    let mut parts: Vec<String> = plan
        .assumed
        .iter()
        .map(|it| format!("# {}\n", it.replace('\n', " ")))
        .collect();
    parts.extend(names.projects.iter().map(|it| data(it).to_string()));
    parts.extend(plan.actions.iter().map(|it| names.write(it)));
    parts.join("\n")
}

/// What the other parts of the file can refer to.
struct Names {
    /// The labels of accounts that the plan creates.
    created: BTreeMap<ServiceAccountEmail, String>,
    /// The projects whose number is needed.
    projects: BTreeSet<ProjectId>,
}

impl Names {
    fn of(plan: &Plan) -> Self {
        let created = plan.actions.iter().filter_map(|it| match it {
            Action::CreateServiceAccount { email, .. } => {
                Some((email.clone(), label(&[email.account_id()])))
            }
            _ => None,
        });
        let projects = plan.actions.iter().filter_map(|it| match it {
            Action::Grant(grant) => project_of(&grant.member),
            _ => None,
        });
        Self {
            created: created.collect(),
            projects: projects.collect(),
        }
    }

    fn write(&self, action: &Action) -> String {
        match action {
            Action::EnableServices { project, services } => {
                let blocks = services.iter().map(|it| service(project, it).to_string());
                blocks.collect::<Vec<_>>().join("\n")
            }
            Action::SetWorkloadPool { cluster, pool } => {
                let inner = Block::nested("workload_identity_config")
                    .with("workload_pool", &text(pool.as_str()));
                edit(
                    &format!("google_container_cluster of {}", cluster.cluster),
                    &inner,
                )
            }
            Action::SetNodePoolMetadata { cluster, node_pool } => {
                let mode =
                    Block::nested("workload_metadata_config").with("mode", &text("GKE_METADATA"));
                let inner = Block::nested("node_config").inside(mode);
                edit(
                    &format!(
                        "google_container_node_pool {node_pool} of {}",
                        cluster.cluster
                    ),
                    &inner,
                )
            }
            Action::CreateServiceAccount {
                email,
                project,
                kargo_project,
            } => Block::resource("google_service_account", &label(&[email.account_id()]))
                .with("project", &text(project.as_str()))
                .with("account_id", &text(email.account_id()))
                .with("display_name", &text(&display_name(kargo_project)))
                .to_string(),
            Action::EnableServiceAccount { email } => set_disabled(email, "false"),
            Action::DisableServiceAccount { email } => set_disabled(email, "true"),
            Action::Grant(grant) => self.grant(grant).to_string(),
            Action::Revoke(grant) => commented(
                "Remove where it is declared:",
                &self.grant(grant).to_string(),
            ),
            Action::SetConstraint {
                project,
                constraint,
                wish,
            } => policy(project, constraint, *wish).to_string(),
            Action::LogReads { project, service } => log_reads(project, service).to_string(),
            Action::DisableKey { email, key } => {
                format!("# Remove the google_service_account_key {key} of {email}.\n")
            }
            Action::MakeTagsImmutable { repository } => {
                let inner = Block::nested("docker_config").with("immutable_tags", "true");
                edit(
                    &format!("google_artifact_registry_repository of {repository}"),
                    &inner,
                )
            }
            Action::CreateTopic { project } => {
                Block::resource("google_pubsub_topic", &label(&[project.as_str(), "gcr"]))
                    .with("project", &text(project.as_str()))
                    .with("name", &text("gcr"))
                    .to_string()
            }
        }
    }

    fn grant(&self, grant: &RoleGrant) -> Block {
        let who = grant.member.short_name();
        let role = grant.role.rsplit(['.', '/']).next().unwrap_or_default();
        let block = match &grant.resource {
            Resource::Project(project) => Block::resource(
                "google_project_iam_member",
                &label(&[project.as_str(), &who, role]),
            )
            .with("project", &text(project.as_str())),
            Resource::ServiceAccount(email) => {
                let account = match self.created.get(email) {
                    Some(label) => format!("google_service_account.{label}.name"),
                    None => text(&account_name(email)),
                };
                Block::resource(
                    "google_service_account_iam_member",
                    &label(&[email.account_id(), &who]),
                )
                .with("service_account_id", &account)
            }
            Resource::Repository(it) => {
                let parts = [&who, it.project.as_str(), &it.location, &it.repository];
                Block::resource(
                    "google_artifact_registry_repository_iam_member",
                    &label(&parts),
                )
                .with("project", &text(it.project.as_str()))
                .with("location", &text(&it.location))
                .with("repository", &text(&it.repository))
            }
            Resource::Other(name) => wide_member(name, &label(&[name, &who, role])),
        };
        block
            .with("role", &text(&grant.role))
            .with("member", &self.member(&grant.member))
    }

    fn member(&self, member: &Grantee) -> String {
        match member {
            Grantee::ServiceAccount(email) => match self.created.get(email) {
                Some(label) => format!("google_service_account.{label}.member"),
                None => text(&email.member()),
            },
            Grantee::Kubernetes(principal) => match principal.pool.project() {
                Some(project) if self.projects.contains(&project) => {
                    by_data_source(principal, &project)
                }
                _ => text(&principal.to_string()),
            },
            Grantee::Member(member) => text(member),
        }
    }
}

fn project_of(member: &Grantee) -> Option<ProjectId> {
    match member {
        Grantee::Kubernetes(principal) => principal.pool.project(),
        Grantee::ServiceAccount(_) | Grantee::Member(_) => None,
    }
}

fn by_data_source(principal: &Principal, project: &ProjectId) -> String {
    let number = format!("/projects/{}/", principal.number);
    let reference = format!(
        "/projects/${{data.google_project.{}.number}}/",
        label(&[project.as_str()])
    );
    text(&principal.to_string()).replacen(&number, &reference, 1)
}

fn wide_member(name: &str, label: &str) -> Block {
    if name.starts_with("folders/") {
        return Block::resource("google_folder_iam_member", label).with("folder", &text(name));
    }
    let id = name.rsplit('/').next().unwrap_or_default();
    Block::resource("google_organization_iam_member", label).with("org_id", &text(id))
}

fn data(project: &ProjectId) -> Block {
    Block::data("google_project", &label(&[project.as_str()]))
        .with("project_id", &text(project.as_str()))
}

fn service(project: &ProjectId, service: &str) -> Block {
    let name = service.strip_suffix(".googleapis.com").unwrap_or(service);
    Block::resource("google_project_service", &label(&[project.as_str(), name]))
        .with("project", &text(project.as_str()))
        .with("service", &text(service))
        .with("disable_on_destroy", "false")
}

fn set_disabled(email: &ServiceAccountEmail, disabled: &str) -> String {
    format!("# In the google_service_account of {email}:\n#   disabled = {disabled}\n")
}

fn policy(project: &ProjectId, constraint: &str, wish: Wish) -> Block {
    let rules = Block::nested("rules");
    let rules = match wish {
        Wish::Enforce => rules.with("enforce", &text("TRUE")),
        Wish::DenyAll => rules.with("deny_all", &text("TRUE")),
    };
    self::constraint(project, constraint, rules)
}

/// Sets a constraint for a project; `rules` is its one rule.
pub(super) fn constraint(project: &ProjectId, constraint: &str, rules: Block) -> Block {
    Block::resource(
        "google_org_policy_policy",
        &label(&[project.as_str(), constraint]),
    )
    .with(
        "name",
        &text(&format!("projects/{project}/policies/{constraint}")),
    )
    .with("parent", &text(&format!("projects/{project}")))
    .inside(Block::nested("spec").inside(rules))
}

fn log_reads(project: &ProjectId, service: &str) -> Block {
    let name = service.strip_suffix(".googleapis.com").unwrap_or(service);
    Block::resource(
        "google_project_iam_audit_config",
        &label(&[project.as_str(), name]),
    )
    .with("project", &text(project.as_str()))
    .with("service", &text(service))
    .inside(Block::nested("audit_log_config").with("log_type", &text("DATA_READ")))
}

/// Says what to add to a resource that somebody else declares.
pub(crate) fn edit(resource: &str, inner: &Block) -> String {
    commented(&format!("In the {resource}:"), &inner.to_string())
}

/// Writes lines as a comment below a title.
pub(crate) fn commented(title: &str, lines: &str) -> String {
    let lines = lines.lines().map(|it| {
        if it.is_empty() {
            "#\n".to_owned()
        } else {
            format!("#   {it}\n")
        }
    });
    format!("# {title}\n") + &lines.collect::<String>()
}
