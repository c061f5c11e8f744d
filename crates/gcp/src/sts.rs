//! The Security Token Service: a Kubernetes token goes in, a federated token of Google's comes out.
//!
//! Source: <https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token>

mod provider;

use secret::Secret;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use crate::error::Problem;
use crate::granted::{Granted, read_granted};
use crate::http::{Answer, Http};
use crate::redact::redact;
use crate::refusal::{Asked, classify};
use crate::token::Scope;
use crate::{Clock, TokenError};

pub use provider::{NamespaceProvider, PoolProvider, Provider};

/// Exchanges tokens at STS.
#[derive(Clone)]
pub(crate) struct Sts {
    pub(crate) http: Http,
    /// The whole address, path included.
    pub(crate) url: Url,
    pub(crate) clock: Clock,
}

/// What is exchanged.
#[derive(Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) audience: &'a str,
    pub(crate) token: &'a Secret<String>,
    pub(crate) token_type: &'a str,
}

pub(crate) const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

impl Sts {
    pub(crate) async fn exchange(
        &self,
        subject: &Subject<'_>,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Granted, TokenError> {
        let form = [
            (
                "grant_type",
                "urn:ietf:params:oauth:grant-type:token-exchange",
            ),
            ("audience", subject.audience),
            ("scope", scope.url()),
            (
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:access_token",
            ),
            ("subject_token", subject.token.expose()),
            ("subject_token_type", subject.token_type),
        ];
        let attempt = || {
            let asked_at = (self.clock)();
            let build = |client: &reqwest::Client| client.post(self.url.clone()).form(&form);
            self.http.send("sts", &self.url, build, move |answer| {
                read_exchange(answer, asked_at)
            })
        };
        self.http.pace().repeat(&self.url, deadline, attempt).await
    }
}

fn read_exchange(answer: &Answer, asked_at: jiff::Timestamp) -> Result<Granted, TokenError> {
    if answer.status == reqwest::StatusCode::OK {
        return read_granted(answer, asked_at);
    }
    Err(refused_exchange(answer))
}

/// The error of OAuth services.
#[derive(Deserialize)]
struct OauthError {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// Says why a credential was not exchanged, at STS and at OAuth.
pub(crate) fn refused_exchange(answer: &Answer) -> TokenError {
    let asked = Asked {
        account: None,
        caller: "",
    };
    let is_decision = matches!(answer.status.as_u16(), 400 | 401 | 403);
    match answer.json::<OauthError>() {
        Ok(refusal) if is_decision => {
            let host = answer.host.clone();
            if refusal.error_description.contains("throttled") {
                let retry_after = answer.retry_after();
                return TokenError::RateLimited { host, retry_after };
            }
            TokenError::Rejected {
                host,
                error: redact(&refusal.error),
                description: redact(&refusal.error_description),
            }
        }
        // A web page with a decision's status is none of Google's decisions.
        Err(TokenError::Malformed {
            problem: Problem::WebPage,
            ..
        }) if is_decision => TokenError::Unexpected {
            host: answer.host.clone(),
            status: answer.status.as_u16(),
        },
        _ => classify(answer, asked),
    }
}
