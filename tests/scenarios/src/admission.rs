//! Admission in process, as `argosy up` has it.

use std::ops::ControlFlow;
use std::sync::Arc;

use anyhow::Result;
use controllers::FreightIndex;
use domain::CacheByTagPolicy;
use domain::availability::{FreightIndex as _, Row};
use resources::Freight;
use testkit::{AdmissionHook, World};
use tokio_util::sync::CancellationToken;
use webhooks::admission::{Access, Admission, Clock, HOOKS, Phase, Settings};

/// The namespace of the control plane's own accounts.
pub const NAMESPACE: &str = "argosy";

/// Has every object of a world defaulted and validated; gives where Freight is looked up.
///
/// # Errors
/// When the index is not filled in time.
pub async fn install(world: &World, clock: Clock) -> Result<FreightIndex> {
    install_but(world, clock, &[]).await
}

/// The same where nobody validates objects of some kinds, as those have not been that were there before the webhooks.
///
/// # Errors
/// When the index is not filled in time.
pub async fn install_but(world: &World, clock: Clock, unchecked: &[&str]) -> Result<FreightIndex> {
    let freight = FreightIndex::new();
    let admission = Arc::new(admission(world, &freight, clock));
    for hook in HOOKS {
        let (admission, phase) = (Arc::clone(&admission), hook.phase);
        let is_asked_about = |it: &&&str| phase == Phase::Default || !unchecked.contains(*it);
        let resources = hook.resources.iter().filter(is_asked_about);
        world.api().add_admission(AdmissionHook {
            name: hook.name.to_owned(),
            group: hook.group.to_owned(),
            resources: resources.map(|it| (*it).to_owned()).collect(),
            operations: hook.operations.to_vec(),
            mutating: phase == Phase::Default,
            review: Arc::new(move |request| {
                let admission = Arc::clone(&admission);
                Box::pin(async move { admission.review(phase, request).await })
            }),
        });
    }
    let (client, following) = (world.client(), freight.clone());
    tokio::spawn(async move { following.follow(client, CancellationToken::new()).await });
    world
        .until("Freight is indexed", async || {
            Ok(freight.is_filled().then_some(()))
        })
        .await?;
    Ok(freight)
}

/// Admission that can be asked without an API server.
pub fn admission(world: &World, freight: &FreightIndex, clock: Clock) -> Admission {
    let settings = Settings {
        namespace: NAMESPACE.to_owned(),
        access: Access::Unchecked,
        cache_by_tag: CacheByTagPolicy::default(),
    };
    Admission::new(world.client(), Arc::new(freight.clone()), settings, clock)
}

/// Waits until Freight that was just created can be looked up.
///
/// # Errors
/// When it cannot in time.
pub async fn indexed(world: &World, index: &FreightIndex, freight: &Freight) -> Result<()> {
    let is_indexed = || {
        let mut found = false;
        let row = Row::Warehouse(&freight.origin.name);
        index.walk(freight.namespace(), row, &mut |it| {
            found = it.name() == freight.name();
            if found {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        found
    };
    world
        .until("Freight is in its row", async || {
            Ok(is_indexed().then_some(()))
        })
        .await
}
