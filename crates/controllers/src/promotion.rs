//! Runs Promotions: one task per Promotion whose turn it is, its progress stored as it goes.

mod leftovers;
mod progress;

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use domain::message::with_next;
use domain::promotion::{Act, End, Plan, Seen, Work};
use engine::{Outcome, Progress, Run};
use kube::Api;
use parking_lot::Mutex;
use resources::{
    Freight, Promotion, PromotionPhase, PromotionStatus, Stage, names::annotation,
    request::VerificationRequest,
};
use tokio_util::sync::CancellationToken;

use self::progress::Log;
use crate::{
    Metrics, World,
    error::Error,
    freight,
    places::Share,
    queue::{Key, Next},
    recorder::Recorder,
    tasks::{Start, Task, Tasks},
    writes,
};

/// What a task leaves behind; nothing if it ended in a panic.
type Ended = Option<Outcome>;

/// The loop over Promotions.
pub(crate) struct Loop {
    world: Arc<World>,
    tasks: Tasks<Ended>,
    recorder: Recorder,
    /// Identities of Promotions that may have left files, for when only their name is left of them.
    started: Mutex<HashMap<Key, String>>,
}

impl Loop {
    pub(crate) fn new(world: Arc<World>, cancel: &CancellationToken) -> Self {
        let cx = &world.cx;
        let tasks = Tasks::new(
            Share::undivided(cx.settings.promotions),
            Arc::clone(&world.queues.promotions),
            cancel.clone(),
        );
        let recorder = Recorder::new(
            cx.controller.clone(),
            cx.settings.shard.component("promotion-controller"),
        );
        Self {
            tasks,
            recorder,
            started: Mutex::default(),
            world,
        }
    }

    pub(crate) async fn look(&self, key: Key) -> Result<Next, Error> {
        let known = self.world.stores.promotions.get(&key);
        let ours = |it: &Arc<Promotion>| self.world.cx.settings.shard.includes(&**it);
        match known.filter(ours) {
            None => self.forget(&key, None),
            Some(known) if known.is_terminal() => self.forget(&key, known.metadata.uid.as_deref()),
            // The store remembers neither steps nor outputs, and may be behind.
            Some(_) => match self.api(&key).get_opt(&key.name).await {
                Ok(Some(promotion)) => return self.look_at(&key, promotion).await,
                Ok(None) => self.forget(&key, None),
                Err(source) => return Err(Error::api("read a Promotion", source)),
            },
        }
        Ok(Next::OnChange)
    }

    async fn look_at(&self, key: &Key, promotion: Promotion) -> Result<Next, Error> {
        let before = promotion.status.clone();
        let (promotion, work) = self.gather_work(key, promotion);
        let stage = self
            .world
            .stores
            .stages
            .get(&Key::new(&key.namespace, &promotion.spec.stage));
        let freight = match work {
            Work::None | Work::Ended(End::Stopped) if !promotion.is_terminal() => {
                freight::read(&self.world, &key.namespace, &promotion.spec.freight).await?
            }
            Work::None | Work::Running | Work::Ended(_) => None,
        };
        let now = self.world.cx.now();
        let seen = Seen {
            now,
            promotion: &promotion,
            stage: stage.as_deref(),
            freight: freight.as_ref(),
            work,
        };
        let plan = domain::promotion::decide(&seen);
        self.apply(key, before.as_ref(), &seen, plan).await
    }

    /// Fetches what became of the task, and lays its progress over the status that was read.
    fn gather_work(&self, key: &Key, mut promotion: Promotion) -> (Promotion, Work) {
        let outcome = match self.tasks.take(key) {
            Task::None => return (promotion, Work::None),
            Task::Ended(None) => {
                let message =
                    "running the steps ended in a panic; this is a defect of Argosy".to_owned();
                return (promotion, Work::Ended(End::Retrying { message }));
            }
            Task::Running => return (promotion, Work::Running),
            Task::Ended(Some(outcome)) => outcome,
        };
        let (progress, end) = match outcome {
            Outcome::Finished(progress) => {
                let end = End::Finished {
                    phase: progress.phase.clone(),
                    message: progress.message.clone(),
                };
                (progress, end)
            }
            Outcome::Waiting { progress, after } => (progress, End::Waiting { after }),
            Outcome::Retry { progress, message } => (progress, End::Retrying { message }),
            Outcome::Interrupted(progress) => (progress, End::Stopped),
        };
        let status = promotion.status.get_or_insert_default();
        let phase = status.phase.clone();
        progress.write_to(status);
        // The phase is for the decision to change.
        status.phase = phase;
        (promotion, Work::Ended(end))
    }

    async fn apply(
        &self,
        key: &Key,
        before: Option<&PromotionStatus>,
        seen: &Seen<'_>,
        plan: Plan,
    ) -> Result<Next, Error> {
        let Plan {
            status,
            act,
            again,
            reverify,
        } = plan;
        match act {
            Act::CleanUp => {
                self.forget(key, seen.promotion.metadata.uid.as_deref());
                return Ok(Next::OnChange);
            }
            Act::Rest | Act::Start | Act::Stop => self.write(key, before, &status).await?,
            Act::End => self.write_end(key, before, &status).await?,
        }
        match act {
            Act::Start => self.start(key, seen.promotion, seen.stage, seen.freight, status),
            Act::Stop => self.tasks.stop(key),
            Act::End => {
                self.forget(key, seen.promotion.metadata.uid.as_deref());
                self.announce(key, seen, status).await?;
                if let (Some(request), Some(stage)) = (reverify, seen.stage) {
                    self.ask_to_verify_again(key, stage, &request).await?;
                }
            }
            Act::Rest | Act::CleanUp => {}
        }
        Ok(again.into())
    }

