//! Keeps the history of Stages, starts Promotions, tells Freight where it is.

mod control_flow;

use std::sync::Arc;

use domain::{
    availability::{Choice, choose},
    stage::{Announcement, Plan, Seen},
};
use jiff::Timestamp;
use kube::{Api, api::PostParams};
use resources::{Freight, Promotion, Stage};

use crate::{
    World,
    error::Error,
    freight,
    indexes::By,
    queue::{Key, Next},
    recorder::Recorder,
    writes,
};

pub(crate) async fn look(world: Arc<World>, key: Key) -> Result<Next, Error> {
    let stage = world.stores.stages.get(&key);
    let Some(stage) = stage.filter(|it| world.cx.settings.shard.includes(&**it)) else {
        return Ok(Next::OnChange);
    };
    let api: Api<Stage> = Api::namespaced(world.cx.controller.clone(), &key.namespace);
    let held = domain::project::holds(stage.metadata.finalizers.as_deref());
    if stage.is_terminating() {
        if held {
            farewell(&world, &api, &stage).await?;
        }
        return Ok(Next::OnChange);
    }
    if !held {
        world
            .stores
            .stages
            .observe(writes::hold(&api, &*stage).await?);
        return Ok(Next::After(std::time::Duration::ZERO));
    }
    let outcome = if stage.is_control_flow() {
        control_flow::look(&world, &api, &stage).await
    } else {
        promote(&world, &api, &stage).await
    };
    if let Err(error) = &outcome
        && !error.is_conflict()
    {
        let now = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(world.cx.now());
        let before = stage.status.clone().unwrap_or_default();
        let status =
            domain::stage::failed(before, &error.to_string(), stage.metadata.generation, now);
        writes::status(
            &api,
            &world.stores.stages,
            &key.name,
            stage.status.as_ref(),
            &status,
        )
        .await?;
    }
    outcome
}

/// Makes all Freight forget a Stage that goes, then lets it go.
async fn farewell(world: &World, api: &Api<Stage>, stage: &Stage) -> Result<(), Error> {
    for by in [By::CurrentlyIn, By::VerifiedIn, By::ApprovedFor] {
        for freight in world
            .stores
            .freight
            .find(by, stage.namespace(), stage.name())
        {
            freight::forget(world, stage.namespace(), stage.name(), freight.name()).await?;
        }
    }
    writes::release(api, stage).await
}

/// Looks at a Stage that promotes.
async fn promote(world: &World, api: &Api<Stage>, stage: &Stage) -> Result<Next, Error> {
    let gathered = Gathered::of(world, stage).await?;
    let plan = domain::stage::decide(&gathered.seen(stage));
    apply(world, api, stage, plan).await
}

/// What was read for one decision.
struct Gathered {
    now: Timestamp,
    config: Option<Arc<resources::ProjectConfig>>,
    promotions: Vec<Arc<Promotion>>,
    ended: Vec<Promotion>,
    next_freight: Option<Freight>,
    staying: Vec<Arc<Freight>>,
    held: Vec<Arc<Freight>>,
    choices: Vec<Choice<Arc<Freight>>>,
    fresh_id: String,
}

impl Gathered {
    async fn of(world: &World, stage: &Stage) -> Result<Self, Error> {
        let (stores, now) = (&world.stores, world.cx.now());
        let namespace = stage.namespace();
        let mut promotions = stores.promotions.find(By::Stage, namespace, stage.name());
        promotions.sort_by(|one, another| one.name().cmp(another.name()));
        let freight_by_name = |name: &str| stores.freight.get(&Key::new(namespace, name));
        let current = stage.current_freight();
        Ok(Self {
            now,
            config: stores.configs.get(&Key::new(namespace, namespace)),
            ended: ended(world, stage, &promotions).await?,
            next_freight: next_freight(world, stage, &promotions).await?,
            staying: stores
                .freight
                .find(By::CurrentlyIn, namespace, stage.name()),
            held: current
                .into_iter()
                .flat_map(resources::FreightCollection::references)
                .filter_map(|it| freight_by_name(&it.name))
                .collect(),
            choices: stage
                .spec
                .requested_freight
                .iter()
                .map(|it| choose(&world.cx.freight, stage, it, now))
                .collect(),
            fresh_id: uuid::Uuid::new_v4().to_string(),
            promotions,
        })
    }

