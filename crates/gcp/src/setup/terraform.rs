//! Writes a plan as Terraform, formatted as `terraform fmt` does.
//!
//! Members are added one by one, never whole bindings, which would take the role from everybody else. Numbers of projects
//! come from data sources, and what the same plan creates is referred to, so that Terraform knows the order.

pub(crate) mod block;
mod parts;
mod way_out;

use std::collections::{BTreeMap, BTreeSet};

use block::{Block, label, text};
pub(super) use parts::constraint;
use parts::{account, data, log_reads, policy, service};
pub(super) use way_out::way_out;

use super::{Action, Grantee, Plan, Resource, RoleGrant, account_name, minter_role};
use crate::facts::{ARTIFACT_REGISTRY, IAM, ORG_POLICY, RESOURCE_MANAGER};
use crate::principal::{Principal, ProjectId, ServiceAccountEmail};

/// Writes one file; empty for an empty plan.
pub fn write(plan: &Plan) -> String {
    write_for("", plan)
}

/// Writes the file of one Project, which may stand beside those of others: what each of them needs has its name.
pub fn write_for(kargo_project: &str, plan: &Plan) -> String {
    let names = Names::of(plan, kargo_project);
    let mut written: Vec<String> = plan
        .assumed
        .iter()
        .map(|it| format!("# {}\n", it.replace('\n', " ")))
        .collect();
    if plan.actions.iter().any(is_set_perhaps) {
        written.push(parts::IMPORT_FIRST.to_owned());
    }
    let data = names
        .projects
        .iter()
        .map(|it| data(it, &names.own(&[it.as_str()])));
    written.extend(data.map(|it| it.to_string()));
    written.extend(plan.actions.iter().map(|it| names.write(it)));
    written.join("\n")
}

/// What the other parts of the file can refer to.
struct Names<'plan> {
    /// The Project whose file it is; empty where it is nobody's.
    kargo_project: &'plan str,
    /// The labels of accounts that the plan creates.
    created: BTreeMap<ServiceAccountEmail, String>,
    /// The roles that the plan creates, each with what to refer to it by.
    roles: BTreeMap<String, String>,
    /// The services that the plan switches on, by their project.
    services: BTreeSet<(&'plan ProjectId, &'plan str)>,
    /// The projects whose number is needed.
    projects: BTreeSet<ProjectId>,
}

impl<'plan> Names<'plan> {
    fn of(plan: &'plan Plan, kargo_project: &'plan str) -> Self {
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
        let roles = plan.actions.iter().filter_map(|it| match it {
            Action::CreateRole { project } => Some((
                minter_role(project),
                format!("{}.{}.name", parts::ROLE, parts::role_label(project)),
            )),
            _ => None,
        });
        let services = plan.actions.iter().filter_map(|it| match it {
            Action::EnableServices { project, services } => {
                Some(services.iter().map(move |it| (project, it.as_str())))
            }
            _ => None,
        });
        Self {
            kargo_project,
            created: created.collect(),
            roles: roles.collect(),
            services: services.flatten().collect(),
            projects: projects.collect(),
        }
    }

    /// Makes a label of what each Project's file declares for itself.
    fn own(&self, names: &[&str]) -> String {
        match self.kargo_project {
            "" => label(names),
            project => label(&[names, &[project]].concat()),
        }
    }

    fn service_label(&self, project: &ProjectId, service: &str) -> String {
        self.own(&[project.as_str(), parts::short(service)])
    }

    /// Has a resource wait for the API by which it is made, where the same plan switches that on.
    fn after(&self, block: Block, project: &ProjectId, service: &str) -> Block {
        if !self.services.contains(&(project, service)) {
            return block;
        }
        let label = self.service_label(project, service);
        block.with("depends_on", &format!("[{}.{label}]", parts::SERVICE))
    }

