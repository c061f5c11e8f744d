//! Finding things in the world by the names that requests use.

use super::{
    Cluster, Folder, Organization, Project, Repository, ServiceAccount, Subscription, Topic, World,
};
use crate::policy::Policy;
use crate::resource::ResourceName;

impl World {
    /// Finds a project by id or number.
    pub fn project(&self, id_or_number: &str) -> Option<&Project> {
        self.projects
            .iter()
            .find(|project| project.is_called(id_or_number))
    }

    pub fn project_mut(&mut self, id_or_number: &str) -> Option<&mut Project> {
        self.projects
            .iter_mut()
            .find(|project| project.is_called(id_or_number))
    }

    /// Finds an account that has not been deleted, by email or unique id, in any project.
    pub fn service_account(&self, email_or_id: &str) -> Option<(&Project, &ServiceAccount)> {
        self.projects.iter().find_map(|project| {
            let account = project.service_account(email_or_id)?;
            Some((project, account))
        })
    }

    pub fn service_account_mut(&mut self, email_or_id: &str) -> Option<&mut ServiceAccount> {
        self.projects
            .iter_mut()
            .flat_map(|project| &mut project.service_accounts)
            .find(|account| account.is_called(email_or_id))
    }

    pub fn repository(&self, project: &str, location: &str, name: &str) -> Option<&Repository> {
        self.project(project)?
            .repositories
            .iter()
            .find(|repository| repository.location == location && repository.name == name)
    }

    pub fn repository_mut(
        &mut self,
        project: &str,
        location: &str,
        name: &str,
    ) -> Option<&mut Repository> {
        self.project_mut(project)?
            .repositories
            .iter_mut()
            .find(|repository| repository.location == location && repository.name == name)
    }

    pub fn cluster(
        &self,
        project: &str,
        location: &str,
        name: &str,
    ) -> Option<(&Project, &Cluster)> {
        let project = self.project(project)?;
        let cluster = project
            .clusters
            .iter()
            .find(|cluster| cluster.location == location && cluster.name == name)?;
        Some((project, cluster))
    }

    pub fn topic(&self, project: &str, name: &str) -> Option<&Topic> {
        let topics = &self.project(project)?.topics;
        topics.iter().find(|topic| topic.name == name)
    }

    pub fn subscription(&self, project: &str, name: &str) -> Option<&Subscription> {
        let subscriptions = &self.project(project)?.subscriptions;
        subscriptions.iter().find(|it| it.name == name)
    }

    pub fn subscription_mut(&mut self, project: &str, name: &str) -> Option<&mut Subscription> {
        let subscriptions = &mut self.project_mut(project)?.subscriptions;
        subscriptions.iter_mut().find(|it| it.name == name)
    }

