//! What the predefined roles contain, of the permissions that this simulator asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// Finds what a predefined role contains. `role` is `roles/artifactregistry.reader`.
pub(crate) fn predefined(role: &str) -> Option<&'static BTreeSet<String>> {
    PREDEFINED.get(role)
}

/// Lists the predefined roles.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PREDEFINED.keys().map(String::as_str)
}

static PREDEFINED: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(|| {
    let table: BTreeMap<String, BTreeMap<String, Vec<String>>> =
        serde_saphyr::from_str(include_str!("roles.yaml")).expect("the table of roles is YAML");
    table
        .into_iter()
        .map(|(role, resources)| (role, spell_out(&resources)))
        .collect()
});

fn spell_out(resources: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    resources
        .iter()
        .flat_map(|(resource, verbs)| verbs.iter().map(move |verb| format!("{resource}.{verb}")))
        .collect()
}

/// A role that a project or an organization has made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CustomRole {
    /// The last part of the name: `kargoGsaTokenMinter`.
    pub id: String,
    pub title: String,
    pub included_permissions: BTreeSet<String>,
    pub deleted: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(role: &str, permission: &str, contained: bool) {
        let permissions = predefined(role).unwrap_or_else(|| panic!("no {role}"));
        assert_eq!(permissions.contains(permission), contained, "{permission}");
    }

    #[test]
    fn owners_may_do_much_but_not_mint_tokens() {
        check("roles/owner", "iam.serviceAccounts.setIamPolicy", true);
        check("roles/owner", "iam.serviceAccounts.getAccessToken", false);
        check("roles/editor", "iam.serviceAccounts.getAccessToken", false);
    }

    #[test]
    fn two_roles_let_a_workload_mint_and_only_one_lets_it_sign() {
        for role in [
            "roles/iam.serviceAccountTokenCreator",
            "roles/iam.workloadIdentityUser",
        ] {
            check(role, "iam.serviceAccounts.getAccessToken", true);
        }
        check(
            "roles/iam.workloadIdentityUser",
            "iam.serviceAccounts.signBlob",
            false,
        );
        check(
            "roles/iam.serviceAccountTokenCreator",
            "iam.serviceAccounts.signBlob",
            true,
        );
    }

    #[test]
    fn roles_of_other_products_pull_too() {
        for role in [
            "roles/appengine.appAdmin",
            "roles/appengine.deployer",
            "roles/assuredoss.reader",
            "roles/cloudfunctions.admin",
            "roles/cloudfunctions.developer",
            "roles/cloudfunctions.editor",
            "roles/composer.worker",
            "roles/firebase.admin",
            "roles/firebase.developAdmin",
            "roles/securitycenter.adminViewer",
        ] {
            let download = "artifactregistry.repositories.downloadArtifacts";
            check(role, download, true);
        }
        check(
            "roles/iam.databasesAdmin",
            "iam.serviceAccounts.actAs",
            true,
        );
        for role in ["roles/assuredoss.admin", "roles/securitycenter.admin"] {
            check(role, "iam.serviceAccountKeys.create", true);
        }
    }

    #[test]
    fn a_reader_pulls_and_does_not_push() {
        let role = "roles/artifactregistry.reader";
        check(
            role,
            "artifactregistry.repositories.downloadArtifacts",
            true,
        );
        check(role, "artifactregistry.repositories.uploadArtifacts", false);
        check(
            "roles/artifactregistry.writer",
            "artifactregistry.repositories.uploadArtifacts",
            true,
        );
    }
}
