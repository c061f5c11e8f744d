//! Which roles carry the few permissions that matter here.

use std::collections::BTreeMap;

use super::holders::HOLDERS;

/// The permission that lets somebody act as a service account.
pub const MINT: &str = "iam.serviceAccounts.getAccessToken";
/// The permissions that let somebody sign as a service account, beyond what acting as it needs.
pub const SIGN: &[&str] = &[
    "iam.serviceAccounts.signBlob",
    "iam.serviceAccounts.signJwt",
    "iam.serviceAccounts.implicitDelegation",
];
/// The permission that every read of a registry asks for.
pub const DOWNLOAD: &str = "artifactregistry.repositories.downloadArtifacts";
/// The permission that every push to a registry asks for.
pub const UPLOAD: &str = "artifactregistry.repositories.uploadArtifacts";

/// The role that upstream documents for acting as a Project's account; it also signs.
pub const OPEN_MINTER: &str = "roles/iam.serviceAccountTokenCreator";
/// The narrower role that suffices for acting as an account.
pub const TIGHT_MINTER: &str = "roles/iam.workloadIdentityUser";
/// The role for reading one repository.
pub const READER: &str = "roles/artifactregistry.reader";

/// Whether a role carries a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carries {
    Yes,
    No,
    /// A custom role that could not be read.
    Unknown,
}

/// The permissions of custom roles, by the role's full name; a role that is missing could not be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CustomRoles(pub BTreeMap<String, Vec<String>>);

impl CustomRoles {
    /// Says whether a role carries a permission. `role` is `roles/x`, or `projects/P/roles/x` for a custom one.
    pub fn carries(&self, role: &str, permission: &str) -> Carries {
        if let Some(permissions) = self.0.get(role) {
            return yes_or_no(permissions.iter().any(|it| it == permission));
        }
        if !role.starts_with("roles/") {
            return Carries::Unknown;
        }
        let holders = HOLDERS.iter().find(|(it, _)| *it == permission);
        yes_or_no(holders.is_some_and(|(_, roles)| roles.contains(&role)))
    }
}

/// Says whether a role is one of the basic ones, which reach over every service.
pub fn is_basic(role: &str) -> bool {
    matches!(role, "roles/owner" | "roles/editor" | "roles/viewer")
}

/// Says whether a role is made for Google's own service agents and for nobody else.
pub fn is_service_agent_role(role: &str) -> bool {
    let name = role.strip_prefix("roles/").unwrap_or_default();
    name.rsplit('.')
        .next()
        .is_some_and(|it| it.to_ascii_lowercase().ends_with("serviceagent"))
}

fn yes_or_no(it: bool) -> Carries {
    if it { Carries::Yes } else { Carries::No }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_creators_mint_and_sign_and_workload_identity_users_only_mint() {
        let roles = CustomRoles::default();
        assert_eq!(roles.carries(OPEN_MINTER, MINT), Carries::Yes);
        assert_eq!(roles.carries(TIGHT_MINTER, MINT), Carries::Yes);
        assert_eq!(roles.carries(OPEN_MINTER, SIGN[0]), Carries::Yes);
        assert_eq!(roles.carries(TIGHT_MINTER, SIGN[0]), Carries::No);
        assert_eq!(
            roles.carries("roles/owner", MINT),
            Carries::No,
            "owners only may grant it to themselves"
        );
        assert_eq!(
            roles.carries("roles/iam.serviceAccountOpenIdTokenCreator", MINT),
            Carries::No
        );
    }

    #[test]
    fn a_custom_role_is_unknown_until_it_was_read() {
        let name = "projects/acme-gke/roles/minter";
        let mut roles = CustomRoles::default();
        assert_eq!(roles.carries(name, MINT), Carries::Unknown);
        roles.0.insert(name.to_owned(), vec![MINT.to_owned()]);
        assert_eq!(roles.carries(name, MINT), Carries::Yes);
        assert_eq!(roles.carries(name, DOWNLOAD), Carries::No);
    }

    #[test]
    fn readers_do_not_write() {
        let roles = CustomRoles::default();
        assert_eq!(roles.carries(READER, DOWNLOAD), Carries::Yes);
        assert_eq!(roles.carries(READER, UPLOAD), Carries::No);
        assert_eq!(roles.carries("roles/editor", UPLOAD), Carries::Yes);
    }

    #[test]
    fn roles_of_agents_and_of_other_services_carry_what_they_carry() {
        let roles = CustomRoles::default();
        for (role, permission) in [
            ("roles/artifactregistry.serviceAgent", DOWNLOAD),
            ("roles/assuredoss.user", DOWNLOAD),
            ("roles/securitycenter.adminViewer", DOWNLOAD),
            ("roles/cloudbuild.serviceAgent", UPLOAD),
            ("roles/compute.serviceAgent", MINT),
            ("roles/pubsub.serviceAgent", SIGN[0]),
        ] {
            assert_eq!(roles.carries(role, permission), Carries::Yes, "{role}");
        }
        assert_eq!(
            roles.carries("roles/artifactregistry.serviceAgent", UPLOAD),
            Carries::No
        );
    }

    #[test]
    fn roles_of_agents_are_known_by_their_name() {
        assert!(is_service_agent_role("roles/container.serviceAgent"));
        assert!(is_service_agent_role("roles/dataflow.serviceAgent"));
        assert!(is_service_agent_role(
            "roles/cloudbuild.loggingServiceAgent"
        ));
        assert!(!is_service_agent_role("roles/iam.serviceAccountUser"));
        assert!(!is_service_agent_role("projects/p/roles/x.serviceAgent"));
    }
}
