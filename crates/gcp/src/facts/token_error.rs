//! Takes a token that could not be had for what it says about the chain.

use std::error::Error as _;

use super::{Denial, Reading, Reason, Seen, Source};
use crate::{Absence, Problem, TokenError};

impl<T> Reading<T> {
    /// Judges why there is no token.
    ///
    /// Only Google's definite words become [`Seen::Absent`] or [`Seen::Denied`]; whatever else went wrong says nothing
    /// about what is granted.
    pub fn of_token_error(request: &str, error: &TokenError) -> Self {
        let denied = |reason, permission| {
            Seen::Denied(Denial {
                reason,
                permission,
                message: error.to_string(),
            })
        };
        let seen = match error {
            TokenError::Absent { .. } => Seen::Absent,
            TokenError::Forbidden { permission, .. } => {
                denied(Reason::MissingPermission, Some(permission.clone()))
            }
            TokenError::ApiDisabled { service, .. } => denied(
                Reason::ServiceDisabled {
                    service: Some(service.clone()),
                },
                None,
            ),
            TokenError::PolicyViolated { uid: Some(id), .. } => denied(
                Reason::Perimeter {
                    id: Some(id.clone()),
                },
                None,
            ),
            TokenError::PolicyViolated { uid: None, .. } => {
                denied(Reason::OrganisationPolicy, None)
            }
            TokenError::ScopeInsufficient { .. } => denied(Reason::NarrowScope, None),
            TokenError::Unauthenticated { .. } | TokenError::Rejected { .. } => {
                denied(Reason::BadCredential, None)
            }
            TokenError::Annotated { message, .. } | TokenError::Refused { message, .. } => {
                Seen::Denied(Denial::of_text(message))
            }
            TokenError::ConsumerRefused { .. } | TokenError::Lifetime { .. } => {
                denied(Reason::Other, None)
            }
            other => Seen::Unreachable {
                why: with_causes(other),
            },
        };
        Self {
            source: Source::new(request, status(error)),
            seen,
        }
    }
}

/// Gives the HTTP status of the answer that an error is about, where it is known.
fn status(error: &TokenError) -> Option<u16> {
    match error {
        TokenError::NotReady { .. }
        | TokenError::Absent {
            why: Absence::NotFound,
            ..
        } => Some(404),
        TokenError::Forbidden { .. }
        | TokenError::ApiDisabled { .. }
        | TokenError::PolicyViolated { .. }
        | TokenError::ScopeInsufficient { .. }
        | TokenError::ConsumerRefused { .. } => Some(403),
        TokenError::Unauthenticated { .. } => Some(401),
        TokenError::RateLimited { .. } => Some(429),
        TokenError::Lifetime { .. } => Some(400),
        TokenError::Malformed {
            problem: Problem::Expired,
            ..
        } => Some(200),
        TokenError::Unavailable { status, .. }
        | TokenError::Unexpected { status, .. }
        | TokenError::Annotated { status, .. }
        | TokenError::Refused { status, .. } => Some(*status),
        _ => None,
    }
}

fn with_causes(error: &TokenError) -> String {
    let causes = std::iter::successors(error.source(), |&it| it.source());
    let mut parts = vec![error.to_string()];
    parts.extend(causes.map(ToString::to_string));
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(error: &TokenError) -> Seen<()> {
        Reading::of_token_error("POST generateAccessToken", error).seen
    }

    #[test]
    fn only_definite_words_are_taken_for_answers() {
        let account = "kargo-project-web@acme-gke.iam.gserviceaccount.com".to_owned();
        let absent = TokenError::Absent {
            account: account.clone(),
            why: Absence::NotFound,
        };
        assert_eq!(seen(&absent), Seen::Absent);
        let forbidden = TokenError::Forbidden {
            account,
            permission: crate::policy::MINT.to_owned(),
            caller: "principal://x".to_owned(),
        };
        let Seen::Denied(denial) = seen(&forbidden) else {
            panic!("it is denied");
        };
        assert_eq!(denial.reason, Reason::MissingPermission);
        let silent = TokenError::Silent {
            host: "iamcredentials.googleapis.com".to_owned(),
        };
        assert!(matches!(seen(&silent), Seen::Unreachable { .. }));
    }

    #[test]
    fn an_answer_is_told_from_silence_by_its_status() {
        let host = || "metadata.google.internal".to_owned();
        for (error, status) in [
            (
                TokenError::Unavailable {
                    host: host(),
                    status: 500,
                },
                Some(500),
            ),
            (TokenError::NotReady { host: host() }, Some(404)),
            (
                TokenError::Malformed {
                    host: host(),
                    problem: Problem::Expired,
                },
                Some(200),
            ),
            (TokenError::Silent { host: host() }, None),
        ] {
            let reading = Reading::<()>::of_token_error("GET token", &error);
            assert_eq!(reading.source.status, status, "{error}");
            assert!(matches!(reading.seen, Seen::Unreachable { .. }), "{error}");
        }
    }

    #[test]
    fn a_refusal_for_whatever_reason_is_one_and_has_its_status() {
        let host = || "iamcredentials.googleapis.com".to_owned();
        for (error, status) in [
            (
                TokenError::ConsumerRefused {
                    host: host(),
                    consumer: "projects/4711".to_owned(),
                    reason: "BILLING_DISABLED".to_owned(),
                },
                403,
            ),
            (
                TokenError::Lifetime {
                    message: "more than an hour".to_owned(),
                },
                400,
            ),
            (
                TokenError::ApiDisabled {
                    service: host(),
                    project: "acme-gke".to_owned(),
                },
                403,
            ),
            (TokenError::ScopeInsufficient { host: host() }, 403),
        ] {
            let reading = Reading::<()>::of_token_error("POST generateAccessToken", &error);
            assert_eq!(reading.source.status, Some(status), "{error}");
            assert!(matches!(reading.seen, Seen::Denied(_)), "{error}");
        }
        for (why, status) in [(Absence::NotFound, Some(404)), (Absence::Name, None)] {
            let account = "a@b.iam.gserviceaccount.com".to_owned();
            let absent = TokenError::Absent { account, why };
            let reading = Reading::<()>::of_token_error("POST generateAccessToken", &absent);
            assert_eq!(
                (reading.source.status, reading.seen),
                (status, Seen::Absent)
            );
        }
    }

    #[test]
    fn the_id_of_a_perimeter_is_kept() {
        let refused = TokenError::PolicyViolated {
            host: "iamcredentials.googleapis.com".to_owned(),
            reason: "VPC Service Controls".to_owned(),
            uid: Some("uid-1".to_owned()),
        };
        let Seen::Denied(denial) = seen(&refused) else {
            panic!("it is denied");
        };
        assert_eq!(
            denial.reason,
            Reason::Perimeter {
                id: Some("uid-1".to_owned())
            }
        );
    }
}
