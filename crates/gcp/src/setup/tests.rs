//! Plans for worlds in which nothing, something and everything is missing.

mod audit_logs;
mod chosen;
mod fleet;
mod rendered;
mod script;
mod terraform_itself;
mod who_acts;

use super::*;
use crate::facts::whole::{
    account, cluster, cluster_reading, controller, granting, project, refused, repository, whole,
};
use crate::facts::{
    Facts, OrganisationPolicy, ProjectFacts, Reading, RepositoryFacts, Seen, ServiceName,
};
use crate::policy::{MINT, OPEN_MINTER, READER, TIGHT_MINTER};

const EVERYTHING: Options = Options {
    minter: Minter::WorkloadIdentityUser,
    readers: Readers::Projects,
    enable_workload_identity: true,
    organisation_policies: Policies::All,
    audit_logs: true,
};

fn after(change: impl FnOnce(&mut Facts)) -> Plan {
    let mut facts = whole();
    change(&mut facts);
    plan(&facts, EVERYTHING).expect("a plan")
}

/// A cluster that was just made, and Google Cloud projects that nobody has touched.
pub(super) fn bare() -> Facts {
    let mut facts = whole();
    for on in facts.services.values_mut() {
        *on = Reading::known_from("GET services:batchGet", false);
    }
    let mut one = cluster("one");
    one.workload_identity_config.workload_pool.clear();
    one.node_pools[0].config.workload_metadata_config.mode = "GCE_METADATA".to_owned();
    facts.cluster = cluster_reading(one);
    for seen in facts.projects.values_mut() {
        *seen = ProjectFacts {
            account: Reading::absent("GET account"),
            policy: Reading::absent("POST account:getIamPolicy"),
            kubernetes_account: Reading::absent("GET serviceaccount"),
            ..ProjectFacts::default()
        };
    }
    for seen in facts.repositories.values_mut() {
        seen.policy = Reading::known_from("GET repository:getIamPolicy", Policy::default());
    }
    for policy in facts.organisation.values_mut() {
        *policy = Reading::known_from("GET effectivePolicy", OrganisationPolicy::default());
    }
    facts
}

#[test]
fn nothing_is_planned_where_nothing_is_missing() {
    assert_eq!(plan(&whole(), EVERYTHING), Ok(Plan::default()));
}

#[test]
fn only_what_is_missing_is_planned() {
    let plan = after(|facts| {
        let web = facts.projects.get_mut("web").expect("web");
        web.policy = Reading::known_from("POST", Policy::default());
    });
    let grant = RoleGrant::new(
        Resource::ServiceAccount(account("web")),
        TIGHT_MINTER,
        Grantee::Kubernetes(controller()),
    );
    assert_eq!(plan.actions, [Action::Grant(grant)]);
    assert_eq!(plan.assumed, Vec::<String>::new());
}

#[test]
fn grants_in_another_form_are_enough() {
    for policy in [
        granting(OPEN_MINTER, &controller().to_string()),
        granting(TIGHT_MINTER, &controller().legacy_member()),
    ] {
        let plan = after(|facts| {
            facts.projects.get_mut("web").expect("web").policy =
                Reading::known_from("POST", policy);
        });
        assert_eq!(plan.actions, []);
    }
    let plan = after(|facts| {
        let apps = facts
            .repositories
            .get_mut(&repository("apps"))
            .expect("apps");
        apps.policy = Reading::known_from("GET", Policy::default());
        apps.project_policy =
            Reading::known_from("POST", granting(READER, &account("web").member()));
    });
    assert_eq!(
        plan.actions,
        [],
        "it works; that it is broad is for the audit to say"
    );
}

#[test]
fn a_near_miss_is_not_enough() {
    let wrong = controller().to_string().replace("/4711/", "/acme-gke/");
    let plan = after(|facts| {
        facts.projects.get_mut("web").expect("web").policy =
            Reading::known_from("POST", granting(TIGHT_MINTER, &wrong));
    });
    assert!(
        matches!(plan.actions.as_slice(), [Action::Grant(grant)] if grant.member.to_string() == controller().to_string())
    );
}

#[test]
fn a_disabled_account_is_enabled_and_not_made_again() {
    let plan = after(|facts| {
        if let Seen::Known(it) = &mut facts.projects.get_mut("web").expect("web").account.seen {
            it.disabled = true;
        }
    });
    assert_eq!(
        plan.actions,
        [Action::EnableServiceAccount {
            email: account("web")
        }]
    );
}

#[test]
fn what_cannot_be_seen_is_assumed_missing_and_said_but_clusters_are_left_alone() {
    let plan = after(|facts| {
        facts.projects.get_mut("web").expect("web").policy =
            refused("IAM_PERMISSION_DENIED", "denied on resource");
        facts.cluster = refused("IAM_PERMISSION_DENIED", "denied on resource");
    });
    assert!(
        matches!(plan.actions.as_slice(), [Action::Grant(_)]),
        "{:?}",
        plan.actions
    );
    assert!(
        plan.assumed[0].starts_with("the policy of kargo-project-web@"),
        "{:?}",
        plan.assumed
    );
    assert!(
        plan.impossible[0].contains("the cluster was not seen"),
        "{:?}",
        plan.impossible
    );
}

