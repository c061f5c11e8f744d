//! Every rule, by its id.

use super::{Found, Rule, Severity};
use super::{accounts, controller, minters, repositories, roles, surroundings};
use crate::facts::Facts;

/// Every rule. Written down for users in `docs/book/gcp-checks.md`.
pub const RULES: &[Rule] = &[
    rule(
        "A01",
        Severity::High,
        "the controller has a role on a whole project, folder or organisation",
        controller::broad_roles,
    ),
    rule(
        "A02",
        Severity::Critical,
        "Pods may act as every service account of a project",
        controller::project_wide_minting,
    ),
    rule(
        "A03",
        Severity::Critical,
        "the account of a Project has a basic role",
        roles::basic_roles,
    ),
    rule(
        "A04",
        Severity::High,
        "the account of a Project may write to registries",
        roles::writing_roles,
    ),
    rule(
        "A05",
        Severity::Medium,
        "the account of a Project reads every repository of a project",
        roles::project_wide_reading,
    ),
    rule(
        "A06",
        Severity::Medium,
        "the account of a Project has a role it does not need",
        roles::other_roles,
    ),
    rule(
        "A07",
        Severity::Critical,
        "others than the controller may act as the account of a Project",
        minters::other_minters,
    ),
    rule(
        "A08",
        Severity::High,
        "the account of a Project has keys",
        accounts::keys,
    ),
    rule(
        "A09",
        Severity::Medium,
        "an account of a Project is not used or its Project is gone",
        accounts::unused,
    ),
    rule(
        "A10",
        Severity::High,
        "a repository is public",
        repositories::public,
    ),
    rule(
        "A11",
        Severity::High,
        "the controller or a Project may write to a repository",
        repositories::writable,
    ),
    rule(
        "A12",
        Severity::High,
        "the controller reads a repository, so that a fallback succeeds for every Project",
        repositories::read_by_controller,
    ),
    rule(
        "A13",
        Severity::Info,
        "Projects share a repository",
        repositories::shared_by_projects,
    ),
    rule(
        "A14",
        Severity::Info,
        "a grant stands in the older spelling of the controller's principal",
        minters::legacy_members,
    ),
    rule(
        "A15",
        Severity::Medium,
        "another cluster has the same pool, so that the same names there are the same identities",
        surroundings::sameness,
    ),
    rule(
        "A16",
        Severity::Medium,
        "an account is disabled, or a grant is left of a deleted one",
        accounts::leftovers,
    ),
    rule(
        "A17",
        Severity::High,
        "the controller's Kubernetes account is annotated with a service account",
        controller::annotation,
    ),
    rule(
        "A18",
        Severity::High,
        "a role made for Google's own service agents is held by somebody else",
        surroundings::agent_roles,
    ),
    rule(
        "A19",
        Severity::Medium,
        "nodes may write to registries or have a basic role",
        surroundings::node_accounts,
    ),
    rule(
        "A20",
        Severity::High,
        "a Secret holds a key of a service account",
        accounts::key_secrets,
    ),
    rule(
        "A21",
        Severity::Medium,
        "an organisation policy of the baseline is not in force",
        surroundings::baseline,
    ),
    rule(
        "A22",
        Severity::Low,
        "the controller may sign as the account of a Project",
        minters::signing,
    ),
    rule(
        "A23",
        Severity::Low,
        "acting as an account leaves no line in the audit log",
        surroundings::audit_logs,
    ),
    rule(
        "A24",
        Severity::Medium,
        "a grant was meant for the controller and does not reach it",
        minters::near_misses,
    ),
];

const fn rule(
    id: &'static str,
    severity: Severity,
    title: &'static str,
    find: fn(&Facts, &mut Found),
) -> Rule {
    Rule {
        id,
        severity,
        title,
        find,
    }
}
