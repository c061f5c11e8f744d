//! Looks at a Stage without steps: it passes Freight on.

use domain::control_flow::{Plan, Seen, decide};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use resources::{Freight, Stage, VerificationPhase, VerificationRecord, names::annotation};
use std::sync::Arc;

use super::recorder;
use crate::{World, error::Error, freight, indexes::By, queue::Next, writes};

pub(super) async fn look(world: &World, api: &Api<Stage>, stage: &Stage) -> Result<Next, Error> {
    let now = world.cx.now();
    let freight = within_reach(world, stage);
    let staying = world
        .stores
        .freight
        .find(By::CurrentlyIn, stage.namespace(), stage.name());
    let plan = decide(&Seen {
        now,
        stage,
        freight: &freight,
        staying: &staying,
    });
    apply(world, api, stage, plan).await
}

/// Lists Freight that the Stage might take and has not passed on yet.
fn within_reach(world: &World, stage: &Stage) -> Vec<Arc<Freight>> {
    let find = |by, value: &str| world.stores.freight.find(by, stage.namespace(), value);
    let mut found = find(By::ApprovedFor, stage.name());
    for request in &stage.spec.requested_freight {
        if request.sources.direct {
            found.extend(find(By::Warehouse, &request.origin.name));
        }
        for upstream in &request.sources.stages {
            found.extend(find(By::VerifiedIn, upstream));
        }
    }
    found.retain(|it| !it.is_verified_in(stage.name()));
    found.sort_by(|one, another| one.name().cmp(another.name()));
    found.dedup_by(|one, another| one.name() == another.name());
    found
}

async fn apply(world: &World, api: &Api<Stage>, stage: &Stage, plan: Plan) -> Result<Next, Error> {
    let Plan {
        status,
        freight: changes,
        drop_argocd_context,
        again,
    } = plan;
    let (namespace, name) = (stage.namespace(), stage.name());
    if drop_argocd_context {
        world
            .stores
            .stages
            .observe(writes::annotation(api, name, annotation::ARGOCD_CONTEXT, None).await?);
    }
    writes::status(
        api,
        &world.stores.stages,
        name,
        stage.status.as_ref(),
        &status,
    )
    .await?;
    let recorder = recorder(world);
    for change in &changes {
        freight::apply(world, namespace, name, std::slice::from_ref(change)).await?;
        let domain::stage::FreightChange::Verified { freight, at } = change else {
            continue;
        };
        if let Some(freight) = freight::read(world, namespace, freight).await? {
            let time = Some(Time(*at));
            let phase = Some(VerificationPhase::Successful);
            let record = VerificationRecord {
                start_time: time.clone(),
                finish_time: time,
                phase,
                ..VerificationRecord::default()
            };
            let event = domain::event::freight_verified(&freight, name, &record, &recorder.actor());
            recorder.tell(event, world.cx.now()).await;
        }
    }
    Ok(again.into())
}
