//! Whom the members of a policy mean among the Kubernetes accounts of the controller's pool.

use super::{Facts, Gap};
use crate::policy::{Carries, Member, Policy, PoolMember, PoolSubject};
use crate::principal::Principal;

/// Whether a member of a policy means a principal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    Yes,
    No,
    /// It depends on something that was not read.
    Unknown(Gap),
}

impl Facts {
    /// Says whether a member is a principal or a set that holds it; public ones include all that they can.
    ///
    /// Beyond what the member itself tells, this knows the uids of accounts and the controller's cluster.
    pub(crate) fn reach(&self, member: &Member, principal: &Principal) -> Reach {
        if member.covers(principal) {
            return Reach::Yes;
        }
        match member {
            Member::Pool(pool) if pool.is_of(principal) => self.within(pool, principal),
            _ => Reach::No,
        }
    }

    /// Says whether it was seen that a member is a principal or a set that holds it.
    pub(crate) fn covers(&self, member: &Member, principal: &Principal) -> bool {
        self.reach(member, principal) == Reach::Yes
    }

    /// Says whether a member is a principal and nobody else.
    pub(crate) fn names(&self, member: &Member, principal: &Principal) -> Reach {
        let is_uid = matches!(
            member,
            Member::Pool(PoolMember {
                subject: PoolSubject::AccountUid(_),
                ..
            })
        );
        if is_uid {
            return self.reach(member, principal);
        }
        yes_or_no(member.is(principal))
    }

    /// Says why it cannot be told whether a policy gives a principal a permission, where a member may mean it.
    pub(crate) fn may_hold(
        &self,
        policy: &Policy,
        permission: &str,
        principal: &Principal,
    ) -> Option<Gap> {
        policy.grants().find_map(|it| {
            let carries = self.custom_roles.carries(it.role, permission);
            match self.reach(&it.member, principal) {
                Reach::Unknown(gap) if carries != Carries::No => Some(gap),
                _ => None,
            }
        })
    }

    fn within(&self, member: &PoolMember, principal: &Principal) -> Reach {
        match &member.subject {
            PoolSubject::AccountUid(uid) => self.has_uid(uid, principal),
            PoolSubject::Cluster(url) => match (self.home.known(), self.cluster.known()) {
                (Ok(home), Ok(cluster)) => yes_or_no(*url == cluster.url(&home.project)),
                (Err(gap), _) | (_, Err(gap)) => unknown(gap, "which cluster this is"),
            },
            PoolSubject::Account(_)
            | PoolSubject::Namespace(_)
            | PoolSubject::Everyone
            | PoolSubject::Other(_) => Reach::No,
        }
    }

    /// Compares the uid of the controller's account or of a Project's; one that is not there has none.
    fn has_uid(&self, uid: &str, principal: &Principal) -> Reach {
        let account = &principal.account;
        let reading = if *account == self.intent.controller {
            self.pod.account_uid.clone()
        } else {
            self.project(&account.namespace).kubernetes_uid
        };
        match reading.found() {
            Ok(own) => yes_or_no(own.is_some_and(|it| it == uid)),
            Err(gap) => unknown(gap, &format!("the uid of {account}")),
        }
    }
}

fn unknown(gap: Gap, what: &str) -> Reach {
    Reach::Unknown(Gap {
        why: format!("{what} was not read: {}", gap.why),
        ..gap
    })
}

fn yes_or_no(it: bool) -> Reach {
    if it { Reach::Yes } else { Reach::No }
}

#[cfg(test)]
mod tests {
    use super::super::Reading;
    use super::super::whole::{controller, refused, whole};
    use super::*;

    const POOL: &str = "iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/acme-gke.svc.id.goog";
    const CLUSTER: &str = "kubernetes.cluster/https://container.googleapis.com/v1/projects/acme-gke/locations/europe-west1/clusters";

    fn reach(subject: &str, change: impl FnOnce(&mut Facts)) -> Reach {
        let mut facts = whole();
        change(&mut facts);
        let member = Member::parse(&format!("principalSet://{POOL}/{subject}"));
        facts.reach(&member, &controller())
    }

    #[test]
    fn the_controllers_cluster_and_its_uid_mean_it_and_others_do_not() {
        for (subject, expected) in [
            (format!("{CLUSTER}/one"), Reach::Yes),
            (format!("{CLUSTER}/two"), Reach::No),
            ("kubernetes.serviceaccount.uid/u-1".to_owned(), Reach::Yes),
            ("kubernetes.serviceaccount.uid/u-2".to_owned(), Reach::No),
            ("*".to_owned(), Reach::Yes),
            ("namespace/web".to_owned(), Reach::No),
            ("attribute.x/y".to_owned(), Reach::No),
        ] {
            assert_eq!(reach(&subject, |_| {}), expected, "{subject}");
        }
    }

    #[test]
    fn a_pool_of_another_project_means_nobody_here() {
        let text = format!("principalSet://{POOL}/{CLUSTER}/one").replace("/4711/", "/4712/");
        assert_eq!(
            whole().reach(&Member::parse(&text), &controller()),
            Reach::No
        );
    }

    #[test]
    fn what_was_not_read_leaves_it_open() {
        let unread = reach(&format!("{CLUSTER}/one"), |facts| {
            facts.cluster = refused("IAM_PERMISSION_DENIED", "denied on resource");
        });
        assert!(matches!(unread, Reach::Unknown(gap) if gap.why.contains("which cluster")));
        let unread = reach("kubernetes.serviceaccount.uid/u-1", |facts| {
            facts.pod.account_uid = Reading::default();
        });
        assert!(matches!(unread, Reach::Unknown(gap) if gap.why.contains("argosy/controller")));
    }

    #[test]
    fn the_account_of_a_project_has_a_uid_of_its_own() {
        let mut facts = whole();
        let web = facts.kubernetes_principal("web").expect("a principal");
        let text = format!("principal://{POOL}/kubernetes.serviceaccount.uid/u-3");
        let member = Member::parse(&text);
        assert_eq!(facts.reach(&member, &web), Reach::No, "it is not there");
        let seen = facts.projects.get_mut("web").expect("web");
        seen.kubernetes_uid = Reading::known_from("GET serviceaccount", "u-3".to_owned());
        assert_eq!(facts.reach(&member, &web), Reach::Yes);
        assert_eq!(facts.reach(&member, &controller()), Reach::No);
        facts.projects.clear();
        assert!(matches!(facts.reach(&member, &web), Reach::Unknown(_)));
    }
}
