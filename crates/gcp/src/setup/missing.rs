//! Compares what is there with what is needed.

mod notes;

use notes::make_cluster;

use super::options::{MINTER_ROLE, Minter, Options, Policies, Readers, minter_role};
use super::shell;
use super::{Action, Baseline, Grantee, Plan, Resource, RoleGrant};
use crate::audit::LOGGED;
use crate::facts::{
    ClusterName, Facts, Gap, Home, ORG_POLICY, ProjectFacts, RESOURCE_MANAGER, Seen,
};
use crate::policy::{Access, DOWNLOAD, MINT, Member, Policy, READER};
use crate::principal::{Principal, ServiceAccountEmail, WorkloadPool};
use crate::repository::RepositoryName;

/// Lists exactly what is missing; a plan that was carried out leaves nothing for the next one.
///
/// What could not be read is taken for missing where doing it again does no harm, and said so; clusters are changed only
/// where it was seen that they need it, and nothing is planned for a Project of which it was not read who acts: a service
/// account would act in place of a Kubernetes account.
///
/// # Errors
/// [`Gap`] if the controller's Google Cloud project is not known.
pub fn plan(facts: &Facts, options: Options) -> Result<Plan, Gap> {
    let mut draft = Draft {
        facts,
        home: facts.home.known()?,
        principal: facts.principal()?,
        plan: Plan::default(),
    };
    draft.services(options);
    if options.enable_workload_identity {
        draft.cluster();
    }
    for project in facts.intent.projects.keys() {
        draft.acting(project, options.minter)?;
        if options.readers == Readers::ControllerToo {
            let controller = Grantee::Kubernetes(draft.principal.clone());
            draft.repositories(project, &controller);
        }
    }
    for wanted in options.organisation_policies.wanted() {
        draft.constraint(wanted);
    }
    if options.audit_logs {
        draft.audit_logs();
    }
    Ok(draft.plan)
}

/// Whether anybody looked for a Kubernetes account.
#[derive(Debug, Clone, Copy)]
enum Looked {
    At,
    Away,
}

/// A plan that is being made.
struct Draft<'facts> {
    facts: &'facts Facts,
    home: &'facts Home,
    principal: Principal,
    plan: Plan,
}

