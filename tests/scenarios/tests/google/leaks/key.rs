//! A key of a service account in a Secret of the Project, and the Warehouse that reads with it.

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use kube::api::PostParams;
use resources::names::annotation;
use resources::{Warehouse, condition};
use scenarios::PROJECT;
use serde_json::{Value, json};
use testkit::google::{Effect, GCP_PROJECT, account_of, image_of};

use super::watch::{also, check};
use crate::port::{FORGOTTEN, OTHER, Port};

/// The Warehouse that reads the other Project's image with its key.
const KEYED: &str = "keyed";
const OAUTH: &str = "oauth2.googleapis.com";

/// Stores a key, and lets a Warehouse use it through thick and thin.
pub(crate) async fn is_used(port: &Port) -> Result<()> {
    port.google.give_account(OTHER)?;
    let file = made(port).await?;
    let private_key = file["private_key"].as_str().context("a private key")?;
    also(private_key);
    store(port, &file).await?;
    let warehouse = json!({
        "metadata": {"name": KEYED},
        "spec": {"subscriptions": [{"image": {"repoURL": image_of(OTHER)}}]},
    });
    let warehouse: Warehouse = serde_json::from_value(warehouse)?;
    let warehouses = port.harbour.api::<Warehouse>();
    warehouses
        .create(&PostParams::default(), &warehouse)
        .await?;
    says(port, "RegistryIdentity", "ServiceAccountKey").await?;
    for effect in [
        Effect::TruncatedJson,
        Effect::BadContentType,
        Effect::Unavailable,
    ] {
        port.harbour.clock.advance(3600 + FORGOTTEN);
        let number = port.google.inject(effect.on(OAUTH));
        refresh(port, &number.to_string()).await?;
        says(port, "RegistryIdentity", "IdentityUnavailable").await?;
        port.google.mend();
    }
    // What is no key is told of with the key at hand.
    let mut other = file.clone();
    other["type"] = json!("authorized_user");
    store(port, &other).await?;
    refresh(port, "not-a-key").await?;
    says(port, "Healthy", "DiscoveryFailed").await?;
    says(port, "RegistryIdentity", "UnusableServiceAccountKey").await?;
    store(port, &file).await?;
    port.harbour.clock.advance(FORGOTTEN);
    refresh(port, "a-key").await?;
    says(port, "RegistryIdentity", "ServiceAccountKey").await
}

/// Lets Google make a key of the other Project's account, and gives the file.
async fn made(port: &Port) -> Result<Value> {
    let operator = port.google.token_of("user:ops@acme.example");
    let account = account_of(OTHER);
    let path = format!("v1/projects/{GCP_PROJECT}/serviceAccounts/{account}/keys");
    let request = reqwest::Client::new().post(port.google.apis()?.join(&path)?);
    let request = request
        .bearer_auth(operator.context("a token")?)
        .json(&json!({}));
    let made: Value = request.send().await?.json().await?;
    let encoded = made["privateKeyData"].as_str().context("a key")?;
    Ok(serde_json::from_slice(&BASE64_STANDARD.decode(encoded)?)?)
}

async fn store(port: &Port, file: &Value) -> Result<()> {
    let value = BASE64_STANDARD.encode(file.to_string());
    let labels = json!({"kargo.akuity.io/cred-type": "image"});
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "key", "namespace": PROJECT, "labels": labels},
        "stringData": {"repoURL": image_of(OTHER), "gcpServiceAccountKey": value},
    });
    port.harbour.world.apply(&secret.to_string()).await
}

async fn refresh(port: &Port, value: &str) -> Result<()> {
    let harbour = &port.harbour;
    harbour
        .annotate::<Warehouse>(KEYED, annotation::REFRESH, value)
        .await
}

/// Waits until the Warehouse says so, and looks at it all the while.
async fn says(port: &Port, kind: &str, reason: &str) -> Result<()> {
    let what = format!("{KEYED} says {kind}/{reason}");
    let said = async || {
        let it = port.harbour.api::<Warehouse>().get(KEYED).await?;
        check("the Warehouse", &serde_json::to_string(&it)?)?;
        let conditions = it.status.map(|it| it.conditions).unwrap_or_default();
        let found = condition::find(&conditions, kind);
        Ok(found.filter(|it| it.reason == reason).map(|_| ()))
    };
    port.harbour.until(&what, said).await
}
