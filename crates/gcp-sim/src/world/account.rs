//! Google service accounts and their keys.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::policy::Policy;

/// A Google service account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceAccount {
    /// The part before the `@`; 6 to 30 characters.
    pub name: String,
    /// Made from the name and the project where the file leaves it out.
    pub email: String,
    /// 21 digits, made from the email where the file leaves it out.
    pub unique_id: String,
    pub display_name: String,
    pub description: String,
    pub disabled: bool,
    /// Deleted accounts can be brought back for 30 days.
    pub deleted: bool,
    #[serde(rename = "bindings")]
    pub policy: Policy,
    pub keys: Vec<Key>,
    /// Counts lives: an account made anew under the same email gets another unique id.
    #[serde(skip)]
    pub generation: u32,
}

/// A key by which an account can be impersonated without anybody's leave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Key {
    /// 40 hexadecimal digits.
    pub id: String,
    pub disabled: bool,
    pub created: Timestamp,
    pub origin: KeyOrigin,
    /// The public half as a JWK; a key that only a file mentions has none and verifies nothing.
    #[serde(skip)]
    pub public: Option<serde_json::Value>,
    /// When a token was last given out for it.
    #[serde(skip)]
    pub last_used: Option<Timestamp>,
}

/// Who made a key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyOrigin {
    #[default]
    GoogleProvided,
    UserProvided,
}

impl ServiceAccount {
    /// Makes the unique id from the email and how often the account was made.
    pub(crate) fn unique_id_of(email: &str, generation: u32) -> String {
        let digest = Sha256::digest(format!("{email}#{generation}"));
        let number = digest
            .iter()
            .take(16)
            .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        format!("1{:020}", number % 10_u128.pow(20))
    }

    /// How policies spell the account while it lives, and once it is deleted.
    pub(crate) fn members(&self) -> (String, String) {
        let living = format!("serviceAccount:{}", self.email);
        let deleted = format!("deleted:{living}?uid={}", self.unique_id);
        (living, deleted)
    }

    /// Says whether an account may be called so.
    ///
    /// Source: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/create>
    pub fn is_valid_name(name: &str) -> bool {
        let inner = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
        (6..=30).contains(&name.len())
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && !name.ends_with('-')
            && name.chars().all(inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_six_to_thirty_characters() {
        for (name, valid) in [
            ("kargo-project-web", true),
            ("short", false),
            ("kargo-project-a-name-too-long-1", false),
            ("kargo-project-", false),
            ("1kargo-project", false),
            ("Kargo-project", false),
        ] {
            assert_eq!(ServiceAccount::is_valid_name(name), valid, "{name}");
        }
    }

    #[test]
    fn an_account_made_anew_is_somebody_else() {
        let first = ServiceAccount::unique_id_of("a@acme.iam.gserviceaccount.com", 0);
        assert_eq!(first.len(), 21);
        assert_ne!(
            first,
            ServiceAccount::unique_id_of("a@acme.iam.gserviceaccount.com", 1)
        );
    }
}