impl Draft<'_> {
    /// Plans the APIs that have to be on, those that other steps of the plan call among them.
    fn services(&mut self, options: Options) {
        let mut needed = self.facts.needed_services();
        if options.organisation_policies != Policies::AsTheyAre {
            needed.extend(self.facts.at_home(ORG_POLICY));
        }
        if options.audit_logs {
            needed.extend(self.facts.at_home(RESOURCE_MANAGER));
        }
        for needed in needed {
            let reading = self
                .facts
                .services
                .get(&needed)
                .cloned()
                .unwrap_or_default();
            match reading.known() {
                Ok(true) => continue,
                Ok(false) => {}
                Err(gap) => self.assume(&format!("{} in {}", needed.service, needed.project), &gap),
            }
            match self.plan.actions.last_mut() {
                Some(Action::EnableServices { project, services })
                    if *project == needed.project =>
                {
                    services.push(needed.service);
                }
                _ => self.act(Action::EnableServices {
                    project: needed.project,
                    services: vec![needed.service],
                }),
            }
        }
    }

    fn cluster(&mut self) {
        let cluster = match self.facts.cluster.known() {
            Ok(cluster) => cluster,
            Err(gap) => {
                let next = match self.facts.cluster.seen {
                    Seen::Absent => make_cluster(&self.home.project),
                    _ => String::new(),
                };
                return self.impossible(format!(
                    "workload identity is not planned, as the cluster was not seen: {}{next}",
                    gap.why
                ));
            }
        };
        let name = ClusterName::new(&self.home.project, cluster);
        if !cluster.has_workload_identity() {
            self.act(Action::SetWorkloadPool {
                cluster: name.clone(),
                pool: WorkloadPool::of(&self.home.project),
            });
        }
        for pool in cluster.pools_without_metadata_server() {
            self.act(Action::SetNodePoolMetadata {
                cluster: name.clone(),
                node_pool: pool.name.clone(),
            });
        }
    }

    /// Plans for whoever acts as the Project: its Kubernetes account, or else its service account.
    fn acting(&mut self, project: &str, minter: Minter) -> Result<(), Gap> {
        let looked = match self.facts.acting_as(project) {
            Ok(Some(principal)) => {
                self.repositories(project, &Grantee::Kubernetes(principal));
                return Ok(());
            }
            Ok(None) => Looked::At,
            Err(gap) if gap.skipped => Looked::Away,
            Err(gap) => {
                self.unknown(project, &gap);
                return Ok(());
            }
        };
        match (self.facts.account_of(project)?, looked) {
            (Ok(email), Looked::At) => self.project(project, &email, minter),
            (Ok(email), Looked::Away) => {
                self.take_for_missing(project);
                self.project(project, &email, minter);
            }
            (Err(refused), _) => self.impossible(format!("{refused}; {}", refused.hint())),
        }
        Ok(())
    }

    fn project(&mut self, project: &str, email: &ServiceAccountEmail, minter: Minter) {
        let seen = self.facts.project(project);
        self.account(&seen, project, email);
        self.minting(&seen, email, minter);
        self.repositories(project, &Grantee::ServiceAccount(email.clone()));
    }

    fn repositories(&mut self, project: &str, reader: &Grantee) {
        let used = self.facts.uses().filter(|it| it.project == project);
        let mut repositories: Vec<_> = used.map(|it| it.address.repository).collect();
        repositories.sort();
        repositories.dedup();
        for repository in repositories {
            self.reading(&repository, reader);
        }
    }

    fn account(&mut self, seen: &ProjectFacts, project: &str, email: &ServiceAccountEmail) {
        match seen.account.found() {
            Ok(Some(account)) if account.disabled => {
                return self.act(Action::EnableServiceAccount {
                    email: email.clone(),
                });
            }
            Ok(Some(_)) => return,
            Ok(None) => {}
            Err(gap) => self.assume(email.as_str(), &gap),
        }
        self.act(Action::CreateServiceAccount {
            email: email.clone(),
            project: self.home.project.clone(),
            kargo_project: project.to_owned(),
        });
    }

    fn minting(&mut self, seen: &ProjectFacts, email: &ServiceAccountEmail, minter: Minter) {
        let roles = &self.facts.custom_roles;
        let access = match seen.policy.found() {
            Ok(Some(policy)) => {
                let is_it = |it: &Member| self.facts.covers(it, &self.principal);
                policy.access(MINT, roles, self.facts.now, is_it)
            }
            Ok(None) => Access::No,
            Err(gap) => {
                self.assume(&format!("the policy of {email}"), &gap);
                Access::No
            }
        };
        if access.is_granted() {
            return;
        }
        self.unread_role(&access, email.as_str());
        if minter == Minter::CustomRole && !self.has_minter_role() {
            return;
        }
        self.act(Action::Grant(RoleGrant::new(
            Resource::ServiceAccount(email.clone()),
            &minter.role(&self.home.project),
            Grantee::Kubernetes(self.principal.clone()),
        )));
    }

    /// Has the role made unless it is there, and says whether it can be granted.
    fn has_minter_role(&mut self) -> bool {
        let role = minter_role(&self.home.project);
        let create = Action::CreateRole {
            project: self.home.project.clone(),
        };
        match self.facts.custom_roles.0.get(&role).map(Vec::as_slice) {
            // One that was deleted carries nothing.
            None | Some([]) => {
                if !self.plan.actions.contains(&create) {
                    self.act(create);
                }
                true
            }
            Some(carried) if carried.iter().any(|it| it == MINT) => true,
            Some(_) => {
                let add = shell::line(
                    &["gcloud", "iam", "roles", "update", MINTER_ROLE],
                    &[
                        ("project", self.home.project.as_str()),
                        ("add-permissions", MINT),
                    ],
                );
                self.impossible(format!(
                    "{role} is there and does not carry {MINT}, so it is not granted: {add}"
                ));
                false
            }
        }
    }

    fn reading(&mut self, repository: &RepositoryName, reader: &Grantee) {
        let seen = self.facts.repository(repository);
        let roles = &self.facts.custom_roles;
        let access = |policy: &Policy| {
            policy.access(DOWNLOAD, roles, self.facts.now, |it| {
                reader.is_covered_by(self.facts, it) && !it.is_public()
            })
        };
        // Whoever reads all of a project reads none of what is not there.
        if seen.policy.seen == Seen::Absent {
            let note = format!("{repository} does not exist, so nothing can be granted on it");
            if !self.plan.impossible.contains(&note) {
                self.impossible(note);
            }
            return;
        }
        let on_project = seen.project_policy.known().map(access);
        if on_project.as_ref().is_ok_and(Access::is_granted) {
            return;
        }
        match seen.policy.known().map(access) {
            Ok(own) if own.is_granted() => return,
            Ok(own) => self.unread_role(&own, &repository.to_string()),
            Err(gap) => self.assume(&format!("the policy of {repository}"), &gap),
        }
        if let Ok(on_project) = on_project {
            self.unread_role(&on_project, &format!("projects/{}", repository.project));
        }
        self.act(Action::Grant(RoleGrant::new(
            Resource::Repository(repository.clone()),
            READER,
            reader.clone(),
        )));
    }

    fn constraint(&mut self, wanted: &Baseline) {
        match self.facts.baseline_met(wanted) {
            Ok(true) => return,
            Ok(false) => {}
            Err(gap) => self.assume(wanted.constraint, &gap),
        }
        let own = self.facts.own_constraints.known();
        let is_set = own.ok().map(|it| it.contains(wanted.constraint));
        let mut action = wanted.action(&self.home.project);
        if let Action::SetConstraint { is_set: known, .. } = &mut action {
            *known = is_set;
        }
        self.act(action);
    }

    fn audit_logs(&mut self) {
        for service in LOGGED {
            let logged = match self.facts.home_policy.known() {
                Ok(policy) if policy.logs_reads_of(service) => continue,
                Ok(policy) => Some(policy.logs_of(service)),
                Err(gap) => {
                    self.assume(&format!("whether reads of {service} are logged"), &gap);
                    None
                }
            };
            self.act(Action::LogReads {
                project: self.home.project.clone(),
                service: (*service).to_owned(),
                logged,
            });
        }
    }

    fn act(&mut self, action: Action) {
        self.plan.actions.push(action);
    }
}