    pub fn folder(&self, number: &str) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.number == number)
    }

    pub fn organization(&self, number: &str) -> Option<&Organization> {
        self.organizations
            .iter()
            .find(|organization| organization.number == number)
    }

    /// Names a resource and everything above it, nearest first. Missing ones are named too.
    pub fn lineage(&self, resource: &ResourceName) -> Vec<ResourceName> {
        let mut lineage = vec![resource.clone()];
        let mut parent = match resource {
            ResourceName::Organization { .. } => None,
            ResourceName::Folder { number } => self.folder(number).map(|it| it.parent.clone()),
            ResourceName::Project { project } => {
                self.project(project).and_then(|it| it.parent.clone())
            }
            ResourceName::ServiceAccount { project, .. }
            | ResourceName::Repository { project, .. }
            | ResourceName::Topic { project, .. }
            | ResourceName::Subscription { project, .. } => {
                lineage.push(ResourceName::project(project));
                self.project(project).and_then(|it| it.parent.clone())
            }
        };
        while let Some(name) = parent.take().filter(|_| lineage.len() < DEEPEST) {
            if let Some(number) = name.strip_prefix("folders/") {
                parent = self.folder(number).map(|it| it.parent.clone());
                lineage.push(ResourceName::Folder {
                    number: number.to_owned(),
                });
            } else if let Some(number) = name.strip_prefix("organizations/") {
                lineage.push(ResourceName::Organization {
                    number: number.to_owned(),
                });
            }
        }
        lineage
    }

    /// Finds the policy of a resource itself, without what it inherits.
    pub fn policy(&self, resource: &ResourceName) -> Option<&Policy> {
        match resource {
            ResourceName::Organization { number } => self.organization(number).map(|it| &it.policy),
            ResourceName::Folder { number } => self.folder(number).map(|it| &it.policy),
            ResourceName::Project { project } => self.project(project).map(|it| &it.policy),
            ResourceName::ServiceAccount { project, email } => self
                .project(project)?
                .service_account(email)
                .map(|it| &it.policy),
            ResourceName::Repository {
                project,
                location,
                repository,
            } => self
                .repository(project, location, repository)
                .map(|it| &it.policy),
            ResourceName::Topic { project, topic } => {
                self.topic(project, topic).map(|it| &it.policy)
            }
            ResourceName::Subscription {
                project,
                subscription,
            } => self
                .subscription(project, subscription)
                .map(|it| &it.policy),
        }
    }

    pub fn policy_mut(&mut self, resource: &ResourceName) -> Option<&mut Policy> {
        match resource {
            ResourceName::Organization { number } => self
                .organizations
                .iter_mut()
                .find(|it| it.number == *number)
                .map(|it| &mut it.policy),
            ResourceName::Folder { number } => self
                .folders
                .iter_mut()
                .find(|it| it.number == *number)
                .map(|it| &mut it.policy),
            ResourceName::Project { project } => self.project_mut(project).map(|it| &mut it.policy),
            ResourceName::ServiceAccount { project, email } => self
                .project_mut(project)?
                .service_accounts
                .iter_mut()
                .find(|it| it.is_called(email))
                .map(|it| &mut it.policy),
            ResourceName::Repository {
                project,
                location,
                repository,
            } => self
                .repository_mut(project, location, repository)
                .map(|it| &mut it.policy),
            ResourceName::Topic { project, topic } => self
                .project_mut(project)?
                .topics
                .iter_mut()
                .find(|it| it.name == *topic)
                .map(|it| &mut it.policy),
            ResourceName::Subscription {
                project,
                subscription,
            } => self
                .subscription_mut(project, subscription)
                .map(|it| &mut it.policy),
        }
    }
}

impl World {
    /// Renames a member in every policy.
    pub(crate) fn rename_member(&mut self, from: &str, to: &str) {
        let projects = self.projects.iter_mut().flat_map(|project| {
            let accounts = project.service_accounts.iter_mut().map(|it| &mut it.policy);
            let repositories = project.repositories.iter_mut().map(|it| &mut it.policy);
            let topics = project.topics.iter_mut().map(|it| &mut it.policy);
            let subscriptions = project.subscriptions.iter_mut().map(|it| &mut it.policy);
            std::iter::once(&mut project.policy)
                .chain(accounts)
                .chain(repositories)
                .chain(topics)
                .chain(subscriptions)
        });
        let folders = self.folders.iter_mut().map(|it| &mut it.policy);
        let organizations = self.organizations.iter_mut().map(|it| &mut it.policy);
        for policy in projects.chain(folders).chain(organizations) {
            policy.rename_member(from, to);
        }
    }
}

/// Google nests folders ten deep; anything longer is a circle.
const DEEPEST: usize = 16;

impl Project {
    fn is_called(&self, id_or_number: &str) -> bool {
        self.id == id_or_number || self.number.to_string() == id_or_number
    }

    /// Finds an account of the project that has not been deleted.
    pub fn service_account(&self, email_or_id: &str) -> Option<&ServiceAccount> {
        self.service_accounts
            .iter()
            .find(|account| account.is_called(email_or_id))
    }
}

impl ServiceAccount {
    fn is_called(&self, email_or_id: &str) -> bool {
        !self.deleted && (self.email == email_or_id || self.unique_id == email_or_id)
    }
}
