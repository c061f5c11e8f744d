//! Why Google or a registry refused: the reason by structure first, by wording last.

use serde_json::Value;

use crate::redact::redact;

/// A refusal, as far as it could be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    pub reason: Reason,
    pub permission: Option<String>,
    /// What was said, for the person who reads the report.
    pub message: String,
}

/// What a refusal is about.
///
/// Source: <https://cloud.google.com/apis/design/errors#error_info>
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A permission is missing, or the resource is, which Google does not tell apart.
    MissingPermission,
    /// The service is off in the project that pays for the call.
    ServiceDisabled {
        service: Option<String>,
    },
    /// A service perimeter is in between.
    Perimeter {
        id: Option<String>,
    },
    NarrowScope,
    /// The credential is not valid any more, or never was.
    BadCredential,
    /// No credential was sent at all.
    Anonymous,
    /// An organisation policy forbids it.
    OrganisationPolicy,
    Other,
}

impl Denial {
    /// Reads an error in the form of Google's APIs or of registries; `None` for anything else.
    pub fn parse(body: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(body).ok()?;
        if let Some(error) = value.get("error").filter(|it| it.is_object()) {
            return Some(of_google(error));
        }
        let first = value.get("errors")?.as_array()?.first()?;
        let message = first.get("message")?.as_str()?;
        let mut denial = Self::of_text(message);
        if denial.reason == Reason::Other && first["code"] == "DENIED" {
            denial.reason = Reason::MissingPermission;
        }
        if first["code"] == "UNAUTHORIZED" && denial.reason == Reason::Other {
            denial.reason = Reason::BadCredential;
        }
        Some(denial)
    }

    /// Reads what a person would read, as the metadata server sends it.
    pub fn of_text(text: &str) -> Self {
        Self {
            reason: reason_in(text),
            permission: permission_in(text),
            message: redact(text),
        }
    }

    /// Says why, in one sentence.
    pub fn says(&self) -> String {
        match (&self.reason, &self.permission) {
            (Reason::MissingPermission, Some(permission)) => {
                format!("{permission} is missing here, or the resource is")
            }
            (Reason::ServiceDisabled { service }, _) => {
                format!("{} is off", service.as_deref().unwrap_or("the service"))
            }
            (Reason::Perimeter { id }, _) => format!(
                "a service perimeter refuses it ({})",
                id.as_deref().unwrap_or("without an id")
            ),
            (Reason::NarrowScope, _) => "the token's OAuth scope is too narrow".to_owned(),
            (Reason::BadCredential, _) => "the credential is not valid".to_owned(),
            (Reason::Anonymous, _) => "no credential was sent".to_owned(),
            (Reason::OrganisationPolicy, _) => {
                format!("an organisation policy refuses it: {}", self.message)
            }
            (Reason::MissingPermission, None) | (Reason::Other, _) => self.message.clone(),
        }
    }
}

fn of_google(error: &Value) -> Denial {
    let message = error["message"].as_str().unwrap_or_default();
    let mut denial = Denial::of_text(message);
    let details = error["details"].as_array();
    let info = details
        .into_iter()
        .flatten()
        .find(|it| it["reason"].is_string());
    let Some(info) = info else {
        if error["status"] == "UNAUTHENTICATED" {
            denial.reason = Reason::BadCredential;
        }
        return denial;
    };
    let text = |key: &str| info["metadata"][key].as_str().map(str::to_owned);
    denial.permission = text("permission").or(denial.permission);
    denial.reason = match info["reason"].as_str().unwrap_or_default() {
        "IAM_PERMISSION_DENIED" => Reason::MissingPermission,
        "SERVICE_DISABLED" => Reason::ServiceDisabled {
            service: text("service"),
        },
        "SECURITY_POLICY_VIOLATED" => Reason::Perimeter { id: text("uid") },
        "ACCESS_TOKEN_SCOPE_INSUFFICIENT" => Reason::NarrowScope,
        "ACCESS_TOKEN_EXPIRED" | "ACCESS_TOKEN_TYPE_UNSUPPORTED" | "ACCOUNT_STATE_INVALID" => {
            Reason::BadCredential
        }
        "CREDENTIALS_MISSING" => Reason::Anonymous,
        _ => denial.reason,
    };
    denial
}

