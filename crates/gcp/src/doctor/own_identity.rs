//! Whom the metadata server takes the Pod for, held against whom grants name.

use super::Verdict;
use crate::facts::{Facts, Gap};
use crate::policy::{Member, PoolMember, PoolSubject};
use crate::principal::{KubernetesAccount, WorkloadPool};
use crate::setup::repair::{controller, nodes};

/// The Pod's own identity, in either of the forms in which the metadata server tells it.
///
/// Source: <https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity#metadata_server>
pub(super) struct OwnIdentity {
    pool: WorkloadPool,
    /// None where only the pool is told.
    account: Option<KubernetesAccount>,
}

impl OwnIdentity {
    pub(super) fn parse(email: &str) -> Option<Self> {
        if let Ok(pool) = WorkloadPool::parse(email) {
            return Some(Self {
                pool,
                account: None,
            });
        }
        let Member::Pool(PoolMember { pool, subject, .. }) = Member::parse(email) else {
            return None;
        };
        let PoolSubject::Account(account) = subject else {
            return None;
        };
        Some(Self {
            pool: WorkloadPool::parse(&pool).ok()?,
            account: Some(account),
        })
    }

    pub(super) fn judged(&self, facts: &Facts) -> Result<Verdict, Gap> {
        let wanted = facts.principal()?;
        if self.pool != wanted.pool {
            return Ok(in_another_pool(facts, &self.pool, &wanted.pool));
        }
        Ok(match &self.account {
            Some(account) if *account != wanted.account => Verdict::fail(
                &format!("the Pod is {account}, and grants name {}", wanted.account),
                controller::run_as(account, &wanted.account)
                    .and_advice("or, if it is meant to: --controller NAMESPACE/NAME"),
            ),
            Some(_) | None => Verdict::pass(&format!("the Pod is {wanted}")),
        })
    }
}

/// The pool of a fleet is no failure while it is not known that the cluster has another.
fn in_another_pool(facts: &Facts, found: &WorkloadPool, wanted: &WorkloadPool) -> Verdict {
    let says = format!("the Pod is in {found}, and grants name the pool {wanted}");
    let fix = nodes::show_pool(facts);
    if facts.cluster.known().is_ok() {
        let advice = "name the controller's own cluster and its project: --gcp-project ID, --cluster LOCATION/NAME";
        return Verdict::fail(&says, fix.and_advice(advice));
    }
    Verdict::warn(
        &format!("{says}, unless the cluster is of a fleet: the cluster was not read"),
        fix.and_advice("if it is of a fleet, grants have to name the pool of that fleet"),
    )
}
