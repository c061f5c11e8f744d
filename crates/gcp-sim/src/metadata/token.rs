//! Tokens from the metadata server: cached there, impersonated where the pod is annotated.

use std::collections::HashMap;

use axum::response::Response;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::identity::{Base, Identity, SCOPES};
use super::{Metadata, Question, SERVICE, json, text};
use crate::faults::{Effect, Occasion};
use crate::iam_credentials::{self, Grant, TokenRequest};
use crate::principal::Principal;
use crate::refusal::Refusal;

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
    pub(super) fn token(&self, identity: &Identity, question: &Question) -> Response {
        let scopes = question.find("scopes").map_or_else(
            || SCOPES.map(str::to_owned).to_vec(),
            |scopes| scopes.split(',').map(str::to_owned).collect(),
        );
        let cached = match self.cached(identity, &scopes) {
            Ok(cached) => cached,
            Err(refusal) => return relayed("access", &refusal),
        };
        let left = cached.expires_at.duration_since(self.google.now());
        let expired = |effect: &Effect| matches!(effect, Effect::MetadataExpired);
        let seconds = match self.google.fault(&occasion(), expired) {
            Some(_) => 0,
            None => left.as_secs().max(0),
        };
        json(&json!({
            "access_token": cached.token, "expires_in": seconds, "token_type": "Bearer",
        }))
    }

    pub(super) fn identity_token(&self, identity: &Identity, question: &Question) -> Response {
        let Some(audience) = question.find("audience").filter(|it| !it.is_empty()) else {
            return text(
                StatusCode::BAD_REQUEST,
                "non-empty audience parameter required",
            );
        };
        let (caller, account) = match &identity.base {
            Base::Workload(_) => {
                let hint = "Your Kubernetes service account is not bound to a Google service account, which identity tokens \
                    are made for.\nAnnotate it with iam.gke.io/gcp-service-account.\n";
                return text(StatusCode::NOT_FOUND, hint);
            }
            Base::Annotated { workload, account } => {
                (Principal::Federated(workload.clone()), account)
            }
            Base::Node { account } => (Principal::service_account(account), account),
        };
        let claims = iam_credentials::IdClaims {
            audience,
            include_email: question.has("format", "full"),
        };
        match iam_credentials::identity_token(&self.google, &caller, account, &claims) {
            Ok(token) => text(StatusCode::OK, &token),
            Err(refusal) => relayed("identity", &refusal),
        }
    }

    /// Takes the cached token while it is good enough, else gets another.
    fn cached(&self, identity: &Identity, scopes: &[String]) -> Result<Cached, Refusal> {
        let now = self.google.now();
        let key = format!("{} {}", identity.email(), scopes.join(","));
        let old = |effect: &Effect| matches!(effect, Effect::MetadataNearExpiry { .. });
        let (lifetime, least) = match self.google.fault(&occasion(), old) {
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
        let fresh = self.fetch(identity, scopes, lifetime)?;
        self.tokens.lock().tokens.insert(key, fresh.clone());
        Ok(fresh)
    }

    fn fetch(
        &self,
        identity: &Identity,
        scopes: &[String],
        lifetime: SignedDuration,
    ) -> Result<Cached, Refusal> {
        let expires_at = self.google.now() + lifetime;
        let own = |principal| Cached {
            token: self
                .google
                .issue(principal, scopes.to_vec(), lifetime, Vec::new()),
            expires_at,
        };
        match &identity.base {
            Base::Workload(workload) => Ok(own(Principal::Federated(workload.clone()))),
            Base::Node { account } => Ok(own(Principal::service_account(account))),
            Base::Annotated { workload, account } => {
                let request = TokenRequest {
                    account,
                    delegates: &[],
                    scopes,
                    lifetime,
                };
                let caller = Principal::Federated(workload.clone());
                let Grant { token, expires_at } =
                    iam_credentials::mint(&self.google, &caller, &[], &request)?;
                Ok(Cached { token, expires_at })
            }
        }
    }
}

fn occasion() -> Occasion<'static> {
    Occasion {
        service: SERVICE,
        ..Occasion::default()
    }
}

/// What IAM refused, in the metadata server's words: the status is kept, the body is plain text.
///
/// Source: <https://github.com/kubernetes-sigs/external-dns/issues/1720>
fn relayed(kind: &str, refusal: &Refusal) -> Response {
    let status = refusal.status();
    let mut body = format!(
        "Unable to generate {kind} token; IAM returned {status}: {}\n",
        refusal.message()
    );
    if status == StatusCode::FORBIDDEN {
        body.push_str(
            "This error could be caused by a missing IAM policy binding on the target IAM service account.\n\
             For more information, refer to the Workload Identity documentation:\n\
             \thttps://cloud.google.com/kubernetes-engine/docs/how-to/workload-identity#authenticating_to\n\n",
        );
    }
    text(status, &body)
}
