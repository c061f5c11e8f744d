//! Google service accounts by email, and which one a Project acts as.

use std::fmt;

use serde::Serialize;

use super::{NameError, ProjectId};

/// What the id of a Project's account begins with; the Project's name follows.
pub const ACCOUNT_PREFIX: &str = "kargo-project-";

/// The longest name of a Project that an account can carry: an account id ends at 30 characters.
pub const MAX_PROJECT_NAME: usize = 30 - ACCOUNT_PREFIX.len();

const ENDING: &str = ".iam.gserviceaccount.com";

/// Whose accounts are all agents: projects of Google's own, and what names none.
///
/// Source: <https://cloud.google.com/iam/docs/service-agents>
const AGENT_PROJECTS: [&str; 29] = [
    "cloud-cdn-fill",
    "cloud-filer",
    "cloud-memcache-sa",
    "cloud-ml.google.com",
    "cloud-redis",
    "cloud-tpu",
    "cloudcomposer-accounts",
    "cloudservices.gserviceaccount.com",
    "compute-system",
    "container-analysis",
    "container-engine-robot",
    "containerregistry",
    "dataflow-service-producer-prod",
    "dataproc-accounts",
    "dlp-api",
    "endpoints-portal",
    "firebase-rules",
    "firebase-sa-management",
    "gae-api-prod.google.com",
    "gcf-admin-robot",
    "genomics-api.google.com",
    "gs-project-accounts",
    "remotebuildexecution",
    "security-center-api",
    "serverless-robot-prod",
    "service-consumer-management",
    "service-networking",
    "sourcerepo-service-accounts",
    "storage-transfer-service",
];

/// How the email ends of the account that nodes run as unless somebody chose another.
pub(crate) const DEFAULT_COMPUTE: &str = "-compute@developer.gserviceaccount.com";

/// The email of a Google service account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ServiceAccountEmail(String);

impl ServiceAccountEmail {
    /// Names the account that a Project acts as, in the Google Cloud project of the controller.
    ///
    /// # Errors
    /// [`NameError::AccountId`] if no such account can exist, whoever asks: an id is 6 to 30 characters of `a-z`, `0-9`
    /// and `-`, and the prefix takes 14 of them.
    ///
    /// Source: <https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/create>
    pub fn of_kargo_project(kargo_project: &str, home: &ProjectId) -> Result<Self, NameError> {
        let account = format!("{ACCOUNT_PREFIX}{kargo_project}");
        if !is_account_id(&account) {
            return Err(NameError::AccountId {
                project: kargo_project.to_owned(),
                account,
            });
        }
        Ok(Self::of(&account, home))
    }

    /// Names an account by its id in a project.
    ///
    /// # Errors
    /// [`NameError::Email`] if no account can have that id.
    pub fn in_project(account: &str, project: &ProjectId) -> Result<Self, NameError> {
        let email = Self::of(account, project);
        if is_account_id(account) {
            return Ok(email);
        }
        Err(NameError::Email { text: email.0 })
    }

    fn of(account: &str, project: &ProjectId) -> Self {
        let holder = match project.scope() {
            Some(scope) => format!("{}.{scope}", project.name()),
            None => project.to_string(),
        };
        Self(format!("{account}@{holder}{ENDING}"))
    }

