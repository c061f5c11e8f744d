//! How an exchange is refused: 400, or what OAuth says, in OAuth's own shape rather than Google's.
//!
//! Source: <https://www.rfc-editor.org/rfc/rfc6749#section-5.2>; words as seen by people who probe the service, see the
//! list of assumptions.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::json;

use crate::apis;

/// Why a token was not exchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExchangeRefusal {
    status: StatusCode,
    error: &'static str,
    description: String,
}

impl ExchangeRefusal {
    pub(crate) fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self {
            status: StatusCode::BAD_REQUEST,
            error,
            description: description.into(),
        }
    }

    /// The pool or the provider is missing, disabled or deleted.
    pub(super) fn target_invalid() -> Self {
        Self::new(
            "invalid_target",
            "The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool \
             or provider is disabled or deleted or because it doesn't exist.",
        )
    }

    pub(super) fn audience_malformed() -> Self {
        Self::new("invalid_request", "Invalid value for \"audience\".")
    }

    pub(super) fn requested_type() -> Self {
        Self::new(
            "invalid_request",
            "Invalid value of requested_token_type in request.",
        )
    }

    pub(super) fn grant_type() -> Self {
        Self::new("unsupported_grant_type", "Invalid grant type.")
    }

    pub(super) fn subject_type() -> Self {
        Self::new(
            "invalid_request",
            "Invalid value for \"subject_token_type\".",
        )
    }

    pub(super) fn not_a_jwt() -> Self {
        Self::new("invalid_grant", "Unable to parse the ID Token.")
    }

    pub(super) fn wrong_audience(found: &str) -> Self {
        Self::new(
            "invalid_grant",
            format!("The audience in ID Token [{found}] does not match the expected audience."),
        )
    }

    pub(super) fn wrong_issuer(found: &str, expected: &str) -> Self {
        Self::new(
            "invalid_grant",
            format!("The issuer in ID Token {found} does not match the expected one: {expected}."),
        )
    }

    pub(super) fn stale(issued_at: &str) -> Self {
        Self::new(
            "invalid_grant",
            format!("ID Token issued at {issued_at} is stale to sign-in."),
        )
    }

    pub(super) fn bad_signature() -> Self {
        Self::new("invalid_grant", "Unable to verify the ID Token signature.")
    }

    /// The provider's attribute condition does not hold of the token.
    pub(super) fn condition_failed() -> Self {
        Self::new(
            "unauthorized_client",
            "The given credential is rejected by the attribute condition.",
        )
    }

    /// Too many exchanges.
    ///
    /// Source: <https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation>
    pub(crate) fn throttled() -> Self {
        Self {
            status: StatusCode::TOO_MANY_REQUESTS,
            error: "quota_exceeded",
            description: "The request was throttled due to rate limit: sts.googleapis.com/requests. Please retry after a \
                few seconds."
                .to_owned(),
        }
    }

    /// The key is not among the issuer's, or they could not be fetched.
    pub(super) fn issuer_unreachable() -> Self {
        Self::new(
            "invalid_grant",
            "Error connecting to the given credential's issuer.",
        )
    }

    /// Source: <https://cloud.google.com/iam/docs/troubleshooting-workload-identity-federation>
    pub(super) fn subject_too_long() -> Self {
        Self::new(
            "invalid_request",
            "The size of mapped attribute google.subject exceeds the 127 bytes limit. Either modify your attribute mapping \
             or the incoming assertion to produce a mapped attribute that is less than 127 bytes.",
        )
    }

    pub(super) fn subject_missing() -> Self {
        Self::new(
            "invalid_request",
            "The mapped attribute google.subject is empty.",
        )
    }

    /// A token with a second left makes the service stumble.
    pub(super) fn stumbled() -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: "internal_failure",
            description: "Internal error.".to_owned(),
        }
    }
}

impl IntoResponse for ExchangeRefusal {
    fn into_response(self) -> Response {
        let body = json!({ "error": self.error, "error_description": self.description });
        (self.status, apis::json(&body)).into_response()
    }
}

#[cfg(test)]
mod tests;
