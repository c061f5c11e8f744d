//! How a request is allowed or refused: a `Status` with a code, a reason and every cause.

use domain::validation::Cause;
use kube::core::admission::AdmissionResponse;
use kube::core::response::{StatusCause, StatusDetails};

use super::{Request, Warnings};

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The object breaks rules.
    #[error("the object is invalid")]
    Invalid { causes: Vec<Cause> },
    /// The requester may not do this, or nobody may do it now.
    #[error("{message}")]
    Forbidden { message: String },
    /// Something the object needs is not there.
    #[error("{message}")]
    NotFound { message: String },
    /// Something else is in the way.
    #[error("{message}")]
    Conflict { message: String },
    /// The object has the wrong shape.
    #[error("the object cannot be read: {source}")]
    Malformed { source: serde_json::Error },
    /// The API could not be asked; trying again may help.
    #[error("failed to {attempt}; try again, and see the log of argosy if that fails too")]
    Api {
        attempt: String,
        source: kube::Error,
    },
    /// The API did not answer in time; trying again may help.
    #[error("failed to {attempt}: no answer in time; try again")]
    Timeout { attempt: String },
    /// What is looked up is still being read; trying again will help.
    #[error(
        "the Freight there is has not been read yet; try again once the API is ready: kubectl get --raw /readyz"
    )]
    Starting,
}

impl Refusal {
    pub(super) fn malformed(source: serde_json::Error) -> Self {
        Self::Malformed { source }
    }

    /// Refuses if there is any cause to.
    pub(super) fn unless_empty(causes: Vec<Cause>) -> Result<(), Self> {
        if causes.is_empty() {
            Ok(())
        } else {
            Err(Self::Invalid { causes })
        }
    }

    /// Code and reason, in Kubernetes' words.
    fn code(&self) -> (u16, &'static str) {
        match self {
            Self::Invalid { .. } => (422, "Invalid"),
            Self::Forbidden { .. } => (403, "Forbidden"),
            Self::NotFound { .. } => (404, "NotFound"),
            Self::Conflict { .. } => (409, "Conflict"),
            Self::Malformed { .. } => (400, "BadRequest"),
            Self::Api { .. } | Self::Timeout { .. } => (500, "InternalError"),
            Self::Starting => (503, "ServiceUnavailable"),
        }
    }

    pub(super) fn deny(self, response: AdmissionResponse, request: &Request) -> AdmissionResponse {
        let kind = &request.kind.kind;
        if let Self::Api { attempt, source } = &self {
            tracing::warn!(kind, name = request.name, attempt, error = %source, "admission could not ask the API");
        }
        let (code, reason) = self.code();
        let message = match &self {
            Self::Invalid { causes } => summary(request, causes),
            other => other.to_string(),
        };
        let mut response = response.deny(message);
        response.result.code = code;
        reason.clone_into(&mut response.result.reason);
        if let Self::Invalid { causes } = self {
            response.result.details = Some(StatusDetails {
                name: request.name.clone(),
                group: request.kind.group.clone(),
                kind: kind.clone(),
                uid: String::new(),
                causes: causes.into_iter().map(cause).collect(),
                retry_after_seconds: 0,
            });
        }
        response
    }
}

/// All causes in one line, as Kubernetes writes them.
fn summary(request: &Request, causes: &[Cause]) -> String {
    let kind = &request.kind;
    let written: Vec<String> = causes
        .iter()
        .map(|it| format!("{}: {}", it.field, it.message))
        .collect();
    let causes = match &written[..] {
        [one] => one.clone(),
        many => format!("[{}]", many.join(", ")),
    };
    format!(
        "{}.{} {:?} is invalid: {causes}",
        kind.kind, kind.group, request.name
    )
}

fn cause(cause: Cause) -> StatusCause {
    let Cause {
        field,
        kind,
        message,
    } = cause;
    StatusCause {
        reason: kind.reason().to_owned(),
        message,
        field,
    }
}

pub(super) fn allow(
    response: AdmissionResponse,
    patch: Option<json_patch::Patch>,
    warnings: Warnings,
) -> AdmissionResponse {
    let mut response = match patch {
        Some(patch) => response
            .with_patch(patch)
            .expect("a patch made of JSON values can be written"),
        None => response,
    };
    response.warnings = (!warnings.is_empty()).then_some(warnings);
    response
}