    fn seen<'a>(&'a self, stage: &'a Stage) -> Seen<'a> {
        Seen {
            now: self.now,
            stage,
            config: self.config.as_deref(),
            promotions: &self.promotions,
            ended: &self.ended,
            next_freight: self.next_freight.as_ref(),
            staying: &self.staying,
            held: &self.held,
            choices: &self.choices,
            fresh_id: &self.fresh_id,
        }
    }
}

/// Reads the Promotions whole that the history lacks.
async fn ended(
    world: &World,
    stage: &Stage,
    promotions: &[Arc<Promotion>],
) -> Result<Vec<Promotion>, Error> {
    let api: Api<Promotion> = Api::namespaced(world.cx.controller.clone(), stage.namespace());
    let mut ended = Vec::new();
    for it in domain::stage::unsettled(stage, promotions) {
        ended.extend(
            api.get_opt(it.name())
                .await
                .map_err(|source| Error::api("read a Promotion that ended", source))?,
        );
    }
    Ok(ended)
}

/// Reads the Freight of the Promotion that comes next, unless the Stage knows it.
async fn next_freight(
    world: &World,
    stage: &Stage,
    promotions: &[Arc<Promotion>],
) -> Result<Option<Freight>, Error> {
    let current = stage.current_promotion().map(|it| it.name.as_str());
    match domain::stage::next(promotions).filter(|it| current != Some(it.name())) {
        Some(next) => freight::read(world, stage.namespace(), &next.spec.freight).await,
        None => Ok(None),
    }
}

async fn apply(world: &World, api: &Api<Stage>, stage: &Stage, plan: Plan) -> Result<Next, Error> {
    let Plan {
        status,
        freight: changes,
        promote,
        announce,
        again,
    } = plan;
    let (namespace, name) = (stage.namespace(), stage.name());
    writes::status(
        api,
        &world.stores.stages,
        name,
        stage.status.as_ref(),
        &status,
    )
    .await?;
    freight::apply(world, namespace, name, &changes).await?;
    for freight in promote {
        start(world, stage, freight).await?;
    }
    let recorder = recorder(world);
    for Announcement::Verification { freight, record } in announce {
        if let Some(freight) = freight::read(world, namespace, &freight).await? {
            let event = domain::event::freight_verified(&freight, name, &record, &recorder.actor());
            recorder.tell(event, world.cx.now()).await;
        }
    }
    Ok(again.into())
}

fn recorder(world: &World) -> Recorder {
    Recorder::new(
        world.cx.controller.clone(),
        world.cx.settings.shard.component("stage-controller"),
    )
}

/// Asks for a Promotion; admission fills in all but Stage and Freight.
async fn start(world: &World, stage: &Stage, freight: String) -> Result<(), Error> {
    let api: Api<Promotion> = Api::namespaced(world.cx.controller.clone(), stage.namespace());
    let mut promotion = Promotion::default();
    promotion.metadata.generate_name = Some("promo-".to_owned());
    promotion.metadata.namespace = Some(stage.namespace().to_owned());
    stage.name().clone_into(&mut promotion.spec.stage);
    promotion.spec.freight.clone_from(&freight);
    let created = match api
        .create(&PostParams::default(), &promotion)
        .await
        .map_err(|source| Error::api("create a Promotion", source))
    {
        Ok(created) => created,
        // A window may be closed, or a policy may say no: somebody else's decision, not our error.
        Err(error) if error.is_forbidden() => {
            tracing::info!(project = stage.namespace(), stage = stage.name(), freight, %error, "auto-promotion was forbidden");
            return Ok(());
        }
        Err(error) => return Err(error),
    };
    tracing::info!(
        project = stage.namespace(),
        stage = stage.name(),
        freight,
        promotion = created.name(),
        "auto-promotes Freight"
    );
    let whole = freight::read(world, stage.namespace(), &freight).await?;
    let recorder = recorder(world);
    let event =
        domain::event::promotion_created(&created, whole.as_ref(), stage.name(), &recorder.actor());
    world.stores.promotions.observe(created);
    recorder.tell(event, world.cx.now()).await;
    Ok(())
}
