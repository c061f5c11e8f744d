//! Tokens from the metadata server: cached there, impersonated where the pod is annotated.

use std::collections::HashMap;

use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::identity::{Base, Identity, SCOPES};
use super::{BROKEN, Metadata, Question, json, text};
use crate::faults::Effect;
use crate::iam_credentials::{self, Unanswered};
use crate::principal::{Federated, Principal};

/// The tokens that a metadata server gives out again, by account and scopes.
#[derive(Debug, Default)]
pub(super) struct TokenCache {
    tokens: HashMap<String, Cached>,
}

#[derive(Debug, Clone)]
struct Cached {
    token: String,
    expires_at: Timestamp,
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// A cached token with less left than this is replaced.
///
/// Source: <https://cloud.google.com/compute/docs/access/authenticate-workloads>
const NEARLY_EXPIRED: SignedDuration = SignedDuration::from_mins(4);

/// The same while a fault keeps the cache old.
const VERY_NEARLY_EXPIRED: SignedDuration = SignedDuration::from_mins(1);

impl Metadata {
    pub(super) async fn token(&self, identity: &Identity, question: &Question) -> Response {
        let scopes = question.find("scopes").map_or_else(
            || SCOPES.map(str::to_owned).to_vec(),
            |scopes| scopes.split(',').map(str::to_owned).collect(),
        );
        let cached = match self.cached(identity, &scopes).await {
            Ok(cached) => cached,
            Err(unanswered) => return relayed("access", unanswered),
        };
        let left = cached.expires_at.duration_since(self.google.now());
        let expired = |effect: &Effect| matches!(effect, Effect::MetadataExpired);
        let seconds = match self.google.fault_about("", expired) {
            Some(_) => 0,
            None => left.as_secs().max(0),
        };
        json(&json!({
            "access_token": cached.token, "expires_in": seconds, "token_type": "Bearer",
        }))
    }

    pub(super) async fn identity_token(
        &self,
        identity: &Identity,
        question: &Question,
    ) -> Response {
        let Some(audience) = question.find("audience").filter(|it| !it.is_empty()) else {
            return text(
                StatusCode::BAD_REQUEST,
                "non-empty audience parameter required",
            );
        };
        let include_email = question.has("format", "full");
        let token = match &identity.base {
            Base::Workload(_) => {
                let hint = "Your Kubernetes service account is not bound to a Google service account, which identity tokens \
                    are made for.\nAnnotate it with iam.gke.io/gcp-service-account.\n";
                return text(StatusCode::NOT_FOUND, hint);
            }
            Base::Annotated { workload, account } => {
                let body = json!({ "audience": audience, "includeEmail": include_email });
                self.ask(workload, account, "generateIdToken", &body, "token")
                    .await
            }
            Base::Node { account } => {
                let claims = iam_credentials::IdClaims {
                    audience,
                    include_email,
                };
                iam_credentials::own_identity_token(&self.google, account, &claims).map_err(
                    |refusal| Unanswered::Refused {
                        status: refusal.status(),
                        message: refusal.message().to_owned(),
                    },
                )
            }
        };
        match token {
            Ok(token) => text(StatusCode::OK, &token),
            Err(unanswered) => relayed("identity", unanswered),
        }
    }

    /// Asks IAM Credentials in the name of a pod's workload, and gives the token in this field of the answer.
    async fn ask(
        &self,
        workload: &Federated,
        account: &str,
        verb: &str,
        body: &Value,
        field: &str,
    ) -> Result<String, Unanswered> {
        let workload = Principal::Federated(workload.clone());
        let answer = iam_credentials::ask(&self.google, &workload, account, verb, body).await?;
        let token = answer[field].as_str().ok_or(Unanswered::Garbled)?;
        Ok(token.to_owned())
    }

    /// Takes the cached token while it is good enough, else gets another.
    async fn cached(&self, identity: &Identity, scopes: &[String]) -> Result<Cached, Unanswered> {
        let now = self.google.now();
        let key = format!("{} {}", identity.email(), scopes.join(","));
        let old = |effect: &Effect| matches!(effect, Effect::MetadataNearExpiry { .. });
        let (lifetime, least) = match self.google.fault_about("", old) {
            Some(Effect::MetadataNearExpiry { seconds }) => (
                SignedDuration::from_secs(seconds.into()),
                VERY_NEARLY_EXPIRED,
            ),
            _ => (HOUR, NEARLY_EXPIRED),
        };
        let known = self.tokens.lock().tokens.get(&key).cloned();
        if let Some(known) = known {
            let left = known.expires_at.duration_since(now);
            if left >= least && left <= lifetime {
                return Ok(known);
            }
        }
        let fresh = self.fetch(identity, scopes, lifetime).await?;
        self.tokens.lock().tokens.insert(key, fresh.clone());
        Ok(fresh)
    }

    async fn fetch(
        &self,
        identity: &Identity,
        scopes: &[String],
        lifetime: SignedDuration,
    ) -> Result<Cached, Unanswered> {
        let expires_at = self.google.now() + lifetime;
        let own = |principal| {
            let google = &self.google;
            google.issue(principal, scopes.to_vec(), lifetime, Vec::new())
        };
        let token = match &identity.base {
            Base::Workload(workload) => own(Principal::Federated(workload.clone())),
            Base::Node { account } => own(Principal::service_account(account)),
            Base::Annotated { workload, account } => {
                let lifetime = format!("{}s", lifetime.as_secs());
                let body = json!({ "scope": scopes, "lifetime": lifetime });
                self.ask(
                    workload,
                    account,
                    "generateAccessToken",
                    &body,
                    "accessToken",
                )
                .await?
            }
        };
        Ok(Cached { token, expires_at })
    }
}

/// What IAM refused, in the metadata server's words: the status is kept, the body is plain text. What nobody can read is
/// the server's own failure.
///
/// Source: <https://github.com/kubernetes-sigs/external-dns/issues/1720>
fn relayed(kind: &str, unanswered: Unanswered) -> Response {
    let Unanswered::Refused { status, message } = unanswered else {
        return text(StatusCode::INTERNAL_SERVER_ERROR, BROKEN);
    };
    let mut body = format!("Unable to generate {kind} token; IAM returned {status}: {message}\n");
    if status == StatusCode::FORBIDDEN {
        body.push_str(
            "This error could be caused by a missing IAM policy binding on the target IAM service account.\n\
             For more information, refer to the Workload Identity documentation:\n\
             \thttps://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity#authenticating_to\n\n",
        );
    }
    text(status, &body)
}
