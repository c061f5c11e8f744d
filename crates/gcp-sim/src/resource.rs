//! The resources that carry a policy, and how IAM spells their names.

use std::fmt;

/// A resource that permissions are asked on. Projects go by their id, accounts by their email.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceName {
    Organization {
        number: String,
    },
    Folder {
        number: String,
    },
    Project {
        project: String,
    },
    ServiceAccount {
        project: String,
        email: String,
    },
    Repository {
        project: String,
        location: String,
        repository: String,
    },
    Topic {
        project: String,
        topic: String,
    },
    Subscription {
        project: String,
        subscription: String,
    },
}

impl ResourceName {
    pub fn project(project: &str) -> Self {
        Self::Project {
            project: project.to_owned(),
        }
    }

    pub fn service_account(project: &str, email: &str) -> Self {
        Self::ServiceAccount {
            project: project.to_owned(),
            email: email.to_owned(),
        }
    }

    pub fn repository(project: &str, location: &str, repository: &str) -> Self {
        Self::Repository {
            project: project.to_owned(),
            location: location.to_owned(),
            repository: repository.to_owned(),
        }
    }

    pub fn topic(project: &str, topic: &str) -> Self {
        Self::Topic {
            project: project.to_owned(),
            topic: topic.to_owned(),
        }
    }

    pub fn subscription(project: &str, subscription: &str) -> Self {
        Self::Subscription {
            project: project.to_owned(),
            subscription: subscription.to_owned(),
        }
    }

    /// Parses a relative name, `projects/acme/serviceAccounts/EMAIL`.
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<&str> = name.split('/').collect();
        match parts.as_slice() {
            ["organizations", number] => Some(Self::Organization {
                number: (*number).to_owned(),
            }),
            ["folders", number] => Some(Self::Folder {
                number: (*number).to_owned(),
            }),
            ["projects", project] => Some(Self::project(project)),
            ["projects", project, "serviceAccounts", email] => {
                Some(Self::service_account(project, email))
            }
            [
                "projects",
                project,
                "locations",
                location,
                "repositories",
                repository,
            ] => Some(Self::repository(project, location, repository)),
            ["projects", project, "topics", topic] => Some(Self::topic(project, topic)),
            ["projects", project, "subscriptions", subscription] => {
                Some(Self::subscription(project, subscription))
            }
            _ => None,
        }
    }

    /// The project that the resource is or lies in; none for folders and organizations.
    pub fn project_id(&self) -> Option<&str> {
        match self {
            Self::Organization { .. } | Self::Folder { .. } => None,
            Self::Project { project }
            | Self::ServiceAccount { project, .. }
            | Self::Repository { project, .. }
            | Self::Topic { project, .. }
            | Self::Subscription { project, .. } => Some(project),
        }
    }

    /// What `resource.type` says in a condition.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Organization { .. } => "cloudresourcemanager.googleapis.com/Organization",
            Self::Folder { .. } => "cloudresourcemanager.googleapis.com/Folder",
            Self::Project { .. } => "cloudresourcemanager.googleapis.com/Project",
            Self::ServiceAccount { .. } => "iam.googleapis.com/ServiceAccount",
            Self::Repository { .. } => "artifactregistry.googleapis.com/Repository",
            Self::Topic { .. } => "pubsub.googleapis.com/Topic",
            Self::Subscription { .. } => "pubsub.googleapis.com/Subscription",
        }
    }

    /// The API that the resource belongs to: `iam.googleapis.com`.
    pub fn service(&self) -> &'static str {
        let kind = self.kind();
        kind.split_once('/').map_or(kind, |(service, _)| service)
    }
}

/// The relative name, which is also what `resource.name` says in a condition.
impl fmt::Display for ResourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization { number } => write!(f, "organizations/{number}"),
            Self::Folder { number } => write!(f, "folders/{number}"),
            Self::Project { project } => write!(f, "projects/{project}"),
            Self::ServiceAccount { project, email } => {
                write!(f, "projects/{project}/serviceAccounts/{email}")
            }
            Self::Repository {
                project,
                location,
                repository,
            } => write!(
                f,
                "projects/{project}/locations/{location}/repositories/{repository}"
            ),
            Self::Topic { project, topic } => write!(f, "projects/{project}/topics/{topic}"),
            Self::Subscription {
                project,
                subscription,
            } => write!(f, "projects/{project}/subscriptions/{subscription}"),
        }
    }
}
