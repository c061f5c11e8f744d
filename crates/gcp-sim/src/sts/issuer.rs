//! The public keys of an issuer: given, simulated, or fetched from where it publishes them.

use std::time::Duration;

use reqwest::redirect::Policy;
use serde_json::Value;

use super::audience::{Keys, Target};
use super::refusal::ExchangeRefusal;
use crate::google::Google;
use crate::keys::jwk_set;

/// An issuer that takes longer is not asked further.
const PATIENCE: Duration = Duration::from_secs(5);

/// Gives the JWK set that a token must be signed by one of.
pub(super) async fn keys(google: &Google, target: &Target) -> Result<Value, ExchangeRefusal> {
    let fetched = match &target.keys {
        Keys::Given(keys) => return Ok(keys.clone()),
        Keys::Simulated => return Ok(jwk_set(&[google.keys().clusters().jwk()])),
        Keys::At(url) => fetch(url).await,
        Keys::Discovered => discover(&target.issuer).await,
    };
    fetched.map_err(|error| {
        tracing::warn!(issuer = target.issuer, %error, "failed to fetch the issuer's keys");
        ExchangeRefusal::issuer_unreachable()
    })
}

/// Fetches a cluster's JWK set from where it is published, for whoever reads it at Google.
pub(crate) async fn fetch_keys(url: &str) -> Option<Value> {
    let fetched = fetch(url).await;
    fetched
        .inspect_err(|error| tracing::warn!(%error, "failed to fetch the cluster's keys"))
        .ok()
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("keys are fetched from this machine only, and {url:?} is elsewhere")]
    Elsewhere { url: String },
    #[error("{0}")]
    Request(#[source] reqwest::Error),
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        Self::Request(error.without_url())
    }
}

async fn discover(issuer: &str) -> Result<Value, FetchError> {
    let issuer = issuer.trim_end_matches('/');
    let document = fetch(&format!("{issuer}/.well-known/openid-configuration")).await?;
    fetch(document["jwks_uri"].as_str().unwrap_or_default()).await
}

/// Fetches from loopback, and goes nowhere else: no proxy, no redirects.
async fn fetch(url: &str) -> Result<Value, FetchError> {
    if !crate::pubsub::is_loopback(url) {
        return Err(FetchError::Elsewhere {
            url: url.to_owned(),
        });
    }
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(Policy::none())
        .no_proxy()
        .build()?;
    let response = client.get(url).send().await?.error_for_status()?;
    Ok(response.json().await?)
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::response::Redirect;
    use axum::routing::get;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn keys_are_fetched_from_this_machine_only_and_nobody_sends_elsewhere() {
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let elsewhere = fetch("https://keys.example/jwks").await;
        assert!(matches!(elsewhere, Err(FetchError::Elsewhere { .. })));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let keys = axum::Json(json!({"keys": []}));
        let discovered = json!({"jwks_uri": "https://keys.example/jwks"});
        let router = Router::new()
            .route("/keys", get(async || keys))
            .route("/moved", get(async || Redirect::temporary("/keys")))
            .route(
                "/.well-known/openid-configuration",
                get(async || axum::Json(discovered)),
            );
        tokio::spawn(async move { axum::serve(listener, router).await });
        let keys = fetch(&format!("http://{address}/keys")).await.unwrap();
        assert_eq!(keys, json!({"keys": []}));
        let moved = fetch(&format!("http://{address}/moved")).await;
        assert!(matches!(moved, Err(FetchError::Request(_))));
        let discovered = discover(&format!("http://{address}/")).await;
        assert!(matches!(discovered, Err(FetchError::Elsewhere { .. })));
    }
}