fn reason_in(text: &str) -> Reason {
    const WORDS: &[(&str, Reason)] = &[
        (
            "has not been used in project",
            Reason::ServiceDisabled { service: None },
        ),
        ("insufficient authentication scopes", Reason::NarrowScope),
        ("Unauthenticated request", Reason::Anonymous),
        ("No credential was supplied", Reason::Anonymous),
        ("No valid credential was supplied", Reason::BadCredential),
        ("invalid authentication credentials", Reason::BadCredential),
        ("permitted customer", Reason::OrganisationPolicy),
        ("Org Policy violated", Reason::OrganisationPolicy),
        ("denied on resource", Reason::MissingPermission),
        ("does not have permission", Reason::MissingPermission),
    ];
    if let Some((_, rest)) = text.split_once("vpcServiceControlsUniqueIdentifier") {
        let id = rest
            .trim_start_matches([':', ' '])
            .split_whitespace()
            .next();
        return Reason::Perimeter {
            id: id.map(|it| it.trim_end_matches('.').to_owned()),
        };
    }
    let known = WORDS.iter().find(|(words, _)| text.contains(words));
    known.map_or(Reason::Other, |(_, reason)| reason.clone())
}

/// Finds the permission that a text quotes, in either kind of quotes.
fn permission_in(text: &str) -> Option<String> {
    let quoted = text.split(['\'', '"']).skip(1).step_by(2);
    let looks_like_one = |it: &&str| {
        it.split('.').count() >= 3
            && !it.contains('/')
            && it
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    };
    quoted.into_iter().find(looks_like_one).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_google_error_is_in_its_details() {
        let body = r#"{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).",
            "status":"PERMISSION_DENIED","details":[{"@type":"x","reason":"IAM_PERMISSION_DENIED",
            "metadata":{"permission":"iam.serviceAccounts.getAccessToken"}}]}}"#;
        let denial = Denial::parse(body).expect("an error");
        assert_eq!(denial.reason, Reason::MissingPermission);
        assert_eq!(
            denial.permission.as_deref(),
            Some("iam.serviceAccounts.getAccessToken")
        );
    }

    #[test]
    fn a_service_that_is_off_is_named() {
        let body = r#"{"error":{"code":403,"message":"off","status":"PERMISSION_DENIED","details":[
            {"reason":"SERVICE_DISABLED","metadata":{"service":"iamcredentials.googleapis.com"}}]}}"#;
        let denial = Denial::parse(body).expect("an error");
        assert_eq!(denial.says(), "iamcredentials.googleapis.com is off");
    }

    #[test]
    fn older_answers_are_understood_by_their_words() {
        for (text, reason) in [
            (
                "Foo API has not been used in project 1 before",
                Reason::ServiceDisabled { service: None },
            ),
            (
                "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: abc123.",
                Reason::Perimeter {
                    id: Some("abc123".to_owned()),
                },
            ),
            (
                "Unauthenticated request. Unauthenticated requests do not have permission \"a.b.c\"",
                Reason::Anonymous,
            ),
            (
                "The caller does not have permission",
                Reason::MissingPermission,
            ),
            (
                "One or more users named in the policy do not belong to a permitted customer.",
                Reason::OrganisationPolicy,
            ),
            ("something else", Reason::Other),
        ] {
            assert_eq!(Denial::of_text(text).reason, reason, "{text}");
        }
    }

    #[test]
    fn the_permission_is_taken_from_the_text_of_a_registry() {
        let body = r#"{"errors":[{"code":"DENIED","message":"Permission \"artifactregistry.repositories.downloadArtifacts\" denied on resource \"projects/p/locations/l/repositories/r\" (or it may not exist)"}]}"#;
        let denial = Denial::parse(body).expect("an error");
        assert_eq!(denial.permission.as_deref(), Some(crate::policy::DOWNLOAD));
    }

    #[test]
    fn tokens_are_not_repeated() {
        let denial = Denial::of_text("bad token ya29.secret\nand eyJhbGciOi.x.y");
        assert_eq!(denial.message, "bad token **** and ****");
    }

    #[test]
    fn a_page_is_no_error_of_google() {
        assert_eq!(Denial::parse("<html>403</html>"), None);
        assert_eq!(Denial::parse("null"), None);
        assert_eq!(Denial::parse(r#"{"error":"invalid_grant"}"#), None);
    }
}
