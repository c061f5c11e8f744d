//! What a refusal of a Google API means: by its reason and its words, never by the status alone.
//!
//! Source: <https://cloud.google.com/apis/design/errors>,
//! <https://github.com/googleapis/googleapis/blob/master/google/api/error_reason.proto>

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::error::Absence;
use crate::http::{Answer, believed};
use crate::{TokenError, redact::redact};

/// What one must be permitted to get a token of a service account.
pub(crate) const GET_ACCESS_TOKEN: &str = "iam.serviceAccounts.getAccessToken";

const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";
const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";
const PRECONDITION_FAILURE: &str = "type.googleapis.com/google.rpc.PreconditionFailure";

/// What older servers say without details where the permission is missing.
const DENIED: [&str; 2] = [
    "Permission 'iam.serviceAccounts.getAccessToken' denied on resource",
    "The caller does not have permission",
];

/// What was asked for, as far as an error tells of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// The account whose token was asked for, if it was one's.
    pub(crate) account: Option<&'a str>,
    /// Who asked, as the member of a policy.
    pub(crate) caller: &'a str,
}

/// The error that all REST APIs of Google's answer with.
#[derive(Debug, Deserialize)]
struct Envelope {
    error: Status,
}

#[derive(Debug, Deserialize)]
struct Status {
    code: u16,
    #[serde(default)]
    message: String,
    #[serde(rename = "status", default)]
    canonical: String,
    #[serde(default)]
    details: Vec<Map<String, Value>>,
}

/// Says what an answer other than 200 means.
pub(crate) fn classify(answer: &Answer, asked: Asked<'_>) -> TokenError {
    let host = answer.host.clone();
    let status = answer.status.as_u16();
    let envelope = answer.json::<Envelope>().ok();
    let refusal = envelope
        .map(|envelope| envelope.error)
        .filter(|error| error.code == status);
    match (status, refusal) {
        (429, refusal) => TokenError::RateLimited {
            host,
            retry_after: answer
                .retry_after()
                .or_else(|| refusal.as_ref().and_then(Status::retry_delay)),
        },
        (499..=599, _) => TokenError::Unavailable { host, status },
        (401, refusal) => TokenError::Unauthenticated {
            host,
            reason: refusal.map_or_else(|| "HTTP 401".to_owned(), |error| error.why()),
        },
        (404, Some(error)) if error.says_not_found() => match asked.account {
            Some(account) => TokenError::Absent {
                account: account.to_owned(),
                why: Absence::NotFound,
            },
            None => error.refused(host),
        },
        (403, Some(error)) => forbidden(host, &error, asked),
        (400, Some(error)) => invalid(host, &error),
        (_, Some(error)) if status != 405 && status != 404 => error.refused(host),
        _ => TokenError::Unexpected { host, status },
    }
}

fn forbidden(host: String, error: &Status, asked: Asked<'_>) -> TokenError {
    let reason = error.reason().unwrap_or_default();
    match reason {
        _ if error.violates_perimeter() => TokenError::PolicyViolated {
            host,
            uid: error.perimeter_uid(),
            reason: "VPC Service Controls".to_owned(),
        },
        "ORG_RESTRICTION_VIOLATION" | "LOCATION_ORG_POLICY_VIOLATED" => {
            TokenError::PolicyViolated {
                host,
                uid: None,
                reason: reason.to_owned(),
            }
        }
        "SERVICE_DISABLED" => TokenError::ApiDisabled {
            service: error.named("service").unwrap_or(host),
            project: error.project(),
        },
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => TokenError::ScopeInsufficient { host },
        "BILLING_DISABLED" | "CONSUMER_SUSPENDED" | "CONSUMER_INVALID" | "USER_PROJECT_DENIED" => {
            TokenError::ConsumerRefused {
                host,
                consumer: error.project(),
                reason: reason.to_owned(),
            }
        }
        _ => match asked.account {
            Some(account) if error.denies_token() => TokenError::Forbidden {
                account: account.to_owned(),
                permission: GET_ACCESS_TOKEN.to_owned(),
                caller: asked.caller.to_owned(),
            },
            _ => error.refused(host),
        },
    }
}

