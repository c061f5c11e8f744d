//! Writes a plan as resources of Config Connector.
//!
//! What Config Connector can only do to resources it owns, such as clusters, is written as a comment.
//!
//! Source: <https://cloud.google.com/config-connector/docs/reference/overview>

use super::gcloud::display_name;
use super::logs::{UNREAD_LOGS, all_logs};
use super::{Action, MINTER_ROLE, MINTER_TITLE, Plan, Resource, RoleGrant, Wish};
use crate::policy::{AuditLog, MINT};
use crate::principal::{ProjectId, ServiceAccountEmail};

/// Without it, taking the manifest away would switch the API off for everybody in the project.
///
/// Source: <https://cloud.google.com/config-connector/docs/reference/resource-docs/serviceusage/service>
const KEEP_ON_DELETION: &str =
    "  annotations:\n    cnrm.cloud.google.com/disable-on-destroy: \"false\"\n";

/// Writes one file of YAML documents; empty for an empty plan.
pub fn write(plan: &Plan) -> String {
    let notes = plan
        .assumed
        .iter()
        .map(|it| comment(&it.replace('\n', " ")));
    let documents = plan.actions.iter().map(document);
    notes.chain(documents).collect::<Vec<_>>().join("---\n")
}

fn document(action: &Action) -> String {
    match action {
        Action::EnableServices { project, services } => {
            let documents = services.iter().map(|it| service(project, it));
            documents.collect::<Vec<_>>().join("---\n")
        }
        Action::SetWorkloadPool { cluster, pool } => comment(&format!(
            "In the ContainerCluster {}: spec.workloadIdentityConfig.workloadPool: {pool}",
            cluster.cluster
        )),
        Action::SetNodePoolMetadata { node_pool, .. } => comment(&format!(
            "In the ContainerNodePool {node_pool}: spec.nodeConfig.workloadMetadataConfig.mode: GKE_METADATA"
        )),
        Action::CreateServiceAccount {
            email,
            project,
            kargo_project,
        } => account(email, project, kargo_project),
        Action::EnableServiceAccount { email } => comment(&format!(
            "In the IAMServiceAccount {}: spec.disabled: false",
            email.account_id()
        )),
        Action::DisableServiceAccount { email } => comment(&format!(
            "In the IAMServiceAccount {}: spec.disabled: true",
            email.account_id()
        )),
        Action::Grant(grant) => member(grant),
        Action::Revoke(grant) => comment(&format!(
            "Remove the IAMPolicyMember that gives {} to {} on {}.",
            grant.role, grant.member, grant.resource
        )),
        Action::SetConstraint {
            project,
            constraint,
            wish,
            ..
        } => policy(project, constraint, *wish),
        Action::LogReads {
            project,
            service,
            logged,
        } => audit_config(project, service, logged.as_deref()),
        Action::CreateRole { project } => role(project),
        Action::DisableKey { email, key } => comment(&format!(
            "Remove the IAMServiceAccountKey {key} of {email}."
        )),
        Action::MakeTagsImmutable { repository } => comment(&format!(
            "In the ArtifactRegistryRepository {}: spec.dockerConfig.immutableTags: true",
            repository.repository
        )),
        Action::CreateTopic { project } => {
            head(
                "pubsub",
                "PubSubTopic",
                &name(&[project.as_str(), "gcr"]),
                Some(project),
            ) + "spec:\n  resourceID: gcr\n"
        }
    }
}

fn service(project: &ProjectId, service: &str) -> String {
    head(
        "serviceusage",
        "Service",
        &name(&[project.as_str(), service]),
        None,
    ) + KEEP_ON_DELETION
        + &format!(
            "spec:\n  resourceID: {}\n  projectRef:\n    external: {}\n",
            text(service),
            text(project.as_str())
        )
}

fn role(project: &ProjectId) -> String {
    head(
        "iam",
        "IAMCustomRole",
        &name(&[project.as_str(), MINTER_ROLE]),
        Some(project),
    ) + &format!(
        "spec:\n  resourceID: {MINTER_ROLE}\n  title: {}\n  stage: GA\n  permissions:\n  - {MINT}\n",
        text(MINTER_TITLE)
    )
}

