//! How Google's REST APIs refuse: the status, the JSON envelope with its details, and pages where the front end answers.
//!
//! Source: <https://cloud.google.com/apis/design/errors>

mod page;
mod services;
mod states;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// An answer that is not what was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    status: StatusCode,
    /// `PERMISSION_DENIED`, as gRPC spells the code.
    canonical: &'static str,
    message: String,
    details: Vec<Value>,
    retry_after: Option<u32>,
    body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Envelope,
    Page,
}

/// Why the project that pays is refused as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ConsumerReason {
    BillingDisabled,
    ConsumerSuspended,
    ConsumerInvalid,
    OrgRestrictionViolation,
}

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

impl Refusal {
    pub fn status(&self) -> StatusCode {
        self.status
    }

    pub fn canonical(&self) -> &'static str {
        self.canonical
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// The JSON that the answer carries.
    pub fn envelope(&self) -> Value {
        let mut error = Map::new();
        error.insert("code".to_owned(), json!(self.status.as_u16()));
        error.insert("message".to_owned(), json!(self.message));
        error.insert("status".to_owned(), json!(self.canonical));
        if !self.details.is_empty() {
            error.insert("details".to_owned(), json!(self.details));
        }
        json!({ "error": error })
    }

    pub(crate) fn new(
        status: StatusCode,
        canonical: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            status,
            canonical,
            message: message.into(),
            details: Vec::new(),
            retry_after: None,
            body: Body::Envelope,
        }
    }

    fn with_reason(mut self, reason: &str, domain: &str, metadata: &Value) -> Self {
        self.details.push(json!({
            "@type": ERROR_INFO, "reason": reason, "domain": domain, "metadata": metadata,
        }));
        self
    }

    /// Names the method that was refused, which only refusals of credentials and scopes tell.
    #[must_use]
    pub(crate) fn in_method(mut self, service: &str, method: &str) -> Self {
        for detail in &mut self.details {
            if detail["@type"] == ERROR_INFO && detail["metadata"].get("service").is_some() {
                detail["metadata"]["service"] = json!(service);
                detail["metadata"]["method"] = json!(method);
            }
        }
        self
    }

    pub(crate) fn retry_after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after = seconds;
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (content_type, body) = match self.body {
            Body::Envelope => {
                let text = serde_json::to_string_pretty(&self.envelope())
                    .expect("an envelope has only string keys");
                ("application/json; charset=UTF-8", text)
            }
            Body::Page => (
                "text/html; charset=UTF-8",
                page::of(self.status, &self.message),
            ),
        };
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.status == StatusCode::UNAUTHORIZED {
            let challenge =
                HeaderValue::from_static("Bearer realm=\"https://accounts.google.com/\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests;
