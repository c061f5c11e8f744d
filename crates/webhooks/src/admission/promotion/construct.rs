//! Makes a Promotion complete: its name, its steps without tasks, its labels and its owner.

use std::collections::HashMap;
use std::sync::Arc;

use domain::availability;
use domain::validation::{Cause, is_part_of_request};
use engine::task;
use kube::Resource;
use kube::api::Api;
use kube::core::admission::Operation;
use resources::names::{annotation, label, label_value};
use resources::request::AbortRequest;
use resources::{
    ClusterPromotionTask, Freight, FreightOrigin, Promotion, PromotionStep, PromotionTask, Stage,
    TaskKind, TaskReference, TaskSpec, Variable, promotion,
};
use serde_json::{Value, json};

use super::super::refusal::Refusal;
use super::super::{Call, edit, parse};
use super::intent;

/// Annotations that say what was so when the Promotion was created.
const LASTING: &[&str] = &[
    annotation::CREATE_ACTOR,
    annotation::AUTO_PROMOTION_HOLD,
    annotation::AUTO_PROMOTION_RESUME,
];

pub(crate) async fn default(call: &Call<'_>, object: &mut Value) -> Result<(), Refusal> {
    let written: Promotion = parse(object)?;
    let name = &written.spec.stage;
    let stage: Option<Stage> = call.reader().find(call.namespace, name).await?;
    match (call.operation(), stage) {
        (Operation::Create, None) => {
            let why = format!(
                "there is no such Stage in project {0:?}; to see those there are: kubectl -n {0} get stages",
                call.namespace
            );
            Err(invalid("spec.stage", name, why))
        }
        (Operation::Create, Some(stage)) => {
            construct(call, object, &written, &stage).await?;
            adorn(object, &written, &stage);
            Ok(())
        }
        (_, stage) => {
            let old: Promotion = call.old_object()?;
            for key in LASTING {
                edit::annotation(object, key, old.annotation(key));
            }
            sign_abort(call, object, &written, Some(&old));
            // A Promotion may outlive its Stage for a moment, and must be let go then.
            if let Some(stage) = stage {
                adorn(object, &written, &stage);
            }
            Ok(())
        }
    }
}

fn invalid(field: &str, value: impl std::fmt::Display, why: impl std::fmt::Display) -> Refusal {
    Refusal::Invalid {
        causes: vec![Cause::invalid(field, value, why)],
    }
}

async fn construct(
    call: &Call<'_>,
    object: &mut Value,
    written: &Promotion,
    stage: &Stage,
) -> Result<(), Refusal> {
    let mut freight = written.spec.freight.clone();
    if let Some(origin) = written.spec.origin.as_ref().filter(|_| freight.is_empty()) {
        candidate(call, stage, origin)?
            .name()
            .clone_into(&mut freight);
        object["spec"]["freight"] = json!(freight);
        edit::remove(&mut object["spec"], "origin");
    }
    if stage.is_control_flow() {
        let why = "the Stage defines no promotion steps: Freight passes through it by itself";
        return Err(invalid("spec.stage", stage.name(), why));
    }
    let ulid = call.admission.ulids.next(call.now);
    let name = match written.spec.target.as_str() {
        "" => promotion::name(stage.name(), ulid, &freight),
        target => promotion::target_name(stage.name(), target, ulid, &freight),
    };
    if !name.is_empty() {
        object["metadata"]["name"] = json!(name);
    }
    if !call.requester.is_control_plane() {
        edit::annotation(
            object,
            annotation::CREATE_ACTOR,
            Some(&call.requester.actor()),
        );
    }
    sign_abort(call, object, written, None);
    let vars = variables(stage);
    let steps = inflate(call, stage, &vars).await?;
    object["spec"]["vars"] = serde_json::to_value(&vars).map_err(Refusal::malformed)?;
    object["spec"]["steps"] = serde_json::to_value(&steps).map_err(Refusal::malformed)?;
    intent::infer(call, object, stage, &freight).await;
    Ok(())
}

/// The Freight of an origin that would be promoted by itself now.
fn candidate(
    call: &Call<'_>,
    stage: &Stage,
    origin: &FreightOrigin,
) -> Result<Arc<Freight>, Refusal> {
    let found = match stage.request_for(origin) {
        Some(request) => availability::choose(call.freight()?, stage, request, call.now).freight,
        None => None,
    };
    found.ok_or_else(|| {
        let why = format!(
            "Stage {:?} has no Freight of this origin to promote",
            stage.name()
        );
        invalid("spec.origin", origin, why)
    })
}

/// The variables of the Stage, then those of its template, which win.
fn variables(stage: &Stage) -> Vec<Variable> {
    let template = stage
        .spec
        .promotion_template
        .iter()
        .flat_map(|it| &it.spec.vars);
    stage.spec.vars.iter().chain(template).cloned().collect()
}

async fn inflate(
    call: &Call<'_>,
    stage: &Stage,
    vars: &[Variable],
) -> Result<Vec<PromotionStep>, Refusal> {
    let mut tasks: HashMap<(bool, String), TaskSpec> = HashMap::new();
    for reference in task::references(stage.steps()) {
        let key = key(reference);
        if tasks.contains_key(&key) {
            continue;
        }
        let found = match reference.kind() {
            TaskKind::PromotionTask => {
                let found: Option<PromotionTask> =
                    call.reader().find(call.namespace, &reference.name).await?;
                found.map(|it| it.spec)
            }
            TaskKind::ClusterPromotionTask => {
                let api: Api<ClusterPromotionTask> = Api::all(call.reader().client());
                call.reader()
                    .find_in(&api, &reference.name)
                    .await?
                    .map(|it| it.spec)
            }
        };
        if let Some(spec) = found {
            tasks.insert(key, spec);
        }
    }
    task::inflate(stage.steps(), vars, |reference| tasks.get(&key(reference))).map_err(|error| {
        invalid(
            "spec.stage",
            stage.name(),
            format!("its steps cannot be completed: {error}"),
        )
    })
}

fn key(reference: &TaskReference) -> (bool, String) {
    let is_cluster = match reference.kind() {
        TaskKind::PromotionTask => false,
        TaskKind::ClusterPromotionTask => true,
    };
    (is_cluster, reference.name.clone())
}

/// Writes down who asked for an abort, when somebody just did.
fn sign_abort(call: &Call<'_>, object: &mut Value, written: &Promotion, old: Option<&Promotion>) {
    let Some(request) = written.abort_request() else {
        return;
    };
    if old.and_then(Promotion::abort_request).as_ref() == Some(&request) {
        return;
    }
    let control_plane = call.requester.is_control_plane();
    let signed = AbortRequest {
        action: request.action,
        actor: if control_plane {
            request.actor
        } else {
            call.requester.actor()
        },
        control_plane,
    };
    edit::annotation(object, annotation::ABORT, Some(&signed.to_string()));
}

/// Puts on what Promotions are found by, and what they go away with.
fn adorn(object: &mut Value, written: &Promotion, stage: &Stage) {
    let shard = stage.spec.shard.as_str();
    edit::label(
        object,
        label::SHARD,
        Some(shard).filter(|it| !it.is_empty()),
    );
    edit::label(object, label::STAGE, Some(&label_value(stage.name())));
    edit::annotation(object, annotation::STAGE, Some(stage.name()));
    if !is_part_of_request(written) {
        let owner = stage.controller_owner_ref(&());
        object["metadata"]["ownerReferences"] = json!(owner.map(|it| [it]));
    }
}
