//! Reading a world from YAML: what is left out is filled in, and what cannot be is said with file, line and field.

use std::path::Path;

use super::{Project, ServiceAccount, World, check};

/// Why a world could not be had from a file.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    #[error("failed to read {file}")]
    Read {
        file: String,
        source: std::io::Error,
    },
    #[error("{file}:{line}:{column}: {message}")]
    Parse {
        file: String,
        line: u64,
        column: u64,
        message: String,
    },
    #[error("{place}: {field} is {found:?}, expected {expected}")]
    Field {
        /// The file, and the line where it is certain.
        place: String,
        field: String,
        found: String,
        expected: String,
    },
}

impl WorldError {
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name a file with: argosy gcp sim --world FILE",
            Self::Parse { .. } | Self::Field { .. } => {
                "examples/gcp/every-field.yaml shows every field that a world may have"
            }
        }
    }
}

impl World {
    /// Reads a file.
    ///
    /// # Errors
    /// [`WorldError::Parse`] for what is not a world at all, [`WorldError::Field`] for what refers to nothing.
    pub fn read(path: &Path) -> Result<Self, WorldError> {
        let file = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| WorldError::Read {
            file: file.clone(),
            source,
        })?;
        Self::from_yaml(&file, &text)
    }

    /// Reads text; `file` is what errors call it.
    pub fn from_yaml(file: &str, text: &str) -> Result<Self, WorldError> {
        let mut world: Self =
            serde_saphyr::from_str(text).map_err(|error| parse_error(file, &error))?;
        world.fill_in();
        check::check(file, text, &world)?;
        Ok(world)
    }

    /// Gives emails, unique ids, numbers and issuers to what has none.
    pub fn fill_in(&mut self) {
        for (index, project) in self.projects.iter_mut().enumerate() {
            if project.number == 0 {
                project.number = 100_000_000_001 + index as u64;
            }
            project.fill_in();
        }
    }
}

impl Project {
    fn fill_in(&mut self) {
        let emails: Vec<String> = self
            .service_accounts
            .iter()
            .map(|account| self.email_of(&account.name))
            .collect();
        for (account, email) in self.service_accounts.iter_mut().zip(emails) {
            account.fill_in(email);
        }
        for subscription in &mut self.subscriptions {
            if !subscription.topic.contains('/') {
                subscription.topic = format!("projects/{}/topics/{}", self.id, subscription.topic);
            }
        }
        for cluster in &mut self.clusters {
            let url = cluster.url(&self.id);
            if cluster.issuer.is_empty() {
                cluster.issuer.clone_from(&url);
            }
            if cluster.uid.is_empty() {
                cluster.uid = ServiceAccount::unique_id_of(&url, 0);
            }
            if cluster.node_pools.is_empty() {
                cluster.node_pools.push(super::NodePool::default());
            }
        }
    }
}

impl ServiceAccount {
    fn fill_in(&mut self, email: String) {
        if self.email.is_empty() {
            self.email = email;
        }
        if self.unique_id.is_empty() {
            self.unique_id = Self::unique_id_of(&self.email, self.generation);
        }
    }
}

fn parse_error(file: &str, error: &serde_saphyr::Error) -> WorldError {
    let (line, column) = error
        .location()
        .map_or((0, 0), |at| (at.line(), at.column()));
    WorldError::Parse {
        file: file.to_owned(),
        line,
        column,
        message: error.without_snippet().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(yaml: &str, expected: &str) {
        let error = World::from_yaml("world.yaml", yaml).expect_err("it is wrong");
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn what_is_left_out_is_filled_in() {
        let yaml = "projects: [{id: 'acme.example:prod', serviceAccounts: [{name: kargo-project-web}], \
            clusters: [{name: main, location: europe-west1}]}]";
        let world = World::from_yaml("world.yaml", yaml).unwrap();
        let project = &world.projects[0];
        let account = &project.service_accounts[0];
        assert_eq!(
            account.email,
            "kargo-project-web@prod.acme.example.iam.gserviceaccount.com"
        );
        assert_eq!(account.unique_id.len(), 21);
        assert_eq!(project.clusters[0].node_pools.len(), 1);
        assert!(
            project.clusters[0]
                .issuer
                .ends_with("/locations/europe-west1/clusters/main")
        );
    }

    #[test]
    fn a_field_that_is_not_known_is_said_with_its_line() {
        let error = World::from_yaml("world.yaml", "projects:\n- id: acme\n  srevices: []\n")
            .expect_err("wrong");
        let text = error.to_string();
        assert!(text.starts_with("world.yaml:3:"), "{text}");
        assert!(text.contains("srevices"), "{text}");
    }

    #[test]
    fn a_role_that_is_not_known_is_said_with_line_and_field() {
        check(
            "projects:\n- id: acme\n  bindings:\n  - role: roles/artifactregistry.raeder\n    members: [allUsers]\n",
            "world.yaml:4: projects[0].bindings[0].role is \"roles/artifactregistry.raeder\", expected a predefined role \
             that the simulator knows, or a custom role of the project",
        );
    }

    #[test]
    fn a_pod_needs_a_cluster() {
        check(
            "pods: [{name: web, cluster: acme/europe/main}]",
            "world.yaml:1: pods[0].cluster is \"acme/europe/main\", expected PROJECT/LOCATION/NAME of a cluster of this file",
        );
    }

    #[test]
    fn an_account_name_that_google_would_refuse_is_refused() {
        check(
            "projects: [{id: acme, serviceAccounts: [{name: web}]}]",
            "world.yaml:1: projects[0].serviceAccounts[0].name is \"web\", expected 6 to 30 lower-case letters, digits and \
             hyphens, starting with a letter",
        );
    }

    #[test]
    fn nothing_is_fetched_from_afar_or_from_google() {
        let loopback = "expected an http:// or https:// address on loopback";
        check(
            "projects: [{id: acme, clusters: [{name: main, jwksUrl: 'https://keys.example/jwks'}]}]",
            &format!(
                "world.yaml:1: projects[0].clusters[0].jwksUrl is \"https://keys.example/jwks\", {loopback}"
            ),
        );
        check(
            "projects: [{id: acme, workloadPools: [{id: ci, providers: [{id: x, jwksUrl: 'http://10.0.0.1/'}]}]}]",
            &format!(
                "world.yaml:1: projects[0].workloadPools[0].providers[0].jwksUrl is \"http://10.0.0.1/\", {loopback}"
            ),
        );
        check(
            "projects: [{id: acme, repositories: [{name: apps, location: eu, backend: 'https://eu-docker.pkg.dev/a/b'}]}]",
            "world.yaml:1: projects[0].repositories[0].backend is \"https://eu-docker.pkg.dev/a/b\", expected a registry that \
             is not Google's",
        );
    }

    #[test]
    fn a_condition_that_cannot_be_evaluated_is_refused() {
        let yaml = "projects:\n- id: acme\n  bindings:\n  - role: roles/viewer\n    members: [allUsers]\n    \
            condition: {title: t, expression: \"resource.matchTag('a', 'b')\"}\n";
        let error = World::from_yaml("world.yaml", yaml)
            .expect_err("wrong")
            .to_string();
        assert!(error.contains("cannot evaluate the condition"), "{error}");
    }
}
