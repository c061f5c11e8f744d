//! Whom a registry turned down, and what lets them in.

use credentials::Login;
use credentials::google::ImageAddress;

use super::Repository;
use super::reason::{NARROW_SCOPE, POLICY_VIOLATED, SERVICE_DISABLED};
use crate::shell::{quote, skopeo_list_tags};

/// Whose request it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asker {
    Nobody,
    /// Whoever's login a Secret holds.
    Secret,
    /// An identity, which is let in by this command.
    Identity {
        grant: String,
    },
}

impl Asker {
    /// Says whose a login is.
    pub(super) fn of(login: Option<&Login>, repository: &Repository) -> Self {
        match login {
            None => Self::Nobody,
            Some(Login::Basic { .. } | Login::SshKey(_)) => Self::Secret,
            Some(Login::AccessToken(token)) => Self::Identity {
                grant: token.grant(&repository.to_string()),
            },
        }
    }

    /// Names what lets them in at a repository, by the reason that they were turned down for.
    pub(super) fn hint(&self, reason: &str, repository: &str) -> String {
        // Google's reasons are those of its own registries.
        let project = ImageAddress::parse(repository).ok();
        let project = project.map(|it| quote(it.repository.project.as_str()));
        match (reason, project, self) {
            (NARROW_SCOPE, _, Self::Identity { .. }) => {
                "start the controller with --gcp-token-scope=cloud-platform; if it is already, the scopes of the node are \
                 narrow: argosy gcp doctor"
                    .to_owned()
            }
            (NARROW_SCOPE, _, Self::Secret | Self::Nobody) => format!(
                "have the token in the Secret for {repository} made with the scope \
                 https://www.googleapis.com/auth/cloud-platform"
            ),
            (SERVICE_DISABLED, Some(project), _) => {
                format!("gcloud services enable artifactregistry.googleapis.com --project={project}")
            }
            (POLICY_VIOLATED, Some(project), _) => format!(
                "let the identity in by an ingress rule of the perimeter around {project}, which the audit log names: \
                 argosy gcp doctor"
            ),
            (_, _, Self::Identity { grant }) => grant.clone(),
            (_, _, Self::Nobody) => format!(
                "create a Secret with label kargo.akuity.io/cred-type=image and repoURL {repository} in the project's namespace"
            ),
            (_, _, Self::Secret) => format!(
                "see whether the Secret for {repository} is current and may pull: {}",
                skopeo_list_tags(repository)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_GOOGLE: &str = "europe-docker.pkg.dev/acme-prod/apps/web";

    #[test]
    fn what_lets_them_in_depends_on_why_they_were_turned_down() {
        let grant = "gcloud artifacts repositories add-iam-policy-binding apps".to_owned();
        let identity = Asker::Identity { grant };
        for (reason, repository, asker, next) in [
            (
                "SERVICE_DISABLED",
                AT_GOOGLE,
                &identity,
                "gcloud services enable artifactregistry.googleapis.com --project=acme-prod",
            ),
            (
                "SERVICE_DISABLED",
                "ghcr.io/acme/web",
                &Asker::Nobody,
                "create a Secret",
            ),
            (
                "SECURITY_POLICY_VIOLATED",
                AT_GOOGLE,
                &identity,
                "let the identity in by an ingress rule of the perimeter around acme-prod",
            ),
            ("DENIED", AT_GOOGLE, &identity, "gcloud artifacts"),
            ("", AT_GOOGLE, &Asker::Secret, "see whether the Secret"),
        ] {
            let hint = asker.hint(reason, repository);
            assert!(hint.starts_with(next), "{reason} {asker:?}: {hint}");
        }
    }
}