    fn write(&self, action: &Action) -> String {
        match action {
            Action::EnableServices { project, services } => {
                let blocks = services
                    .iter()
                    .map(|it| service(project, it, &self.service_label(project, it)).to_string());
                blocks.collect::<Vec<_>>().join("\n")
            }
            Action::SetWorkloadPool { cluster, pool } => parts::workload_pool(cluster, pool),
            Action::SetNodePoolMetadata { cluster, node_pool } => {
                parts::node_pool_metadata(cluster, node_pool)
            }
            Action::CreateServiceAccount {
                email,
                project,
                kargo_project,
            } => {
                let block = account(email, project, kargo_project)
                    .with("create_ignore_already_exists", "true");
                self.after(block, project, IAM).to_string()
            }
            Action::CreateRole { project } => {
                self.after(parts::role(project), project, IAM).to_string()
            }
            Action::EnableServiceAccount { email } => parts::enabled(email),
            Action::DisableServiceAccount { email } => parts::set_disabled(email, "true"),
            Action::Grant(grant) => self.grant(grant).to_string(),
            Action::Revoke(grant) => commented(
                "Remove where it is declared:",
                &self.grant(grant).to_string(),
            ),
            Action::SetConstraint {
                project,
                constraint,
                wish,
                is_set,
            } => {
                let block = policy(project, constraint, *wish);
                let block = self.after(block, project, ORG_POLICY).to_string();
                match is_set {
                    Some(true) => parts::import_constraint(project, constraint) + &block,
                    Some(false) | None => block,
                }
            }
            Action::LogReads {
                project,
                service,
                logged,
            } => {
                let block = self.after(log_reads(project, service), project, RESOURCE_MANAGER);
                parts::with_logs(block, logged.as_deref())
            }
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
                // What the controller is granted, each Project's file may grant.
                let label = match &grant.member {
                    Grantee::Kubernetes(_) => self.own(&parts),
                    Grantee::ServiceAccount(_) | Grantee::Member(_) => label(&parts),
                };
                Block::resource("google_artifact_registry_repository_iam_member", &label)
                    .with("project", &text(it.project.as_str()))
                    .with("location", &text(&it.location))
                    .with("repository", &text(&it.repository))
            }
            Resource::Other(name) => wide_member(name, &label(&[name, &who, role])),
        };
        let role = match self.roles.get(&grant.role) {
            Some(reference) => reference.clone(),
            None => text(&grant.role),
        };
        let block = block
            .with("role", &role)
            .with("member", &self.member(&grant.member));
        match &grant.resource {
            // One that is referred to has waited already.
            Resource::ServiceAccount(email) if !self.created.contains_key(email) => {
                match email.project() {
                    Some(project) => self.after(block, &project, IAM),
                    None => block,
                }
            }
            Resource::Repository(it) => self.after(block, &it.project, ARTIFACT_REGISTRY),
            Resource::ServiceAccount(_) | Resource::Project(_) | Resource::Other(_) => block,
        }
    }

    fn member(&self, member: &Grantee) -> String {
        match member {
            Grantee::ServiceAccount(email) => match self.created.get(email) {
                Some(label) => format!("google_service_account.{label}.member"),
                None => text(&email.member()),
            },
            Grantee::Kubernetes(principal) => match principal.pool.project() {
                Some(project) if self.projects.contains(&project) => {
                    by_data_source(principal, &self.own(&[project.as_str()]))
                }
                _ => text(&principal.to_string()),
            },
            Grantee::Member(member) => text(member),
        }
    }
}

/// Says whether it was not read if a constraint is set already, which Terraform would refuse to do again.
fn is_set_perhaps(action: &Action) -> bool {
    matches!(action, Action::SetConstraint { is_set: None, .. })
}

fn project_of(member: &Grantee) -> Option<ProjectId> {
    match member {
        Grantee::Kubernetes(principal) => principal.pool.project(),
        Grantee::ServiceAccount(_) | Grantee::Member(_) => None,
    }
}

fn by_data_source(principal: &Principal, label: &str) -> String {
    let number = format!("/projects/{}/", principal.number);
    let reference = format!("/projects/${{data.google_project.{label}.number}}/");
    text(&principal.to_string()).replacen(&number, &reference, 1)
}

fn wide_member(name: &str, label: &str) -> Block {
    if name.starts_with("folders/") {
        return Block::resource("google_folder_iam_member", label).with("folder", &text(name));
    }
    let id = name.rsplit('/').next().unwrap_or_default();
    Block::resource("google_organization_iam_member", label).with("org_id", &text(id))
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
