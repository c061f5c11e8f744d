//! No token and no private key is ever shown: not in logs, events, status, metrics, `Debug` output, arguments or
//! environment of programs.

mod children;
mod key;
pub(crate) mod watch;

use std::sync::Arc;

use anyhow::{Context as _, Result};
use artifacts::Limits;
use artifacts::egress::Policy;
use artifacts::registry::{Registries, Repository};
use credentials::Kind;
use credentials::google::{ACCOUNT, Fallback};
use k8s_openapi::api::core::v1::Event;
use kube::Api;
use kube::api::{DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use scenarios::{PROJECT, google};
use testkit::PublishedKeys;
use testkit::google::{Effect, Fault, IAM_CREDENTIALS, METADATA, REGISTRY, STS, image_of, member};

use crate::port::{FORGOTTEN, OTHER, Port};
use watch::{Watch, check};

/// Answers that are cut off or turned down, so that what went wrong is told with a token at hand.
fn troubles() -> Vec<Fault> {
    vec![
        Effect::TruncatedJson.on(IAM_CREDENTIALS).times(3),
        Effect::BadContentType.on(IAM_CREDENTIALS).times(1),
        Effect::TruncatedJson
            .on(METADATA)
            .where_path_has("/token")
            .times(2),
        Effect::TruncatedJson.on(REGISTRY).times(2),
        Effect::RegistryNoChallenge.on(REGISTRY).times(3),
        Effect::Unavailable.on(REGISTRY).times(1),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_and_no_key_is_shown_anywhere() -> Result<()> {
    let watch = Watch::begin();
    let port = Port::open(Fallback::Allow).await?;
    let keys = PublishedKeys::of(&port.harbour.world, port.harbour.folder()).await?;
    port.google.trust_keys_at(&keys.url);
    port.subscribe_to(PROJECT).await?;
    port.identity("True", "ControllerIdentity").await?;
    port.give_kubernetes_account().await?;
    port.google.let_read(&member(PROJECT, ACCOUNT), PROJECT)?;
    survive(&port, Effect::TruncatedJson.on(STS).times(3)).await?;
    port.identity("True", "OwnKubernetesAccount").await?;
    port.google.give_account(PROJECT)?;
    for fault in troubles() {
        survive(&port, fault).await?;
    }
    port.identity("True", "OwnServiceAccount").await?;
    key::is_used(&port).await?;
    children::are_started(&port).await?;
    told(&port).await?;
    debugged(&port, PROJECT).await?;
    debugged(&port, OTHER).await?;
    arguments()?;
    watch.end()
}

/// Lets a fault strike as often as it does, an hour after everything was fine.
async fn survive(port: &Port, fault: Fault) -> Result<()> {
    let what = format!("{fault:?} has struck");
    port.harbour.clock.advance(3600 + FORGOTTEN);
    port.google.inject(fault);
    port.refresh().await?;
    let has_struck = async || {
        let warehouse = port.warehouse().await?;
        check("the Warehouse", &serde_json::to_string(&warehouse)?)?;
        Ok(port.google.google().faults().is_empty().then_some(()))
    };
    port.harbour.until(&what, has_struck).await?;
    port.harbour.clock.advance(FORGOTTEN);
    port.refreshed().await.context(what)?;
    Ok(())
}

/// Looks at all that was told of what went on.
async fn told(port: &Port) -> Result<()> {
    check("metrics", &port.harbour.metrics()?)?;
    let events: Api<Event> = Api::all(port.harbour.client());
    let events = events.list(&ListParams::default()).await?;
    check("events", &serde_json::to_string(&events.items)?)?;
    for kind in ["Warehouse", "Freight", "Project", "Stage", "Promotion"] {
        let kind = GroupVersionKind::gvk("kargo.akuity.io", "v1alpha1", kind);
        let resource = ApiResource::from_gvk(&kind);
        let plural = if resource.kind == "Freight" {
            "freights".to_owned()
        } else {
            resource.plural.clone()
        };
        let resource = ApiResource { plural, ..resource };
        let objects: Api<DynamicObject> = Api::all_with(port.harbour.client(), &resource);
        let objects = objects.list(&ListParams::default()).await?;
        check(&resource.kind, &serde_json::to_string(&objects.items)?)?;
    }
    Ok(())
}

/// Looks at what a programmer prints, of a client that has logged in to read a Project's image.
async fn debugged(port: &Port, owner: &str) -> Result<()> {
    let (clock, client) = (&port.harbour.clock, port.harbour.client());
    let credentials = google::credentials(
        &port.google,
        clock,
        client,
        Fallback::Allow,
        google::LIFETIME,
    )?;
    let image = image_of(owner);
    let access = credentials.find(PROJECT, Kind::Image, &image).await?;
    let login = access.login.as_ref().context("a login")?;
    let policy = Arc::new(Policy::new().with_loopback());
    let registries = google::reached(&port.google, Registries::new(policy, Limits::default()))?;
    let repository = Repository::parse(&image)?;
    let cost = artifacts::Cost::default();
    let caller = artifacts::Caller {
        project: PROJECT,
        login: Some(login),
        cost: &cost,
        room: &artifacts::Boundless,
    };
    let client = registries.reader(caller, &repository, false).await;
    let mut tags = Vec::new();
    client
        .each_tag(&mut |tag| tags.push(tag.to_owned()))
        .await?;
    assert_eq!(tags, ["1.0.0"]);
    check(
        "Debug",
        &format!("{credentials:?} {access:#?} {login:?} {registries:?} {client:#?}"),
    )?;
    check("a fingerprint", &login.fingerprint())
}

/// Looks at the arguments of this program, and of those that it has left running: others of the machine are not judged.
fn arguments() -> Result<()> {
    for process in children::family() {
        check("arguments", &children::arguments_of(process))?;
    }
    Ok(())
}
