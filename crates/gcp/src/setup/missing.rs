//! Compares what is there with what is needed.

use super::{Action, BASELINE, Grantee, Plan, Resource, RoleGrant};
use crate::facts::{ClusterName, Facts, Gap, Home, ProjectFacts, Use};
use crate::policy::{Access, DOWNLOAD, MINT, Member, OPEN_MINTER, READER, TIGHT_MINTER};
use crate::principal::{Principal, ServiceAccountEmail};

/// What the plan should cover beyond accounts and their roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    pub minter: Minter,
    pub enable_workload_identity: bool,
    pub organisation_policies: bool,
}

/// The role by which the controller acts as a Project's account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Minter {
    /// Acts, and nothing else.
    #[default]
    WorkloadIdentityUser,
    /// What upstream documents; also lets the controller sign as the account.
    TokenCreator,
}

impl Minter {
    pub fn role(self) -> &'static str {
        match self {
            Self::WorkloadIdentityUser => TIGHT_MINTER,
            Self::TokenCreator => OPEN_MINTER,
        }
    }
}

/// Lists exactly what is missing; a plan that was carried out leaves nothing for the next one.
///
/// What could not be read is taken for missing where doing it again does no harm, and said so; clusters are changed only
/// where it was seen that they need it.
///
/// # Errors
/// [`Gap`] if the controller's Google Cloud project is not known.
pub fn plan(facts: &Facts, options: &Options) -> Result<Plan, Gap> {
    let home = facts.home.known()?;
    let principal = facts.principal()?;
    let mut plan = Plan::default();
    plan.services(facts);
    if options.enable_workload_identity {
        plan.cluster(facts, home);
    }
    for project in facts.intent.projects.keys() {
        match facts.account_of(project)? {
            Ok(email) => plan.project(facts, options, &principal, home, project, &email),
            Err(refused) => plan
                .impossible
                .push(format!("{refused}; {}", refused.hint())),
        }
    }
    if options.organisation_policies {
        plan.baseline(facts, home);
    }
    Ok(plan)
}

impl Plan {
    fn services(&mut self, facts: &Facts) {
        for needed in facts.needed_services() {
            let reading = facts.services.get(&needed).cloned().unwrap_or_default();
            match reading.known() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(gap) => self.assume(&format!("{} in {}", needed.service, needed.project), &gap),
            }
            match self.actions.last_mut() {
                Some(Action::EnableServices { project, services })
                    if *project == needed.project =>
                {
                    services.push(needed.service);
                }
                _ => self.actions.push(Action::EnableServices {
                    project: needed.project,
                    services: vec![needed.service],
                }),
            }
        }
    }

    fn cluster(&mut self, facts: &Facts, home: &Home) {
        let cluster = match facts.cluster.known() {
            Ok(cluster) => cluster,
            Err(gap) => {
                let why = gap.why;
                self.impossible.push(format!(
                    "workload identity is not planned, as the cluster was not seen: {why}"
                ));
                return;
            }
        };
        let name = ClusterName::new(&home.project, cluster);
        if !cluster.has_workload_identity() {
            self.actions.push(Action::SetWorkloadPool {
                cluster: name.clone(),
                pool: crate::principal::WorkloadPool::of(&home.project),
            });
        }
        for pool in cluster.pools_without_metadata_server() {
            self.actions.push(Action::SetNodePoolMetadata {
                cluster: name.clone(),
                node_pool: pool.name.clone(),
            });
        }
    }

    fn project(
        &mut self,
        facts: &Facts,
        options: &Options,
        principal: &Principal,
        home: &Home,
        project: &str,
        email: &ServiceAccountEmail,
    ) {
        let seen = facts.project(project);
        self.account(&seen, home, project, email);
        self.minting(facts, &seen, options, principal, email);
        let mut done = Vec::new();
        for used in facts.uses().filter(|it| it.project == project) {
            if !done.contains(&used.address.repository) {
                done.push(used.address.repository.clone());
                self.reading(facts, &used, email);
            }
        }
    }

    fn account(
        &mut self,
        seen: &ProjectFacts,
        home: &Home,
        project: &str,
        email: &ServiceAccountEmail,
    ) {
        let create = Action::CreateServiceAccount {
            email: email.clone(),
            project: home.project.clone(),
            kargo_project: project.to_owned(),
        };
        match seen.account.found() {
            Ok(Some(account)) if account.disabled => {
                self.actions.push(Action::EnableServiceAccount {
                    email: email.clone(),
                })
            }
            Ok(Some(_)) => {}
            Ok(None) => self.actions.push(create),
            Err(gap) => {
                self.assume(email.as_str(), &gap);
                self.actions.push(create);
            }
        }
    }

    fn minting(
        &mut self,
        facts: &Facts,
        seen: &ProjectFacts,
        options: &Options,
        principal: &Principal,
        email: &ServiceAccountEmail,
    ) {
        let access = match seen.policy.found() {
            Ok(Some(policy)) => policy.access(MINT, &facts.custom_roles, |it| it.covers(principal)),
            Ok(None) => Access::No,
            Err(gap) => {
                self.assume(&format!("the policy of {email}"), &gap);
                Access::No
            }
        };
        if !access.is_granted() {
            self.actions.push(Action::Grant(RoleGrant::new(
                Resource::ServiceAccount(email.clone()),
                options.minter.role(),
                Grantee::Kubernetes(principal.clone()),
            )));
        }
    }

    fn reading(&mut self, facts: &Facts, used: &Use, email: &ServiceAccountEmail) {
        let repository = &used.address.repository;
        let seen = facts.repository(repository);
        let is_account = |it: &Member| *it == Member::ServiceAccount(email.as_str().to_owned());
        let on_project = seen.project_policy.known();
        if on_project.is_ok_and(|it| {
            it.access(DOWNLOAD, &facts.custom_roles, is_account)
                .is_granted()
        }) {
            return;
        }
        match seen.policy.found() {
            Ok(Some(policy))
                if policy
                    .access(DOWNLOAD, &facts.custom_roles, is_account)
                    .is_granted() =>
            {
                return;
            }
            Ok(Some(_)) => {}
            Ok(None) => {
                self.impossible.push(format!(
                    "{repository} does not exist, so nothing can be granted on it"
                ));
                return;
            }
            Err(gap) => self.assume(&format!("the policy of {repository}"), &gap),
        }
        self.actions.push(Action::Grant(RoleGrant::new(
            Resource::Repository(repository.clone()),
            READER,
            Grantee::ServiceAccount(email.clone()),
        )));
    }

    fn baseline(&mut self, facts: &Facts, home: &Home) {
        for wanted in BASELINE {
            match facts.baseline_met(wanted) {
                Ok(true) => continue,
                Ok(false) => {}
                Err(gap) => self.assume(wanted.constraint, &gap),
            }
            self.actions.push(Action::SetConstraint {
                project: home.project.clone(),
                constraint: wanted.constraint.to_owned(),
                wish: wanted.wish,
            });
        }
    }

    fn assume(&mut self, what: &str, gap: &Gap) {
        self.assumed.push(format!(
            "{what} was not seen and is taken for missing: {}",
            gap.why
        ));
    }
}
