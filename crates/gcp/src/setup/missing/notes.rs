//! What a plan says beside its steps: what was assumed, what is unknown, what cannot be done.

use super::Draft;
use crate::facts::Gap;
use crate::policy::Access;
use crate::principal::{PROJECT_ACCOUNT, ProjectId, WorkloadPool};
use crate::setup::shell;

impl Draft<'_> {
    pub(super) fn assume(&mut self, what: &str, gap: &Gap) {
        let why = &gap.why;
        let note = format!("{what} was not seen and is taken for missing: {why}");
        self.plan.assumed.push(note);
    }

    /// Notes that a role is held of which was not read whether it is enough.
    pub(super) fn unread_role(&mut self, access: &Access, place: &str) {
        if let Access::Unknown { role } = access {
            let note =
                format!("what {role} carries on {place} was not read, and is taken for not enough");
            self.plan.assumed.push(note);
        }
    }

    /// Notes that nobody looked for a Kubernetes account.
    pub(super) fn take_for_missing(&mut self, project: &str) {
        let note = format!(
            "the Kubernetes account {project}/{PROJECT_ACCOUNT} was not looked for and is taken for missing, and a service \
             account acts in its place: see {}, or add --kubeconfig FILE",
            look_for_account(project)
        );
        self.plan.assumed.push(note);
    }

    /// Notes that it was not to be read who acts.
    pub(super) fn unknown(&mut self, project: &str, gap: &Gap) {
        if let Some(Gap { why, .. }) = self.facts.undecided(project) {
            let note = format!(
                "{why}; nothing is planned for {project}, since the one that is not needed would act in place of the other: \
                 run as somebody who may read that policy"
            );
            self.plan.unknown.push(note);
            return;
        }
        let note = format!(
            "who acts as {project} is unknown, so nothing is planned for it: whether there is a Kubernetes account \
             {project}/{PROJECT_ACCOUNT}, in whose place a service account would act, was not read: {}; \
             run as somebody who may: {}; if there is none, run this again without a cluster: \
             leave out --kubeconfig and name addresses with --repo",
            gap.why,
            look_for_account(project)
        );
        self.plan.unknown.push(note);
    }

    pub(super) fn impossible(&mut self, why: String) {
        self.plan.impossible.push(why);
    }
}

/// Says how to make a cluster that has Workload Identity Federation from the start.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity#enable_on_clusters_and_node_pools>
pub(super) fn make_cluster(project: &ProjectId) -> String {
    let place = [("project", project.as_str()), ("location", "LOCATION")];
    let pool = WorkloadPool::of(project);
    let words = |verb| ["gcloud", "container", "clusters", verb, "CLUSTER"];
    let autopilot = shell::line(&words("create-auto"), &place);
    let with_pool = [&place[..], &[("workload-pool", pool.as_str())]].concat();
    let standard = shell::line(&words("create"), &with_pool);
    format!("; make one, which then has it: {autopilot}, or of Standard: {standard}")
}

/// Writes the command that says whether a Project has a Kubernetes account of its own.
fn look_for_account(project: &str) -> String {
    shell::command(
        &["kubectl", "get", "serviceaccount", PROJECT_ACCOUNT],
        &[("namespace", project)],
    )
}
