//! Compares what is there with what is needed.

use super::shell;
use super::{Action, BASELINE, Baseline, Grantee, HARDENING, Plan, Resource, RoleGrant};
use crate::audit::LOGGED;
use crate::facts::{ClusterName, Facts, Gap, Home, ProjectFacts};
use crate::policy::{Access, DOWNLOAD, MINT, Member, OPEN_MINTER, Policy, READER, TIGHT_MINTER};
use crate::principal::{PROJECT_ACCOUNT, Principal, ServiceAccountEmail, WorkloadPool};
use crate::repository::RepositoryName;

/// What the plan should cover beyond accounts and their roles.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    pub minter: Minter,
    pub enable_workload_identity: bool,
    pub organisation_policies: Policies,
    /// Has calls for tokens leave a line in the audit log, which Google charges for.
    pub audit_logs: bool,
}

/// Which organisation policies are set on the controller's project.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Policies {
    #[default]
    AsTheyAre,
    /// What keeps identities narrow.
    Baseline,
    /// That, and what makes clusters and buckets harder to take.
    All,
}

impl Policies {
    fn wanted(self) -> impl Iterator<Item = &'static Baseline> {
        let (baseline, hardening) = match self {
            Self::AsTheyAre => (&[][..], &[][..]),
            Self::Baseline => (BASELINE, &[][..]),
            Self::All => (BASELINE, HARDENING),
        };
        baseline.iter().chain(hardening)
    }
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
    draft.services();
    if options.enable_workload_identity {
        draft.cluster();
    }
    for project in facts.intent.projects.keys() {
        draft.acting(project, options.minter)?;
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
    fn services(&mut self) {
        for needed in self.facts.needed_services() {
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
                return self.impossible(format!(
                    "workload identity is not planned, as the cluster was not seen: {}",
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
        if !access.is_granted() {
            self.act(Action::Grant(RoleGrant::new(
                Resource::ServiceAccount(email.clone()),
                minter.role(),
                Grantee::Kubernetes(self.principal.clone()),
            )));
        }
    }

    fn reading(&mut self, repository: &RepositoryName, reader: &Grantee) {
        let seen = self.facts.repository(repository);
        let roles = &self.facts.custom_roles;
        let reads = |policy: &Policy| {
            policy
                .access(DOWNLOAD, roles, self.facts.now, |it| {
                    reader.is_covered_by(it) && !it.is_public()
                })
                .is_granted()
        };
        if seen.project_policy.known().is_ok_and(reads) {
            return;
        }
        match seen.policy.found() {
            Ok(Some(policy)) if reads(policy) => return,
            Ok(Some(_)) => {}
            Ok(None) => {
                return self.impossible(format!(
                    "{repository} does not exist, so nothing can be granted on it"
                ));
            }
            Err(gap) => self.assume(&format!("the policy of {repository}"), &gap),
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
        self.act(wanted.action(&self.home.project));
    }

    fn audit_logs(&mut self) {
        for service in LOGGED {
            match self.facts.home_policy.known() {
                Ok(policy) if policy.logs_reads_of(service) => continue,
                Ok(_) => {}
                Err(gap) => self.assume(&format!("whether reads of {service} are logged"), &gap),
            }
            self.act(Action::LogReads {
                project: self.home.project.clone(),
                service: (*service).to_owned(),
            });
        }
    }

    fn act(&mut self, action: Action) {
        self.plan.actions.push(action);
    }

    fn assume(&mut self, what: &str, gap: &Gap) {
        let why = &gap.why;
        let note = format!("{what} was not seen and is taken for missing: {why}");
        self.plan.assumed.push(note);
    }

    /// Notes that nobody looked for a Kubernetes account.
    fn take_for_missing(&mut self, project: &str) {
        let note = format!(
            "the Kubernetes account {project}/{PROJECT_ACCOUNT} was not looked for and is taken for missing, and a service \
             account acts in its place: see {}, or add --kubeconfig FILE",
            look_for_account(project)
        );
        self.plan.assumed.push(note);
    }

    /// Notes that it was not to be read who acts.
    fn unknown(&mut self, project: &str, gap: &Gap) {
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

    fn impossible(&mut self, why: String) {
        self.plan.impossible.push(why);
    }
}

/// Writes the command that says whether a Project has a Kubernetes account of its own.
fn look_for_account(project: &str) -> String {
    shell::command(
        &["kubectl", "get", "serviceaccount", PROJECT_ACCOUNT],
        &[("namespace", project)],
    )
}
