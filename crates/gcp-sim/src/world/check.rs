//! What a world must agree with itself about: parents, roles, members, names, the clusters of pods.

use std::collections::BTreeSet;

use super::{Project, ServiceAccount, World, WorldError};
use crate::policy::Policy;
use crate::registry::is_of_google;
use crate::resource::ResourceName;
use crate::roles;

/// Checks a world that was read from `text`.
pub(super) fn check(file: &str, text: &str, world: &World) -> Result<(), WorldError> {
    Check { file, text, world }.all()
}

struct Check<'a> {
    file: &'a str,
    text: &'a str,
    world: &'a World,
}

impl Check<'_> {
    fn all(&self) -> Result<(), WorldError> {
        let mut ids = BTreeSet::new();
        for (index, project) in self.world.projects.iter().enumerate() {
            let field = format!("projects[{index}]");
            if project.id.is_empty() || !ids.insert(&project.id) {
                return Err(self.wrong(&format!("{field}.id"), &project.id, "an id of its own"));
            }
            self.project(&field, project)?;
        }
        for (index, organization) in self.world.organizations.iter().enumerate() {
            self.policy(
                &format!("organizations[{index}]"),
                None,
                &organization.policy,
            )?;
        }
        for (index, folder) in self.world.folders.iter().enumerate() {
            let field = format!("folders[{index}]");
            self.parent(&field, &folder.parent)?;
            self.policy(&field, None, &folder.policy)?;
        }
        self.pods()
    }

    fn project(&self, field: &str, project: &Project) -> Result<(), WorldError> {
        if let Some(parent) = &project.parent {
            self.parent(field, parent)?;
        }
        self.policy(field, Some(project), &project.policy)?;
        for (index, account) in project.service_accounts.iter().enumerate() {
            let field = format!("{field}.serviceAccounts[{index}]");
            let made_by_google = account.email.ends_with("@developer.gserviceaccount.com");
            if !made_by_google && !ServiceAccount::is_valid_name(&account.name) {
                let expected =
                    "6 to 30 lower-case letters, digits and hyphens, starting with a letter";
                return Err(self.wrong(&format!("{field}.name"), &account.name, expected));
            }
            self.policy(&field, Some(project), &account.policy)?;
        }
        for (index, repository) in project.repositories.iter().enumerate() {
            let field = format!("{field}.repositories[{index}]");
            for (part, found) in [
                ("name", &repository.name),
                ("location", &repository.location),
            ] {
                if found.is_empty() {
                    return Err(self.wrong(&format!("{field}.{part}"), found, "a value"));
                }
            }
            if let Some(url) = repository.backend.as_ref().filter(|it| is_of_google(it)) {
                let expected = "a registry that is not Google's";
                return Err(self.wrong(&format!("{field}.backend"), url, expected));
            }
            self.policy(&field, Some(project), &repository.policy)?;
        }
        self.keys(field, project)?;
        self.pubsub(field, project)
    }

    /// Keys are fetched from this machine.
    fn keys(&self, field: &str, project: &Project) -> Result<(), WorldError> {
        let clusters = (0..).zip(&project.clusters);
        let clusters = clusters
            .map(|(index, it)| (format!("{field}.clusters[{index}]"), it.jwks_url.as_deref()));
        let providers = (0..).zip(&project.workload_pools).flat_map(|(pool, it)| {
            (0..).zip(&it.providers).map(move |(index, it)| {
                let field = format!("{field}.workloadPools[{pool}].providers[{index}]");
                (field, it.jwks_url.as_deref())
            })
        });
        for (field, url) in clusters.chain(providers) {
            if let Some(url) = url.filter(|url| !crate::pubsub::is_loopback(url)) {
                let expected = "an http:// or https:// address on loopback";
                return Err(self.wrong(&format!("{field}.jwksUrl"), url, expected));
            }
        }
        Ok(())
    }

    fn pubsub(&self, field: &str, project: &Project) -> Result<(), WorldError> {
        for (index, topic) in project.topics.iter().enumerate() {
            let field = format!("{field}.topics[{index}]");
            if topic.name.is_empty() {
                return Err(self.wrong(&format!("{field}.name"), &topic.name, "a value"));
            }
            self.policy(&field, Some(project), &topic.policy)?;
        }
        for (index, subscription) in project.subscriptions.iter().enumerate() {
            let field = format!("{field}.subscriptions[{index}]");
            if subscription.name.is_empty() {
                return Err(self.wrong(&format!("{field}.name"), &subscription.name, "a value"));
            }
            let topic = ResourceName::parse(&subscription.topic);
            if topic.is_none_or(|topic| self.world.policy(&topic).is_none()) {
                let expected =
                    "a topic of this file, or projects/PROJECT/topics/TOPIC of another project";
                return Err(self.wrong(&format!("{field}.topic"), &subscription.topic, expected));
            }
            let push = subscription.push_config.as_ref();
            if let Some(push) = push.filter(|it| !crate::pubsub::is_loopback(&it.push_endpoint)) {
                let field = format!("{field}.pushConfig.pushEndpoint");
                let expected = "an http:// or https:// address on loopback";
                return Err(self.wrong(&field, &push.push_endpoint, expected));
            }
            self.policy(&field, Some(project), &subscription.policy)?;
        }
        Ok(())
    }

    fn parent(&self, field: &str, parent: &str) -> Result<(), WorldError> {
        let known = match parent.split_once('/') {
            Some(("folders", number)) => self.world.folder(number).is_some(),
            Some(("organizations", number)) => self.world.organization(number).is_some(),
            Some(_) | None => false,
        };
        if known {
            return Ok(());
        }
        let expected = "folders/NUMBER or organizations/NUMBER of this file";
        Err(self.wrong(&format!("{field}.parent"), parent, expected))
    }

    fn policy(
        &self,
        field: &str,
        project: Option<&Project>,
        policy: &Policy,
    ) -> Result<(), WorldError> {
        for (index, binding) in policy.bindings.iter().enumerate() {
            let field = format!("{field}.bindings[{index}]");
            let custom = project.is_some_and(|project| project.has_role(&binding.role));
            let known = custom
                || binding.role.starts_with("organizations/")
                || roles::predefined(&binding.role).is_some();
            if !known {
                let expected =
                    "a predefined role that the simulator knows, or a custom role of the project";
                return Err(self.wrong(&format!("{field}.role"), &binding.role, expected));
            }
            if let Some(member) = binding.members.iter().find(|member| !is_member(member)) {
                let expected =
                    "a member such as user:ann@acme.example or principal://iam.googleapis.com/…";
                return Err(self.wrong(&format!("{field}.members"), member, expected));
            }
        }
        Ok(())
    }

    fn pods(&self) -> Result<(), WorldError> {
        for (index, pod) in self.world.pods.iter().enumerate() {
            let mut parts = pod.cluster.split('/');
            let known = match (parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(project), Some(location), Some(name), None) => {
                    self.world.cluster(project, location, name).is_some()
                }
                _ => false,
            };
            if !known {
                let field = format!("pods[{index}].cluster");
                return Err(self.wrong(
                    &field,
                    &pod.cluster,
                    "PROJECT/LOCATION/NAME of a cluster of this file",
                ));
            }
        }
        Ok(())
    }

    fn wrong(&self, field: &str, found: &str, expected: &str) -> WorldError {
        WorldError::Field {
            place: self.place(found),
            field: field.to_owned(),
            found: found.to_owned(),
            expected: expected.to_owned(),
        }
    }

    /// The file, with the line if exactly one says so.
    fn place(&self, found: &str) -> String {
        let mut lines = (1..)
            .zip(self.text.lines())
            .filter(|(_, line)| !found.is_empty() && line.contains(found));
        match (lines.next(), lines.next()) {
            (Some((line, _)), None) => format!("{}:{line}", self.file),
            _ => self.file.to_owned(),
        }
    }
}

impl Project {
    /// Says whether a binding may name the custom role `projects/<id>/roles/<role>`.
    pub(crate) fn has_role(&self, name: &str) -> bool {
        self.roles
            .iter()
            .any(|role| name == format!("projects/{}/roles/{}", self.id, role.id))
    }
}

/// Says whether a policy may contain such a member.
pub(crate) fn is_member(member: &str) -> bool {
    if matches!(member, "allUsers" | "allAuthenticatedUsers") {
        return true;
    }
    let member = member.strip_prefix("deleted:").unwrap_or(member);
    [
        "user:",
        "serviceAccount:",
        "group:",
        "domain:",
        "principal://iam.googleapis.com/",
        "principalSet://iam.googleapis.com/",
    ]
    .iter()
    .any(|scheme| {
        member
            .strip_prefix(scheme)
            .is_some_and(|rest| !rest.is_empty())
    })
}
