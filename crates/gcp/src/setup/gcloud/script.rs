//! The commands of a plan as a script that may be run again.

use std::collections::BTreeSet;

use super::{account_command, role_command, write};
use crate::principal::ServiceAccountEmail;
use crate::setup::shell::{command, quote};
use crate::setup::{Action, Grantee, Plan, Resource, RoleGrant, minter_role};

/// Runs a command again for two minutes: Google speaks of a minute until a new account is known everywhere, and a new role
/// takes its time too.
///
/// Source: <https://cloud.google.com/iam/docs/service-accounts-create#creating>
const RETRY: &str = r#"
# Runs a command until it succeeds, for two minutes at most.
until_known() {
  tries=1
  until "$@"; do
    if [ "$tries" -ge 12 ]; then return 1; fi
    echo "waiting for what was just made to be known everywhere, $((tries * 10)) s" >&2
    tries=$((tries + 1))
    sleep 10
  done
}"#;

/// What is said of a constraint that the project has rules for.
const REPLACES: &str =
    "# In place of all rules that the project has for it; --apply keeps those under a condition.";

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
    let created = Created::by(plan);
    if !created.accounts.is_empty() || !created.roles.is_empty() {
        lines.push(RETRY.to_owned());
    }
    lines.push(String::new());
    lines.extend(plan.actions.iter().map(|it| step(it, &created)));
    lines.join("\n") + "\n"
}

/// What the script makes, and what is not known everywhere at once.
#[derive(Default)]
struct Created<'plan> {
    accounts: BTreeSet<&'plan ServiceAccountEmail>,
    roles: BTreeSet<String>,
}

impl<'plan> Created<'plan> {
    fn by(plan: &'plan Plan) -> Self {
        let mut created = Self::default();
        for action in &plan.actions {
            match action {
                Action::CreateServiceAccount { email, .. } => {
                    created.accounts.insert(email);
                }
                Action::CreateRole { project } => {
                    created.roles.insert(minter_role(project));
                }
                _ => {}
            }
        }
        created
    }

    /// Says whether a grant is on or to an account that the same script makes, or of such a role.
    fn carries(&self, grant: &RoleGrant) -> bool {
        let RoleGrant {
            resource,
            role,
            member,
        } = grant;
        let is_new = |email| self.accounts.contains(email);
        self.roles.contains(role)
            || matches!(resource, Resource::ServiceAccount(email) if is_new(email))
            || matches!(member, Grantee::ServiceAccount(email) if is_new(email))
    }
}

/// Writes an action so that a script can run it, or says that a person has to.
fn step(action: &Action, created: &Created<'_>) -> String {
    let written = match action {
        Action::Grant(grant) if created.carries(grant) => {
            format!("until_known {}", write(action))
        }
        Action::SetConstraint {
            is_set: Some(true), ..
        } => format!("{REPLACES}\n{}", write(action)),
        _ => guard(action) + &write(action),
    };
    let Action::LogReads {
        project, service, ..
    } = action
    else {
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
        Action::CreateRole { project } => {
            // One that was deleted is still there, and its name is taken.
            let undelete = role_command("undelete", project, &[]);
            let describe = role_command("describe", project, &[]);
            return [undelete, describe]
                .map(|it| format!("{it} >/dev/null 2>&1 ||\n"))
                .concat();
        }
        _ => return String::new(),
    };
    format!("{look} >/dev/null 2>&1 ||\n")
}