    /// Reads any email of a service account, made by people or by Google.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let is_email = text.split_once('@').is_some_and(|(account, host)| {
            !account.is_empty() && host.ends_with(".gserviceaccount.com") && !host.contains('@')
        });
        if is_email && text.bytes().all(is_email_byte) {
            return Ok(Self(text.to_owned()));
        }
        Err(NameError::Email {
            text: text.to_owned(),
        })
    }

    /// Says what stands before the `@`.
    pub fn account_id(&self) -> &str {
        self.0.split_once('@').map_or("", |(account, _)| account)
    }

    /// Finds the project that the account was made in; none for the accounts that Google makes.
    pub fn project(&self) -> Option<ProjectId> {
        let (_, host) = self.0.split_once('@')?;
        let holder = host.strip_suffix(ENDING)?;
        let id = match holder.split_once('.') {
            Some((name, scope)) => format!("{scope}:{name}"),
            None => holder.to_owned(),
        };
        ProjectId::parse(&id)
            .ok()
            .filter(|_| !self.is_service_agent())
    }

    /// Finds the Project that acts as this account, going by its name.
    pub fn kargo_project(&self) -> Option<&str> {
        self.account_id().strip_prefix(ACCOUNT_PREFIX)
    }

    /// Says whether Google made the account for one of its own services.
    ///
    /// Source: <https://cloud.google.com/iam/docs/service-account-types#service-agents>
    pub fn is_service_agent(&self) -> bool {
        // Before the `@` anybody may write `service-4711` in a project of their own.
        let Some((_, host)) = self.0.split_once('@') else {
            return false;
        };
        let holder = host.strip_suffix(ENDING).unwrap_or(host);
        holder.starts_with("gcp-sa-") || AGENT_PROJECTS.contains(&holder)
    }

    /// Says whether this is what nodes and functions run as when nobody chose an account.
    pub fn is_default_compute(&self) -> bool {
        self.0.ends_with(DEFAULT_COMPUTE)
    }

    /// Spells the account as the member of a policy.
    pub fn member(&self) -> String {
        format!("serviceAccount:{}", self.0)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceAccountEmail {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

fn is_account_id(text: &str) -> bool {
    (6..=30).contains(&text.len())
        && text.starts_with(|it: char| it.is_ascii_lowercase())
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-')
}

/// Keeps everything out that a shell or a policy could read as something else.
fn is_email_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._@:".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(id: &str) -> ProjectId {
        ProjectId::parse(id).expect("a project id")
    }

    #[test]
    fn the_email_follows_the_scope_of_the_project() {
        for (id, email) in [
            (
                "acme-gke",
                "kargo-project-web@acme-gke.iam.gserviceaccount.com",
            ),
            (
                "example.com:acme",
                "kargo-project-web@acme.example.com.iam.gserviceaccount.com",
            ),
            (
                "eu0:acme",
                "kargo-project-web@acme.eu0.iam.gserviceaccount.com",
            ),
        ] {
            let account = ServiceAccountEmail::of_kargo_project("web", &project(id));
            let account = account.expect("an account");
            assert_eq!(account.as_str(), email);
            assert_eq!(account.project(), Some(project(id)));
            assert_eq!(account.kargo_project(), Some("web"));
        }
    }

    #[test]
    fn a_name_of_seventeen_characters_can_have_no_account() {
        let home = project("acme-gke");
        let longest = "a".repeat(MAX_PROJECT_NAME);
        assert!(ServiceAccountEmail::of_kargo_project(&longest, &home).is_ok());
        let refused = ServiceAccountEmail::of_kargo_project(&format!("{longest}a"), &home);
        assert!(matches!(refused, Err(NameError::AccountId { .. })));
        assert!(ServiceAccountEmail::of_kargo_project("web-", &home).is_err());
        let nodes = ServiceAccountEmail::in_project("gke-nodes", &home).expect("an account");
        assert_eq!(nodes.as_str(), "gke-nodes@acme-gke.iam.gserviceaccount.com");
        assert!(ServiceAccountEmail::in_project("short", &home).is_err());
    }

    #[test]
    fn accounts_that_google_makes_are_told_apart() {
        for made_by_google in [
            "service-4711@container-engine-robot.iam.gserviceaccount.com",
            "service-org-7@security-center-api.iam.gserviceaccount.com",
            "p4711-42@gcp-sa-logging.iam.gserviceaccount.com",
            "4711@cloudservices.gserviceaccount.com",
            "project-4711@storage-transfer-service.iam.gserviceaccount.com",
            "firebase-service-account@firebase-sa-management.iam.gserviceaccount.com",
        ] {
            let email = ServiceAccountEmail::parse(made_by_google).expect("an email");
            assert!(email.is_service_agent(), "{made_by_google}");
            assert_eq!(email.project(), None, "{made_by_google}");
        }
        for made_by_people in [
            "project-4711@acme-gke.iam.gserviceaccount.com",
            "service-4711@acme-gke.iam.gserviceaccount.com",
        ] {
            let email = ServiceAccountEmail::parse(made_by_people).expect("an email");
            assert!(!email.is_service_agent(), "{made_by_people}");
        }
        let compute = ServiceAccountEmail::parse("4711-compute@developer.gserviceaccount.com");
        let compute = compute.expect("an email");
        assert!(compute.is_default_compute() && !compute.is_service_agent());
    }

    #[test]
    fn what_is_no_email_is_refused() {
        for text in [
            "",
            "acme",
            "a@b.com",
            "@x.gserviceaccount.com",
            "a$(x)@b.iam.gserviceaccount.com",
        ] {
            assert!(ServiceAccountEmail::parse(text).is_err(), "{text}");
        }
    }
}