fn account(email: &ServiceAccountEmail, project: &ProjectId, kargo_project: &str) -> String {
    head(
        "iam",
        "IAMServiceAccount",
        email.account_id(),
        Some(project),
    ) + &format!(
        "spec:\n  displayName: {}\n",
        text(&display_name(kargo_project))
    )
}

fn member(grant: &RoleGrant) -> String {
    let (kind, resource) = match &grant.resource {
        Resource::Project(project) => ("Project", project.to_string()),
        Resource::ServiceAccount(email) => ("IAMServiceAccount", email.account_id().to_owned()),
        Resource::Repository(it) => (
            "ArtifactRegistryRepository",
            format!("{}-{}-{}", it.project, it.location, it.repository),
        ),
        Resource::Other(name) if name.starts_with("folders/") => ("Folder", name.clone()),
        Resource::Other(name) => ("Organization", name.clone()),
    };
    let role = grant.role.rsplit(['.', '/']).next().unwrap_or_default();
    let who = grant.member.short_name();
    head(
        "iam",
        "IAMPolicyMember",
        &name(&[&resource, &who, role]),
        None,
    ) + &format!(
        "spec:\n  member: {}\n  role: {}\n  resourceRef:\n    kind: {kind}\n    external: {}\n",
        text(&grant.member.to_string()),
        text(&grant.role),
        text(&grant.resource.to_string())
    )
}

fn policy(project: &ProjectId, constraint: &str, wish: Wish) -> String {
    let rule = match wish {
        Wish::Enforce => "enforce: true",
        Wish::DenyAll => "denyAll: true",
    };
    head(
        "orgpolicy",
        "OrgPolicyPolicy",
        &name(&[project.as_str(), constraint]),
        None,
    ) + &format!(
        "spec:\n  resourceID: {}\n  projectRef:\n    external: {}\n  spec:\n    rules:\n    - {rule}\n",
        text(constraint),
        text(project.as_str())
    )
}

/// All that is logged of a service, as what is not named there is switched off.
fn audit_config(project: &ProjectId, service: &str, logged: Option<&[AuditLog]>) -> String {
    let logs: String = all_logs(logged).iter().map(log).collect();
    let warning = match logged {
        Some(_) => String::new(),
        None => comment(UNREAD_LOGS),
    };
    warning
        + &head(
            "iam",
            "IAMAuditConfig",
            &name(&[project.as_str(), service]),
            None,
        )
        + &format!(
            "spec:\n  service: {}\n  auditLogConfigs:\n{logs}  resourceRef:\n    kind: Project\n    external: {}\n",
            text(service),
            text(&format!("projects/{project}"))
        )
}

fn log(log: &AuditLog) -> String {
    let mut written = format!("  - logType: {}\n", log.log_type);
    if !log.exempted_members.is_empty() {
        written.push_str("    exemptedMembers:\n");
    }
    let members = log.exempted_members.iter();
    written.extend(members.map(|it| format!("    - {}\n", text(it))));
    written
}

fn head(group: &str, kind: &str, name: &str, project: Option<&ProjectId>) -> String {
    let annotations = project.map_or_else(String::new, |project| {
        let project = text(project.as_str());
        format!("  annotations:\n    cnrm.cloud.google.com/project-id: {project}\n")
    });
    format!(
        "apiVersion: {group}.cnrm.cloud.google.com/v1beta1\nkind: {kind}\nmetadata:\n  name: {}\n{annotations}",
        text(name)
    )
}

/// Makes one object name of some names.
fn name(parts: &[&str]) -> String {
    let joined = parts.join("-").to_ascii_lowercase();
    let plain = |it: char| {
        if it.is_ascii_alphanumeric() || it == '.' {
            it
        } else {
            '-'
        }
    };
    let name: String = joined.chars().map(plain).take(253).collect();
    name.trim_matches(['-', '.']).to_owned()
}

/// Quotes a scalar wherever YAML could read something else than text.
fn text(value: &str) -> String {
    let starts_plain = value.starts_with(|it: char| it.is_ascii_lowercase());
    let plain = value
        .chars()
        .all(|it| it.is_ascii_alphanumeric() || "-_./@".contains(it));
    if starts_plain
        && plain
        && !matches!(
            value,
            "true" | "false" | "null" | "yes" | "no" | "on" | "off"
        )
    {
        value.to_owned()
    } else {
        serde_json::Value::from(value).to_string()
    }
}

fn comment(line: &str) -> String {
    format!("# {line}\n")
}