    async fn ask_to_verify_again(
        &self,
        key: &Key,
        stage: &Stage,
        request: &VerificationRequest,
    ) -> Result<(), Error> {
        let stages: Api<Stage> = Api::namespaced(self.world.cx.controller.clone(), &key.namespace);
        let value = request.to_string();
        match writes::annotation(&stages, stage.name(), annotation::REVERIFY, Some(&value)).await {
            Err(error) if !error.is_not_found() => Err(error),
            _ => Ok(()),
        }
    }

    fn api(&self, key: &Key) -> Api<Promotion> {
        Api::namespaced(self.world.cx.controller.clone(), &key.namespace)
    }

    async fn write(
        &self,
        key: &Key,
        before: Option<&PromotionStatus>,
        status: &PromotionStatus,
    ) -> Result<(), Error> {
        writes::status(
            &self.api(key),
            &self.world.stores.promotions,
            &key.name,
            before,
            status,
        )
        .await
    }

    /// Writes how a Promotion ended; if outputs make the object too large, the end is written without them.
    async fn write_end(
        &self,
        key: &Key,
        before: Option<&PromotionStatus>,
        status: &PromotionStatus,
    ) -> Result<(), Error> {
        match self.write(key, before, status).await {
            Err(error) if error.is_refusal() => {
                let mut smaller = before.cloned().unwrap_or_default();
                smaller.phase = Some(PromotionPhase::Errored);
                smaller.message = with_next(
                    format!("the result was refused by the API: {error}"),
                    "let steps give smaller outputs",
                );
                smaller.finished_at.clone_from(&status.finished_at);
                self.write(key, before, &smaller).await
            }
            other => other,
        }
    }

    async fn announce(
        &self,
        key: &Key,
        seen: &Seen<'_>,
        status: PromotionStatus,
    ) -> Result<(), Error> {
        let mut ended = seen.promotion.clone();
        let phase = status
            .phase
            .as_ref()
            .map_or("", PromotionPhase::as_str)
            .to_owned();
        tracing::info!(project = %key.namespace, promotion = %key.name, phase, why = status.message, "a Promotion ended");
        Metrics::ended(&self.world.cx.metrics.promotions, &phase);
        ended.status = Some(status);
        let freight = freight::read(&self.world, &key.namespace, &ended.spec.freight).await?;
        if let Some(event) = domain::event::promotion_ended(
            &ended,
            freight.as_ref(),
            seen.stage,
            &self.recorder.actor(),
        ) {
            self.recorder.tell(event, self.world.cx.now()).await;
        }
        Ok(())
    }

    /// Lets go of a Promotion that is over: its task, its files, its failures.
    fn forget(&self, key: &Key, uid: Option<&str>) {
        self.tasks.stop(key);
        self.world.queues.promotions.forget(key);
        let known = match self.tasks.take(key) {
            // Its files go when it has ended, which wakes the loop again.
            Task::Running => return,
            Task::None | Task::Ended(_) => self.started.lock().remove(key),
        };
        if let Some(uid) = uid.map(str::to_owned).or(known)
            && let Err(error) = engine::remove_work_dir(&self.world.cx.engine.work_root, &uid)
        {
            tracing::warn!(promotion = %key, %error, "the work directory could not be removed");
        }
    }

    fn start(
        &self,
        key: &Key,
        promotion: &Promotion,
        stage: Option<&Stage>,
        freight: Option<&Freight>,
        status: PromotionStatus,
    ) {
        let (Some(stage), Some(freight), Some(uid)) =
            (stage, freight, promotion.metadata.uid.clone())
        else {
            return;
        };
        let run = Run {
            project: key.namespace.to_string(),
            stage: stage.name().to_owned(),
            promotion: promotion.name().to_owned(),
            promotion_uid: uid.clone(),
            actor: promotion.create_actor().map(str::to_owned),
            rollback: promotion.annotation(annotation::ROLLBACK) == Some("true"),
            freight: freight.reference(),
            freight_alias: freight.alias.clone(),
            freight_collection: status.freight_collection.clone().unwrap_or_default(),
            requested_freight: stage.spec.requested_freight.clone(),
            vars: promotion.spec.vars.clone(),
            steps: promotion.spec.steps.clone(),
            progress: Progress::of(&status),
        };
        let log = Log::new(self.api(key), key.clone(), status);
        let engine = self.world.cx.engine.clone();
        let running = key.clone();
        let work = |start: Start| async move {
            let Start {
                cancel,
                waited,
                // It works all the time.
                seat: _,
            } = start;
            tracing::info!(project = %running.namespace, promotion = %running.name, ?waited, "runs the steps of a Promotion");
            Some(engine::run(run, &engine, &log, cancel).await)
        };
        if self.tasks.start(key, work, || None) {
            self.started.lock().insert(key.clone(), uid);
        }
    }

    /// Removes what was left on disk by Promotions that ended while no process was there to see it.
    pub(crate) async fn tidy_up(&self) {
        let open = self
            .world
            .stores
            .promotions
            .all()
            .into_iter()
            .filter(|it| !it.is_terminal());
        let open: BTreeSet<String> = open.filter_map(|it| it.metadata.uid.clone()).collect();
        let (root, now) = (self.world.cx.engine.work_root.clone(), self.world.cx.now());
        let removing = tokio::task::spawn_blocking(move || leftovers::remove(&root, &open, now));
        if removing.await.is_err() {
            tracing::warn!("looking for what Promotions left ended in a panic");
        }
    }

    /// Waits until no steps are being run any more.
    pub(crate) async fn ended(&self) {
        self.tasks.ended(self.world.cx.settings.patience).await;
    }
}
