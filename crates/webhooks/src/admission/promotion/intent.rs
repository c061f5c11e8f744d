//! What a person means by promoting: to hold auto-promotion of an origin, or to let it go on.

use domain::{auto_promotion, availability};
use resources::names::annotation;
use resources::{Freight, ProjectConfig, Stage};
use serde_json::Value;

use super::super::refusal::Refusal;
use super::super::{Call, edit};

/// Actors of this kind act for the system, not for people.
const CONTROLLER: &str = "controller:";

/// Infers the intent and writes it down; what the client wrote about it is dropped.
///
/// Promoting what would be promoted anyway lets auto-promotion go on, promoting anything else holds it. Where the API
/// cannot be asked nothing is written: a Promotion is not refused for that.
pub(super) async fn infer(call: &Call<'_>, object: &mut Value, stage: &Stage, freight: &str) {
    if is_automatic(call, object) {
        return;
    }
    edit::annotation(object, annotation::AUTO_PROMOTION_HOLD, None);
    edit::annotation(object, annotation::AUTO_PROMOTION_RESUME, None);
    match find(call, stage, freight).await {
        Ok(Some((key, origin))) => edit::annotation(object, key, Some(&origin)),
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(stage = stage.name(), %error, "intent of a Promotion is unknown");
        }
    }
}

/// Says whether no person is behind the request. The API server names the person it asks for.
fn is_automatic(call: &Call<'_>, object: &Value) -> bool {
    let actor = object["metadata"]["annotations"][annotation::CREATE_ACTOR].as_str();
    call.requester.is_control_plane()
        && actor.is_none_or(|it| it.is_empty() || it.starts_with(CONTROLLER))
}

async fn find(
    call: &Call<'_>,
    stage: &Stage,
    freight: &str,
) -> Result<Option<(&'static str, String)>, Refusal> {
    let config: Option<ProjectConfig> = call.reader().find(call.namespace, call.namespace).await?;
    if !auto_promotion::enabled(config.as_ref(), stage) {
        return Ok(None);
    }
    let Some(freight) = call
        .reader()
        .find::<Freight>(call.namespace, freight)
        .await?
    else {
        return Ok(None);
    };
    let Some(request) = stage.request_for(&freight.origin) else {
        return Ok(None);
    };
    let choice = availability::choose(call.freight()?, stage, request, call.now).freight;
    let key = match choice {
        Some(choice) if choice.name() == freight.name() => annotation::AUTO_PROMOTION_RESUME,
        Some(_) | None => annotation::AUTO_PROMOTION_HOLD,
    };
    Ok(Some((key, freight.origin.key())))
}
