//! IAM Service Account Credentials: a token of a service account for whoever may act as it.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken>

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use url::Url;

use crate::error::Problem;
use crate::granted::Granted;
use crate::http::{Answer, Http};
use crate::principal::ServiceAccountEmail;
use crate::redact::redact;
use crate::refusal::{Asked, classify};
use crate::token::{Scope, Token};
use crate::{Clock, TokenError};

/// What is granted without a policy that allows more.
const HOUR: Duration = Duration::from_hours(1);

/// Says at which path tokens of an account are asked for.
pub(crate) fn token_path(email: &ServiceAccountEmail) -> String {
    format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken")
}

/// Asks for tokens of service accounts.
#[derive(Clone)]
pub(crate) struct IamCredentials {
    pub(crate) http: Http,
    pub(crate) clock: Clock,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) account: &'a str,
    /// Accounts through which the caller acts as it, the caller's own next first.
    pub(crate) delegates: &'a [String],
    pub(crate) scope: Scope,
    pub(crate) lifetime: Duration,
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    delegates: &'a [String],
    scope: [&'a str; 1],
    lifetime: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    access_token: String,
    expire_time: String,
}

impl IamCredentials {
    /// Asks as `caller`; a lifetime that is too long is asked for once more as an hour.
    pub(crate) async fn generate(
        &self,
        url: &Url,
        caller: &Token,
        wanted: Wanted<'_>,
        deadline: Instant,
    ) -> Result<Granted, TokenError> {
        let generated = self.ask(url, caller, wanted, deadline).await;
        match generated {
            Err(TokenError::Lifetime { .. }) if wanted.lifetime != HOUR => {
                let wanted = Wanted {
                    lifetime: HOUR,
                    ..wanted
                };
                self.ask(url, caller, wanted, deadline).await
            }
            generated => generated,
        }
    }

    async fn ask(
        &self,
        url: &Url,
        caller: &Token,
        wanted: Wanted<'_>,
        deadline: Instant,
    ) -> Result<Granted, TokenError> {
        let request = Request {
            delegates: wanted.delegates,
            scope: [wanted.scope.url()],
            lifetime: format!("{}s", wanted.lifetime.as_secs()),
        };
        let identity = caller.identity.to_string();
        let asked = Asked {
            account: Some(wanted.account),
            caller: &identity,
        };
        let attempt = || {
            let asked_at = (self.clock)();
            let build = |client: &reqwest::Client| {
                let token = caller.access_token.expose();
                client.post(url.clone()).bearer_auth(token).json(&request)
            };
            self.http
                .send("iam-credentials", url, build, move |answer| {
                    read(answer, asked, asked_at, wanted.lifetime)
                })
        };
        self.http.pace().repeat(url, deadline, attempt).await
    }
}

fn read(
    answer: &Answer,
    asked: Asked<'_>,
    asked_at: Timestamp,
    lifetime: Duration,
) -> Result<Granted, TokenError> {
    if answer.status != StatusCode::OK {
        return Err(classify(answer, asked));
    }
    let response: Response = answer.json()?;
    let expire_time: Timestamp = response.expire_time.parse().map_err(|_| {
        answer.malformed(Problem::Value {
            text: redact(&response.expire_time),
            expected: "a time",
        })
    })?;
    // Google's clock counts what is left, ours when that ends: a node whose clock is wrong still renews in time.
    let left = expire_time.duration_since(answer.date().unwrap_or(asked_at));
    let lifetime = SignedDuration::try_from(lifetime).unwrap_or(SignedDuration::MAX);
    Granted::new(answer, response.access_token, asked_at, left.min(lifetime))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::Identity;

    const ACCOUNT: Asked<'_> = Asked {
        account: Some("a@acme.iam.gserviceaccount.com"),
        caller: "principal://x",
    };

    fn left(expire_time: &str, date: Option<&str>) -> Result<i64, TokenError> {
        let now: Timestamp = "2026-11-29T10:00:00Z".parse().expect("a time");
        let body = format!(r#"{{"accessToken":"ya29.x","expireTime":"{expire_time}"}}"#);
        let headers: Vec<_> = date.into_iter().map(|date| ("date", date)).collect();
        let granted = read(&Answer::of(200, &headers, &body), ACCOUNT, now, HOUR)?;
        let email = ServiceAccountEmail::parse(ACCOUNT.account.unwrap()).expect("an email");
        let token = granted.of(Identity::ServiceAccount(email));
        Ok(token.expires.duration_since(now).as_secs())
    }

    #[test]
    fn what_is_left_is_counted_by_googles_clock() {
        let right = "Sun, 29 Nov 2026 10:00:00 GMT";
        let hour_ahead = "Sun, 29 Nov 2026 11:00:00 GMT";
        let hour_behind = "Sun, 29 Nov 2026 09:00:00 GMT";
        for (expire_time, date, expected) in [
            ("2026-11-29T11:00:00Z", Some(right), 3_600),
            ("2026-11-29T11:00:00.250Z", Some(right), 3_600),
            ("2026-11-29T12:00:00Z", Some(hour_ahead), 3_600),
            ("2026-11-29T10:00:00Z", Some(hour_behind), 3_600),
            ("2026-11-29T10:15:00Z", None, 900),
            ("2026-11-30T10:00:00Z", None, 3_600),
        ] {
            let left = left(expire_time, date).expect("a token");
            assert_eq!(left, expected, "{expire_time} {date:?}");
        }
    }

    #[test]
    fn a_token_that_has_expired_or_never_says_when_is_none() {
        for (expire_time, expected) in [
            ("2026-11-29T09:00:00Z", "the token has expired"),
            ("tomorrow", "\"tomorrow\" is not a time"),
        ] {
            match left(expire_time, None) {
                Err(TokenError::Malformed { problem, .. }) => {
                    assert_eq!(problem.to_string(), expected);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}
