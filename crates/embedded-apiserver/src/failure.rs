//! Why a request was refused, in the shape Kubernetes clients know: a `Status` with code, reason and field causes.

use axum::body::Body;
use http::{Response, StatusCode, header};
use serde_json::{Map, Value, json};

/// A refusal, answered as a `meta/v1` `Status`.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Map<String, Value>,
}

/// One thing wrong with one field of the object that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldCause {
    /// The path of the field, such as `spec.subscriptions[0].image`.
    pub field: String,
    /// Kubernetes' word for the kind of fault, such as `FieldValueInvalid`.
    pub reason: String,
    pub message: String,
}

impl FieldCause {
    pub(crate) fn new(reason: &str, field: &str, message: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            reason: reason.to_owned(),
            message: message.into(),
        }
    }

    pub(crate) fn invalid(field: &str, value: &str, why: &str) -> Self {
        Self::new(
            "FieldValueInvalid",
            field,
            format!("Invalid value: {value:?}: {why}"),
        )
    }

    pub(crate) fn required(field: &str, why: &str) -> Self {
        let message = if why.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {why}")
        };
        Self::new("FieldValueRequired", field, message)
    }

    pub(crate) fn forbidden(field: &str, why: &str) -> Self {
        Self::new("FieldValueForbidden", field, format!("Forbidden: {why}"))
    }
}

/// Names the resource a refusal is about: `stages.kargo.akuity.io "test"`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) group: &'a str,
    /// The plural for most refusals; `Invalid` names the kind instead, as upstream does.
    pub(crate) resource: &'a str,
    pub(crate) name: &'a str,
}

impl Subject<'_> {
    fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}.{}", self.resource, self.group)
        }
    }

    fn details(&self) -> Map<String, Value> {
        let mut details = Map::new();
        for (member, text) in [
            ("name", self.name),
            ("group", self.group),
            ("kind", self.resource),
        ] {
            if !text.is_empty() {
                details.insert(member.to_owned(), text.into());
            }
        }
        details
    }
}

impl Failure {
    pub(crate) fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Map::new(),
        }
    }

    fn about(
        code: StatusCode,
        reason: &'static str,
        message: String,
        subject: &Subject<'_>,
    ) -> Self {
        Self {
            code,
            reason,
            message,
            details: subject.details(),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn forbidden(subject: &Subject<'_>, why: &str) -> Self {
        let message = format!(
            "{} {:?} is forbidden: {why}",
            subject.qualified(),
            subject.name
        );
        Self::about(StatusCode::FORBIDDEN, "Forbidden", message, subject)
    }

    /// No such path, or no such kind.
    pub(crate) fn no_such_resource() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    pub(crate) fn not_found(subject: &Subject<'_>) -> Self {
        let message = format!("{} {:?} not found", subject.qualified(), subject.name);
        Self::about(StatusCode::NOT_FOUND, "NotFound", message, subject)
    }

    pub(crate) fn already_exists(subject: &Subject<'_>) -> Self {
        let message = format!("{} {:?} already exists", subject.qualified(), subject.name);
        Self::about(StatusCode::CONFLICT, "AlreadyExists", message, subject)
    }

    pub(crate) fn conflict(subject: &Subject<'_>, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {:?}: {why}",
            subject.qualified(),
            subject.name
        );
        Self::about(StatusCode::CONFLICT, "Conflict", message, subject)
    }

    /// The object changed since the caller read it.
    pub(crate) fn modified(subject: &Subject<'_>) -> Self {
        Self::conflict(
            subject,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// The object breaks its schema or its kind's rules; `subject.resource` is the kind here.
    pub(crate) fn invalid(subject: &Subject<'_>, causes: &[FieldCause]) -> Self {
        let mut texts: Vec<String> = causes
            .iter()
            .map(|it| {
                if it.field.is_empty() {
                    it.message.clone()
                } else {
                    format!("{}: {}", it.field, it.message)
                }
            })
            .collect();
        texts.dedup();
        let text = if let [one] = texts.as_slice() {
            one.clone()
        } else {
            format!("[{}]", texts.join(", "))
        };
        let message = format!(
            "{} {:?} is invalid: {text}",
            subject.qualified(),
            subject.name
        );
        Self::about(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Invalid",
            message,
            subject,
        )
        .with_causes(causes)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    pub(crate) fn not_acceptable(offered: &str) -> Self {
        let message = format!("only the following media types are accepted: {offered}");
        Self::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
    }

    pub(crate) fn unsupported_media_type(accepted: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let message = format!("Request entity too large: limit is {limit}");
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            message,
        )
    }

    /// The revision asked for has been compacted away.
    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    /// A revision from the future.
    pub(crate) fn too_new(asked: u64, current: u64) -> Self {
        let message = format!("Too large resource version: {asked}, current: {current}");
        let cause = FieldCause::new("ResourceVersionTooLarge", "", "Too large resource version");
        let mut failure =
            Self::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message).with_causes(&[cause]);
        failure
            .details
            .insert("retryAfterSeconds".to_owned(), 1.into());
        failure
    }

    pub(crate) fn timed_out(message: &str) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "Timeout", message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "ServiceUnavailable",
            message,
        )
    }

    /// Something that is no fault of the caller; the cause goes to the log, not to the caller.
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
    }

    /// Names what the refusal is about.
    pub(crate) fn with_subject(mut self, subject: &Subject<'_>) -> Self {
        self.details.extend(subject.details());
        self
    }

    pub(crate) fn with_causes(mut self, causes: &[FieldCause]) -> Self {
        let causes: Vec<Value> = causes
            .iter()
            .map(|it| {
                let mut cause = json!({"reason": it.reason, "message": it.message});
                if !it.field.is_empty() {
                    cause["field"] = it.field.as_str().into();
                }
                cause
            })
            .collect();
        self.details.insert("causes".to_owned(), causes.into());
        self
    }

    pub(crate) fn code(&self) -> StatusCode {
        self.code
    }

    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code.as_u16(),
        });
        if !self.details.is_empty() {
            status["details"] = Value::Object(self.details.clone());
        }
        status
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::from(self.to_value().to_string()));
        *response.status_mut() = self.code;
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        if let Some(seconds) = self
            .details
            .get("retryAfterSeconds")
            .and_then(Value::as_u64)
        {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
