//! The public keys of an issuer: given, simulated, or fetched from where it publishes them.

use std::time::Duration;

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
        let error = error.without_url();
        tracing::warn!(issuer = target.issuer, %error, "failed to fetch the issuer's keys");
        ExchangeRefusal::issuer_unreachable()
    })
}

async fn discover(issuer: &str) -> Result<Value, reqwest::Error> {
    let issuer = issuer.trim_end_matches('/');
    let document = fetch(&format!("{issuer}/.well-known/openid-configuration")).await?;
    fetch(document["jwks_uri"].as_str().unwrap_or_default()).await
}

async fn fetch(url: &str) -> Result<Value, reqwest::Error> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let response = client.get(url).send().await?.error_for_status()?;
    response.json().await
}
