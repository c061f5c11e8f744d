//! How the Docker API refuses, in Artifact Registry's words.
//!
//! Sources: recorded answers of `*-docker.pkg.dev` in <https://github.com/e6qu/sockerless-cloud>,
//! <https://github.com/google/go-containerregistry>, <https://cloud.google.com/artifact-registry/docs/docker/troubleshoot>

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;

use crate::refusal::Refusal;
use crate::registry::address::{Host, ImageName, RepositoryName};
use crate::registry::backend::BackendError;

/// An answer that is not what was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub status: StatusCode,
    /// A code of the OCI distribution specification, or one that Google added.
    pub code: &'static str,
    pub message: String,
    pub challenge: Option<String>,
    pub retry_after: Option<u32>,
}

/// What a request to the Docker API does with a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Pull,
    Push,
    Delete,
}

impl Action {
    /// Source: <https://cloud.google.com/artifact-registry/docs/audit-logging>
    pub(super) fn permission(self) -> &'static str {
        match self {
            Self::Pull => "artifactregistry.repositories.downloadArtifacts",
            Self::Push => "artifactregistry.repositories.uploadArtifacts",
            Self::Delete => "artifactregistry.repositories.deleteArtifacts",
        }
    }

    fn scope(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push | Self::Delete => "pull,push",
        }
    }
}

impl Refused {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            challenge: None,
            retry_after: None,
        }
    }

    /// Nobody said who asks, on the way to no repository: where tokens are, and nothing about scopes.
    pub(super) fn challenge(host: &Host) -> Self {
        let mut refused = Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "not authenticated: No credential was supplied.",
        );
        refused.challenge = Some(format!("Bearer realm=\"{}/v2/token\"", host.origin()));
        refused
    }

    /// Nobody said who asks for a repository.
    pub(super) fn challenge_for(host: &Host, image: &ImageName, action: Action) -> Self {
        let mut refused = Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "not authenticated: No valid credential was supplied.",
        );
        refused.challenge = Some(format!(
            "Bearer realm=\"{}/v2/token\",service=\"{}\",scope=\"repository:{}:{}\"",
            host.origin(),
            host.name,
            image.path_in_challenge(),
            action.scope()
        ));
        refused
    }

    /// A credential that cannot be used, perhaps no longer: no challenge, so clients do not know where to go.
    pub(super) fn bad_credential() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "No valid credential was supplied.",
        )
    }

    /// The same, from the token service.
    pub(super) fn authentication_failed() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "authentication failed",
        )
    }

    /// A caller who may not, and so is not told whether the repository exists.
    pub(super) fn denied(permission: &str, repository: &RepositoryName) -> Self {
        let message = format!(
            "Permission \"{permission}\" denied on resource \"{repository}\" (or it may not exist)"
        );
        Self::new(StatusCode::FORBIDDEN, "DENIED", message)
    }

    /// Nobody, with a token of nobody, on a repository that is not public.
    pub(super) fn denied_to_nobody(permission: &str, repository: &RepositoryName) -> Self {
        let message = format!(
            "Unauthenticated request. Unauthenticated requests do not have permission \"{permission}\" on resource \
             \"{repository}\" (or it may not exist)"
        );
        Self::new(StatusCode::FORBIDDEN, "DENIED", message)
    }

    /// Something of Google's refuses before the registry looks: the API is off in the project, the scope is too narrow.
    pub(super) fn denied_because(message: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "DENIED", message)
    }

    /// What Google says to everybody, in the registry's envelope. The codes are assumed: no recorded answer shows them.
    pub(super) fn reworded(refusal: &Refusal) -> Self {
        let code = match refusal.status() {
            StatusCode::FORBIDDEN => "DENIED",
            _ => "UNKNOWN",
        };
        Self::new(refusal.status(), code, refusal.message())
    }

    pub(super) fn too_few_components(count: usize) -> Self {
        let message = format!("invalid number of path components: {count}");
        Self::new(StatusCode::BAD_REQUEST, "NAME_INVALID", message)
    }

    pub(super) fn no_repository(repository: &RepositoryName) -> Self {
        let message = format!("Repository \"{}\" not found", repository.repository);
        Self::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message)
    }

    /// An image that nothing was pushed to. No recorded answer shows it: assumed to be worded as for a repository.
    pub(super) fn no_image(image: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NAME_UNKNOWN",
            format!("Package \"{image}\" not found"),
        )
    }

    pub(super) fn no_manifest(reference: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "MANIFEST_UNKNOWN",
            format!("Failed to fetch \"{reference}\""),
        )
    }

    /// No recorded answer shows it; assumed to be worded as for a manifest.
    pub(super) fn no_blob(digest: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "BLOB_UNKNOWN",
            format!("Failed to fetch \"{digest}\""),
        )
    }

    pub(super) fn no_upload() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "BLOB_UPLOAD_UNKNOWN",
            "Upload not found",
        )
    }

    pub(super) fn bad_upload(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BLOB_UPLOAD_INVALID", message)
    }

    pub(super) fn bad_digest(text: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "DIGEST_INVALID",
            format!("invalid digest \"{text}\""),
        )
    }

    pub(super) fn bad_manifest(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
    }

    pub(super) fn missing_content(digest: &str) -> Self {
        let message = format!("manifest references unknown content \"{digest}\"");
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_BLOB_UNKNOWN", message)
    }

    /// Source: <https://cloud.google.com/artifact-registry/docs/docker/troubleshoot#push>
    pub(super) fn immutable(tag: &str) -> Self {
        let message =
            format!("cannot update tag {tag}. The repository has enabled tag immutability");
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
    }

    /// Too many requests in the project that the repository lies in.
    ///
    /// Whether Google says when to come back has not been seen: `retry_after` is what a fault asks for.
    pub(super) fn too_many(project_number: u64, retry_after: Option<u32>) -> Self {
        let message = format!(
            "Quota exceeded for quota metric 'Requests per project per region' and limit 'Requests per project per region \
             per minute per region' of service 'artifactregistry.googleapis.com' for consumer \
             'project_number:{project_number}'."
        );
        let mut refused = Self::new(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", message);
        refused.retry_after = retry_after;
        refused
    }

    /// Deleting what a repository keeps for ever. The words are assumed after those of moving a tag.
    pub(super) fn undeletable(tag: &str) -> Self {
        let message =
            format!("cannot delete tag {tag}. The repository has enabled tag immutability");
        Self::new(StatusCode::BAD_REQUEST, "MANIFEST_INVALID", message)
    }

    pub(super) fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "UNSUPPORTED",
            "The operation is unsupported.",
        )
    }

    /// No recorded answer shows it: a path that is none of the registry's.
    pub(super) fn nothing_there(path: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NAME_INVALID",
            format!("invalid path \"{path}\""),
        )
    }

    /// Something of this machine failed, not of Google's.
    pub(super) fn broken(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN", message)
    }

    pub(super) fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "UNAVAILABLE",
            "The service is currently unavailable.",
        )
    }
}

impl From<BackendError> for Refused {
    fn from(error: BackendError) -> Self {
        Self::broken(error.to_string())
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let body = json!({"errors": [{"code": self.code, "message": self.message}]});
        let mut response = (self.status, Json(body)).into_response();
        if let Some(challenge) = self
            .challenge
            .and_then(|challenge| HeaderValue::try_from(challenge).ok())
        {
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
