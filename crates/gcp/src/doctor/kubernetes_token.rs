//! The token of the Kubernetes account that a Project acts as: without it nothing can be tried for the Project.

use super::{Verdict, symptoms};
use crate::facts::{Facts, Reason, Seen};
use crate::principal::{KubernetesAccount, PROJECT_ACCOUNT, WorkloadPool};
use crate::setup::repair::denial::{self, Refuser};
use crate::setup::repair::home;
use crate::setup::{Fix, shell};

const STS: &str = "sts.googleapis.com";

/// Says why nothing could be tried as a Project's Kubernetes account; `None` where something could, or where another acts.
///
/// That Kubernetes gave no token says nothing about Google, so it is unknown; what STS refused is refused to the
/// controller too.
pub(super) fn missing(facts: &Facts, project: &str) -> Option<Verdict> {
    let principal = facts.kubernetes_account_of(project)?;
    let reading = facts.project(project).kubernetes_token;
    let verdict = match &reading.seen {
        Seen::Known(_) | Seen::Skipped => return None,
        Seen::Denied(denial) => {
            let says = symptoms::with_cause(&denial.message);
            let refuser = Refuser {
                project: &home(facts),
                service: STS,
            };
            let by_hand = || {
                Fix::commands(&[try_by_hand(project, &principal.pool)])
                    .without_terraform("what is asked for is a token, which nothing declares")
            };
            let fix = match denial.reason {
                Reason::BadCredential | Reason::Anonymous | Reason::Other => by_hand(),
                _ => denial::of(facts, denial, refuser, by_hand),
            };
            Verdict::fail(
                &format!("no token of {project}/{PROJECT_ACCOUNT} was to be had: {says}"),
                fix,
            )
        }
        Seen::Absent | Seen::Unreachable { .. } => {
            let why = reading.known().err().map(|it| it.why).unwrap_or_default();
            let controller = &facts.intent.controller;
            let commands = [
                may_create(project, controller),
                try_by_hand(project, &principal.pool),
            ];
            let advice = "the controller needs the verb create on serviceaccounts/token in the Project's namespace; \
                whoever runs doctor at a desk needs it too to try it from there";
            Verdict::unknown(&format!(
                "it could not be tried, since no token of {project}/{PROJECT_ACCOUNT} was to be had: {why}"
            ))
            .with(
                Fix::commands(&commands)
                    .without_terraform("what may be done in Kubernetes is not Google's to declare")
                    .and_advice(advice),
            )
        }
    };
    Some(verdict.seen(&reading))
}

/// Writes the command that says whether the controller may have such tokens.
fn may_create(project: &str, controller: &KubernetesAccount) -> String {
    let KubernetesAccount { namespace, name } = controller;
    let account = format!("serviceaccounts/{PROJECT_ACCOUNT}");
    let whom = format!("system:serviceaccount:{namespace}:{name}");
    shell::command(
        &["kubectl", "auth", "can-i", "create", &account],
        &[
            ("subresource", "token"),
            ("namespace", project),
            ("as", &whom),
        ],
    )
}

/// Writes the command that asks for such a token as whoever runs it.
fn try_by_hand(project: &str, pool: &WorkloadPool) -> String {
    let command = shell::command(
        &["kubectl", "create", "token", PROJECT_ACCOUNT],
        &[("namespace", project), ("audience", pool.as_str())],
    );
    format!("{command} >/dev/null")
}
