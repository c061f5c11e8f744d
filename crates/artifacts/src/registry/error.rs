//! What can go wrong at a registry, said so that a person knows what to do.

use std::time::Duration;

use http::StatusCode;
use url::Url;

use super::asker::Asker;
use super::manifest::DigestError;
use super::reason::{self, said};
use super::{RealmError, Repository, is_refusal};
use crate::sender::{Answer, Call, Fault, host_of};
use crate::shell::{skopeo_debug_list_tags, skopeo_list_tags};

/// Says which request for which repository failed.
#[derive(Debug, thiserror::Error)]
#[error("{request} for repository {repository} failed")]
pub struct Error {
    /// `ghcr.io/acme/web`.
    pub repository: String,
    /// The method, host and path: `GET ghcr.io/v2/acme/web/tags/list`. Queries are left out, they can hold secrets.
    pub request: String,
    #[source]
    pub problem: Box<Problem>,
}

/// Says what went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    #[error(transparent)]
    Http(#[from] Fault),
    #[error("the registry answered {status}{}", said(.message))]
    Denied {
        status: StatusCode,
        message: String,
        asker: Asker,
    },
    #[error("the registry has no such repository, tag or manifest{}", said(.message))]
    NotFound { message: String },
    #[error("the registry answered {status}{}", said(.message))]
    Status { status: StatusCode, message: String },
    #[error("the registry sends for a token to {realm}")]
    Realm { realm: String, source: RealmError },
    #[error("the token service {realm} answered {status}{}", said(.message))]
    Token {
        realm: String,
        status: StatusCode,
        message: String,
        asker: Asker,
    },
    #[error("the token service {realm} did not answer")]
    TokenRequest { realm: String, source: Fault },
    #[error("a token of the simulator was to be shown to {host}, which is not on this machine")]
    Simulated { host: String },
    #[error("the token service {realm} answered without a token")]
    NoToken { realm: String },
    #[error(transparent)]
    Digest(#[from] DigestError),
    #[error("the answer is not {what}")]
    Malformed {
        what: &'static str,
        source: serde_json::Error,
    },
    #[error("media type {media_type:?} is not that of an image")]
    MediaType { media_type: String },
    #[error("the index lists {digest:?}, which is not a digest")]
    Child { digest: String },
    #[error("the index lists no image")]
    EmptyIndex,
    #[error("the index lists another index, and only images are looked for in there")]
    NestedIndex,
    #[error("the index lists more than {bound} images")]
    LargeIndex { bound: usize },
    #[error("the pages of tags {0}")]
    Pages(&'static str),
    #[error("the list of tags was not complete after {0:?}")]
    Slow(Duration),
}

impl Problem {
    /// Says who asked a token service: it is told a login, and not whose that is.
    pub(super) fn asked_by(mut self, who: Asker) -> Self {
        if let Self::Token { asker, .. } = &mut self {
            *asker = who;
        }
        self
    }
}

impl Error {
    pub(crate) fn new(repository: &Repository, call: &Call, problem: Problem) -> Self {
        let request = format!("{} {}{}", call.method, host_of(&call.url), call.url.path());
        Self {
            repository: repository.to_string(),
            request,
            problem: Box::new(problem),
        }
    }

    /// Says whether this is the fault of one image, and would be the same for whoever asks: the others can go on.
    pub fn is_about_one_image(&self) -> bool {
        match &*self.problem {
            Problem::NotFound { .. }
            | Problem::MediaType { .. }
            | Problem::Child { .. }
            | Problem::EmptyIndex
            | Problem::NestedIndex
            | Problem::LargeIndex { .. }
            | Problem::Malformed { .. }
            | Problem::Digest(DigestError::Malformed { .. })
            | Problem::Http(Fault::TooLarge { .. }) => true,
            Problem::Http(_)
            | Problem::Denied { .. }
            | Problem::Status { .. }
            | Problem::Realm { .. }
            | Problem::Token { .. }
            | Problem::TokenRequest { .. }
            | Problem::NoToken { .. }
            | Problem::Simulated { .. }
            | Problem::Digest(DigestError::Mismatch { .. })
            | Problem::Pages(_)
            | Problem::Slow(_) => false,
        }
    }

    /// Names the next thing to try.
    pub fn hint(&self) -> String {
        let repository = &self.repository;
        match &*self.problem {
            Problem::Http(fault) | Problem::TokenRequest { source: fault, .. } => fault.hint(),
            Problem::Token { status, realm, .. } if !is_refusal(*status) => format!(
                "it is asked again by itself; if it lasts, see what {realm} itself says: {}",
                skopeo_debug_list_tags(repository)
            ),
            Problem::Denied { message, asker, .. } | Problem::Token { message, asker, .. } => {
                asker.hint(message, repository)
            }
            Problem::NotFound { .. } => {
                format!(
                    "see whether the repository exists: {}",
                    skopeo_list_tags(repository)
                )
            }
            Problem::Realm {
                realm,
                source: RealmError::Foreign,
            } => format!(
                "see whether the repository's host is right: its token service is on a domain of somebody else; the \
                 operator lets logins of Secrets go there with --trusted-realm {}",
                host_named_in(realm)
            ),
            Problem::MediaType { .. }
            | Problem::Child { .. }
            | Problem::EmptyIndex
            | Problem::NestedIndex
            | Problem::LargeIndex { .. } => "leave the tag out with ignoreTagsRegexes".to_owned(),
            Problem::Simulated { host } => {
                format!(
                    "send the registry to the simulator too: --registry-endpoint {host}=http://127.0.0.1:PORT"
                )
            }
            Problem::Status { .. }
            | Problem::Realm { .. }
            | Problem::NoToken { .. }
            | Problem::Digest(_)
            | Problem::Malformed { .. }
            | Problem::Pages(_)
            | Problem::Slow(_) => format!(
                "see what the registry itself says: {}",
                skopeo_debug_list_tags(repository)
            ),
        }
    }
}

/// Gives the host of a realm as it is shown: `https://login.example.com:8443`.
fn host_named_in(realm: &str) -> String {
    let host = Url::parse(realm).ok();
    let host = host.as_ref().and_then(Url::host_str);
    host.unwrap_or("HOST").to_owned()
}

/// Turns an answer that is no success into a problem.
pub(super) fn refused(answer: &Answer, asker: Asker) -> Problem {
    let message = reason::read(&answer.body);
    match answer.status {
        status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => Problem::Denied {
            status,
            message,
            asker,
        },
        StatusCode::NOT_FOUND => Problem::NotFound { message },
        status => Problem::Status { status, message },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turned_down(status: StatusCode, asker: Asker) -> String {
        hint_of(
            Problem::Token {
                realm: "europe-docker.pkg.dev".to_owned(),
                status,
                message: String::new(),
                asker: Asker::Nobody,
            },
            asker,
        )
    }

    fn hint_of(problem: Problem, asker: Asker) -> String {
        let repository = Repository::parse("europe-docker.pkg.dev/acme/apps/web").expect("a name");
        let error = Error {
            repository: repository.to_string(),
            request: "GET europe-docker.pkg.dev/v2/acme/apps/web/tags/list".to_owned(),
            problem: Box::new(problem.asked_by(asker)),
        };
        error.hint()
    }

    #[test]
    fn whoever_a_token_service_turns_down_is_told_of_what_they_asked_with() {
        let grant = "gcloud artifacts repositories add-iam-policy-binding apps".to_owned();
        for (asker, next) in [
            (
                Asker::Identity {
                    grant: grant.clone(),
                },
                grant.as_str(),
            ),
            (
                Asker::Secret,
                "see whether the Secret for europe-docker.pkg.dev/acme/apps/web is current",
            ),
            (
                Asker::Nobody,
                "create a Secret with label kargo.akuity.io/cred-type=image",
            ),
        ] {
            for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
                let hint = turned_down(status, asker.clone());
                assert!(hint.starts_with(next), "{asker:?}: {hint}");
            }
            let hint = turned_down(StatusCode::SERVICE_UNAVAILABLE, asker.clone());
            assert!(
                hint.starts_with("it is asked again by itself"),
                "{asker:?}: {hint}"
            );
        }
    }

    #[test]
    fn a_token_of_a_narrow_scope_is_no_matter_of_grants() {
        let grant = "gcloud artifacts repositories add-iam-policy-binding apps".to_owned();
        let body = r#"{"errors":[{"code":"DENIED","message":"Request had insufficient authentication scopes."}]}"#;
        let answer = Answer {
            status: StatusCode::FORBIDDEN,
            headers: http::HeaderMap::new(),
            body: body.into(),
            url: Url::parse("https://europe-docker.pkg.dev/v2/").expect("a URL"),
        };
        for (asker, next) in [
            (
                Asker::Identity { grant },
                "start the controller with --gcp-token-scope=cloud-platform",
            ),
            (
                Asker::Secret,
                "have the token in the Secret for europe-docker.pkg.dev/acme/apps/web made",
            ),
        ] {
            let denied = refused(&answer, asker.clone());
            let told = denied.to_string();
            assert!(
                told.ends_with(": ACCESS_TOKEN_SCOPE_INSUFFICIENT"),
                "{told}"
            );
            let realm = "europe-docker.pkg.dev".to_owned();
            let by_token_service = Problem::Token {
                realm,
                status: StatusCode::FORBIDDEN,
                message: reason::read(&answer.body),
                asker: Asker::Nobody,
            };
            for problem in [denied, by_token_service] {
                let hint = hint_of(problem, asker.clone());
                assert!(hint.starts_with(next), "{asker:?}: {hint}");
            }
        }
    }

    #[test]
    fn a_foreign_realm_is_told_with_what_lets_a_login_go_there() {
        let realm = "https://login.example.com:8443".to_owned();
        let source = RealmError::Foreign;
        let hint = hint_of(Problem::Realm { realm, source }, Asker::Secret);
        assert!(
            hint.ends_with("--trusted-realm login.example.com"),
            "{hint}"
        );
    }
}