#[test]
fn a_name_that_no_account_can_have_is_impossible() {
    let plan = after(|facts| {
        facts
            .intent
            .projects
            .insert("a-name-of-17-chars".to_owned(), Vec::new());
    });
    assert_eq!(plan.actions, []);
    assert!(
        plan.impossible[0].contains("a-name-of-17-chars"),
        "{:?}",
        plan.impossible
    );
}

#[test]
fn nothing_can_be_granted_on_a_repository_that_is_not_there() {
    let plan = after(|facts| {
        let apps = facts
            .repositories
            .get_mut(&repository("apps"))
            .expect("apps");
        *apps = RepositoryFacts {
            policy: Reading::absent("GET"),
            ..RepositoryFacts::default()
        };
    });
    assert_eq!(plan.actions, []);
    assert!(
        plan.impossible[0].contains("does not exist"),
        "{:?}",
        plan.impossible
    );
}

#[test]
fn clusters_and_organisations_are_changed_only_on_request() {
    let few = plan(&bare(), Options::default()).expect("a plan");
    let is_wide = |it: &Action| {
        matches!(
            it,
            Action::SetWorkloadPool { .. }
                | Action::SetNodePoolMetadata { .. }
                | Action::SetConstraint { .. }
        )
    };
    assert!(!few.actions.iter().any(is_wide));
    let all = plan(&bare(), EVERYTHING).expect("a plan");
    assert_eq!(
        all.actions.iter().filter(|it| is_wide(it)).count(),
        2 + BASELINE.len() + HARDENING.len()
    );
    let narrow = Options {
        organisation_policies: Policies::Baseline,
        ..Options::default()
    };
    let some = plan(&bare(), narrow).expect("a plan");
    assert_eq!(
        some.actions.iter().filter(|it| is_wide(it)).count(),
        BASELINE.len()
    );
}

#[test]
fn without_the_project_there_is_no_plan() {
    assert!(plan(&Facts::default(), EVERYTHING).is_err());
}

#[test]
fn a_plan_that_was_carried_out_leaves_nothing_to_do() {
    let mut facts = bare();
    let first = plan(&facts, EVERYTHING).expect("a plan");
    assert!(first.actions.len() > 8, "{:?}", first.actions);
    for action in &first.actions {
        carry_out(action, &mut facts);
    }
    let second = plan(&facts, EVERYTHING).expect("a plan");
    assert_eq!(second, Plan::default());
}

/// Does to the facts what an action would do to the world.
fn carry_out(action: &Action, facts: &mut Facts) {
    match action {
        Action::EnableServices { project, services } => {
            for service in services {
                let name = ServiceName {
                    project: project.clone(),
                    service: service.clone(),
                };
                facts
                    .services
                    .insert(name, Reading::known_from("GET", true));
            }
        }
        Action::SetWorkloadPool { pool, .. } => {
            let Seen::Known(cluster) = &mut facts.cluster.seen else {
                panic!("a cluster")
            };
            cluster.workload_identity_config.workload_pool = pool.to_string();
        }
        Action::SetNodePoolMetadata { node_pool, .. } => {
            let Seen::Known(cluster) = &mut facts.cluster.seen else {
                panic!("a cluster")
            };
            let pool = cluster
                .node_pools
                .iter_mut()
                .find(|it| it.name == *node_pool)
                .expect("a node pool");
            pool.config.workload_metadata_config.mode = "GKE_METADATA".to_owned();
        }
        Action::CreateServiceAccount { kargo_project, .. } => {
            let seen = facts.projects.get_mut(kargo_project).expect("a Project");
            seen.account = Reading::known_from("GET", crate::facts::ServiceAccount::default());
            seen.policy = Reading::known_from("POST", Policy::default());
        }
        Action::Grant(grant) => {
            let reading = match &grant.resource {
                Resource::ServiceAccount(email) => {
                    let project = email.kargo_project().expect("an account of a Project");
                    &mut facts.projects.get_mut(project).expect("a Project").policy
                }
                Resource::Repository(name) => {
                    &mut facts
                        .repositories
                        .get_mut(name)
                        .expect("a repository")
                        .policy
                }
                other => panic!("nothing is granted on {other}"),
            };
            let Seen::Known(policy) = &mut reading.seen else {
                panic!("a policy")
            };
            assert_eq!(grant.add_to(policy), crate::policy::Change::Made);
            assert_eq!(grant.add_to(policy), crate::policy::Change::AlreadySo);
        }
        Action::SetConstraint {
            constraint, wish, ..
        } => {
            let mut policy = OrganisationPolicy::enforced();
            policy.spec.rules[0].deny_all = *wish == Wish::DenyAll;
            facts
                .organisation
                .insert(constraint.clone(), Reading::known_from("GET", policy));
        }
        other => panic!("{other:?} is never planned by setup"),
    }
}
