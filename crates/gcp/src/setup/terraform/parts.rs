//! The resources that a plan is made of.

use super::block::{Block, label, list, text};
use super::edit;
use crate::facts::ClusterName;
use crate::policy::{AuditLog, MINT};
use crate::principal::{ProjectId, ServiceAccountEmail, WorkloadPool};
use crate::setup::gcloud::display_name;
use crate::setup::logs::{UNREAD_LOGS, all_logs};
use crate::setup::{MINTER_ROLE, MINTER_TITLE, Wish, account_name};

/// What switches an API on.
pub(super) const SERVICE: &str = "google_project_service";
/// What makes a role.
pub(super) const ROLE: &str = "google_project_iam_custom_role";

pub(super) fn data(project: &ProjectId, label: &str) -> Block {
    Block::data("google_project", label).with("project_id", &text(project.as_str()))
}

/// Names a service without the end that all have.
pub(super) fn short(service: &str) -> &str {
    service.strip_suffix(".googleapis.com").unwrap_or(service)
}

pub(super) fn service(project: &ProjectId, service: &str, label: &str) -> Block {
    Block::resource(SERVICE, label)
        .with("project", &text(project.as_str()))
        .with("service", &text(service))
        .with("disable_on_destroy", "false")
}

/// The pool is made with the first cluster that has one, and a grant to its members is refused before that.
pub(super) fn workload_pool(cluster: &ClusterName, pool: &WorkloadPool) -> String {
    let inner =
        Block::nested("workload_identity_config").with("workload_pool", &text(pool.as_str()));
    let title = format!("google_container_cluster of {}", cluster.cluster);
    edit(&title, &inner)
        + "# There is no such pool before: have grants to its members depend on the cluster.\n"
}

pub(super) fn node_pool_metadata(cluster: &ClusterName, node_pool: &str) -> String {
    let mode = Block::nested("workload_metadata_config").with("mode", &text("GKE_METADATA"));
    let inner = Block::nested("node_config").inside(mode);
    let title = format!(
        "google_container_node_pool {node_pool} of {}",
        cluster.cluster
    );
    edit(&title, &inner)
}

pub(super) fn account(
    email: &ServiceAccountEmail,
    project: &ProjectId,
    kargo_project: &str,
) -> Block {
    Block::resource("google_service_account", &label(&[email.account_id()]))
        .with("project", &text(project.as_str()))
        .with("account_id", &text(email.account_id()))
        .with("display_name", &text(&display_name(kargo_project)))
}

/// Labels the role, of which a project has one, whichever Projects use it.
pub(super) fn role_label(project: &ProjectId) -> String {
    label(&[project.as_str(), MINTER_ROLE])
}

pub(super) fn role(project: &ProjectId) -> Block {
    Block::resource(ROLE, &role_label(project))
        .with("project", &text(project.as_str()))
        .with("role_id", &text(MINTER_ROLE))
        .with("title", &text(MINTER_TITLE))
        .with("permissions", &list(&[MINT.to_owned()]))
        .with("stage", &text("GA"))
}

/// Enables an account, which is there and has to be imported unless it is declared elsewhere.
pub(super) fn enabled(email: &ServiceAccountEmail) -> String {
    let (Some(project), Some(kargo_project)) = (email.project(), email.kargo_project()) else {
        return set_disabled(email, "false");
    };
    let block = account(email, &project, kargo_project).with("disabled", "false");
    let to = format!("google_service_account.{}", label(&[email.account_id()]));
    let import = import(&to, &account_name(email));
    format!(
        "# Where it is declared elsewhere, say disabled = false there instead.\n{import}\n{block}"
    )
}

pub(super) fn set_disabled(email: &ServiceAccountEmail, disabled: &str) -> String {
    format!("# In the google_service_account of {email}:\n#   disabled = {disabled}\n")
}

pub(super) fn policy(project: &ProjectId, constraint: &str, wish: Wish) -> Block {
    let rules = Block::nested("rules");
    let rules = match wish {
        Wish::Enforce => rules.with("enforce", &text("TRUE")),
        Wish::DenyAll => rules.with("deny_all", &text("TRUE")),
    };
    self::constraint(project, constraint, rules)
}

/// Sets a constraint for a project; `rules` is its one rule.
pub(in crate::setup) fn constraint(project: &ProjectId, constraint: &str, rules: Block) -> Block {
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

/// What is said where it was not read which constraints are set on the project.
pub(super) const IMPORT_FIRST: &str = "\
# A constraint that the project has set already is refused here until it is imported:\n\
# terraform import google_org_policy_policy.LABEL projects/PROJECT/policies/CONSTRAINT\n";

/// Takes over what is set, as Terraform would not set it twice.
pub(super) fn import_constraint(project: &ProjectId, constraint: &str) -> String {
    let to = format!(
        "google_org_policy_policy.{}",
        label(&[project.as_str(), constraint])
    );
    let id = format!("projects/{project}/policies/{constraint}");
    format!(
        "# The rules below take the place of those that are set.\n{}\n",
        import(&to, &id)
    )
}

/// Source: <https://developer.hashicorp.com/terraform/language/import>
fn import(to: &str, id: &str) -> Block {
    Block::nested("import").with("to", to).with("id", &text(id))
}

/// Has all of a service logged that is named in the end: what is not is switched off.
pub(super) fn log_reads(project: &ProjectId, service: &str) -> Block {
    Block::resource(
        "google_project_iam_audit_config",
        &label(&[project.as_str(), short(service)]),
    )
    .with("project", &text(project.as_str()))
    .with("service", &text(service))
}

/// Adds what is logged today, and reads.
pub(super) fn with_logs(block: Block, logged: Option<&[AuditLog]>) -> String {
    let logs = all_logs(logged);
    let written = logs.iter().map(log).fold(block, Block::inside);
    match logged {
        Some(_) => written.to_string(),
        None => format!("# {UNREAD_LOGS}\n{written}"),
    }
}

fn log(log: &AuditLog) -> Block {
    let block = Block::nested("audit_log_config").with("log_type", &text(&log.log_type));
    match log.exempted_members.as_slice() {
        [] => block,
        members => block.with("exempted_members", &list(members)),
    }
}
