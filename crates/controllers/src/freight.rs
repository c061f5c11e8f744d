//! Carries out what Stages decide about Freight.

use domain::stage::FreightChange;
use kube::Api;
use resources::{Freight, FreightStatus};

use crate::{World, error::Error, queue::Key, writes};

/// Carries out changes of what Freight says about a Stage; Freight that is gone is passed over.
pub(crate) async fn apply(
    world: &World,
    namespace: &str,
    stage: &str,
    changes: &[FreightChange],
) -> Result<(), Error> {
    for change in changes {
        let (FreightChange::Entered { freight, .. }
        | FreightChange::Left { freight, .. }
        | FreightChange::Verified { freight, .. }) = change;
        rewrite(world, namespace, freight, |status| {
            domain::freight::changed(status, stage, change)
        })
        .await?;
    }
    Ok(())
}

/// Makes Freight forget a Stage that goes.
pub(crate) async fn forget(
    world: &World,
    namespace: &str,
    stage: &str,
    freight: &str,
) -> Result<(), Error> {
    rewrite(world, namespace, freight, |status| {
        domain::freight::forgotten(status, stage)
    })
    .await
}

async fn rewrite(
    world: &World,
    namespace: &str,
    name: &str,
    change: impl FnOnce(FreightStatus) -> FreightStatus,
) -> Result<(), Error> {
    let Some(freight) = world.stores.freight.get(&Key::new(namespace, name)) else {
        return Ok(());
    };
    let api: Api<Freight> = Api::namespaced(world.cx.controller.clone(), namespace);
    let after = change(freight.status.clone().unwrap_or_default());
    writes::status(
        &api,
        &world.stores.freight,
        name,
        freight.status.as_ref(),
        &after,
    )
    .await
}

/// Reads Freight whole, for what the store does not remember; nothing where it is gone.
pub(crate) async fn read(
    world: &World,
    namespace: &str,
    name: &str,
) -> Result<Option<Freight>, Error> {
    let api: Api<Freight> = Api::namespaced(world.cx.controller.clone(), namespace);
    api.get_opt(name)
        .await
        .map_err(|source| Error::api("read Freight", source))
}