fn invalid(host: String, error: &Status) -> TokenError {
    let words = error.message.to_lowercase();
    if words.contains("lifetime") && words.contains("1 hour")
        || words.contains("allowserviceaccountcredentiallifetimeextension")
    {
        return TokenError::Lifetime {
            message: redact(&error.message),
        };
    }
    error.refused(host)
}

impl Status {
    fn info(&self) -> Option<&Map<String, Value>> {
        let mut infos = self.details.iter().filter(|it| is_a(it, ERROR_INFO));
        let info = infos.next();
        // Two reasons at once are none that is known.
        info.filter(|_| infos.next().is_none())
    }

    fn reason(&self) -> Option<&str> {
        self.info()?.get("reason")?.as_str()
    }

    fn named(&self, key: &str) -> Option<String> {
        let value = self.info()?.get("metadata")?.get(key)?.as_str()?;
        Some(redact(value))
    }

    /// Finds the project that is charged, by number mostly.
    fn project(&self) -> String {
        let consumer = self.named("consumer").unwrap_or_default();
        let project = consumer.strip_prefix("projects/").unwrap_or(&consumer);
        if project.is_empty() {
            return "PROJECT".to_owned();
        }
        project.to_owned()
    }

    fn says_not_found(&self) -> bool {
        // An unknown route may be answered in JSON too.
        self.canonical == "NOT_FOUND" && !self.message.starts_with("Method not found")
    }

    /// Says whether exactly the permission to get the account's token is missing.
    fn denies_token(&self) -> bool {
        if self.canonical != "PERMISSION_DENIED" {
            return false;
        }
        if self.details.is_empty() {
            return DENIED.iter().any(|words| self.message.starts_with(words));
        }
        self.reason() == Some("IAM_PERMISSION_DENIED")
            && self.named("permission").as_deref() == Some(GET_ACCESS_TOKEN)
    }

    fn violates_perimeter(&self) -> bool {
        self.reason() == Some("SECURITY_POLICY_VIOLATED")
            || self.message.contains("vpcServiceControlsUniqueIdentifier")
            || self.details.iter().any(|detail| {
                is_a(detail, PRECONDITION_FAILURE)
                    && violations(detail).any(|kind| kind == "VPC_SERVICE_CONTROLS")
            })
    }

    fn perimeter_uid(&self) -> Option<String> {
        self.named("uid").or_else(|| {
            let (_, rest) = self
                .message
                .split_once("vpcServiceControlsUniqueIdentifier:")?;
            rest.split_whitespace().next().map(redact)
        })
    }

    fn retry_delay(&self) -> Option<Duration> {
        let info = self.details.iter().find(|it| is_a(it, RETRY_INFO))?;
        let seconds = info.get("retryDelay")?.as_str()?.strip_suffix('s')?;
        let seconds: f64 = seconds.parse().ok()?;
        if seconds.is_nan() || seconds < 0.0 {
            return None;
        }
        // What is longer than a duration can be is very long too.
        let delay = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        Some(believed(delay))
    }

    /// Says why in a word, or else as the server does.
    fn why(&self) -> String {
        self.reason().map_or_else(|| redact(&self.message), redact)
    }

    fn refused(&self, host: String) -> TokenError {
        TokenError::Refused {
            host,
            status: self.code,
            reason: self.reason().map(redact).unwrap_or_default(),
            message: redact(&self.message),
        }
    }
}

fn is_a(detail: &Map<String, Value>, kind: &str) -> bool {
    detail.get("@type").and_then(Value::as_str) == Some(kind)
}

fn violations(detail: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let violations = detail.get("violations").and_then(Value::as_array);
    let violations = violations.into_iter().flatten();
    violations.filter_map(|violation| violation.get("type")?.as_str())
}

#[cfg(test)]
mod tests;
