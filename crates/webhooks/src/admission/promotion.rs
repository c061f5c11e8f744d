//! Promotions: made complete when they are created, from what the Stage says then, and never changed.

mod construct;
mod intent;

use std::collections::BTreeSet;

use domain::message::with_next;
use domain::validation::{self, PromotionFacts};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::Api;
use kube::core::admission::Operation;
use resources::{Freight, GROUP, Promotion, PromotionRequest, Stage, Target};

pub(super) use self::construct::default;
use super::refusal::Refusal;
use super::{Access, Call, Warnings, events, steps};

pub(super) async fn validate(call: &Call<'_>) -> Result<Warnings, Refusal> {
    match call.operation() {
        Operation::Create => validate_create(call).await,
        Operation::Update => {
            let (old, new): (Promotion, Promotion) = (call.old_object()?, call.object()?);
            authorize(call, &new).await?;
            Refusal::unless_empty(validation::promotion_change(&old, &new))?;
            Ok(Warnings::new())
        }
        Operation::Delete => {
            authorize(call, &call.old_object()?).await?;
            Ok(Warnings::new())
        }
        Operation::Connect => Ok(Warnings::new()),
    }
}

async fn validate_create(call: &Call<'_>) -> Result<Warnings, Refusal> {
    let promotion: Promotion = call.object()?;
    let outside = call.reader().project(call.namespace).await?;
    authorize(call, &promotion).await?;
    let stage: Option<Stage> = call
        .reader()
        .find(call.namespace, &promotion.spec.stage)
        .await?;
    // Admission of defaults saw it a moment ago.
    let stage = stage.ok_or_else(|| Refusal::NotFound {
        message: with_next(
            format!("Stage {:?} not found", promotion.spec.stage),
            format!(
                "see which there are: kubectl get stages --namespace {}",
                call.namespace
            ),
        ),
    })?;
    let freight: Option<Freight> = call
        .reader()
        .find(call.namespace, &promotion.spec.freight)
        .await?;
    let mut causes = validation::promotion(&PromotionFacts {
        promotion: &promotion,
        stage: &stage,
        freight: freight.as_ref(),
        now: call.now,
    });
    causes.extend(outside);
    Refusal::unless_empty(causes)?;
    if !call.requester.is_control_plane() {
        let actor = call.requester.actor();
        let event = domain::event::Event {
            message: format!(
                "Promotion created for Stage {:?} by {actor:?}",
                promotion.spec.stage
            ),
            ..domain::event::promotion_created(&promotion, freight.as_ref(), stage.name(), &actor)
        };
        events::tell(call, "promotion-webhook", event).await;
    }
    Ok(steps::warnings("spec.steps", &promotion.spec.steps))
}

/// Says whether the requester may promote into the Stage, where anybody is asked.
async fn authorize(call: &Call<'_>, promotion: &Promotion) -> Result<(), Refusal> {
    match call.admission.settings.access {
        Access::Unchecked => return Ok(()),
        Access::Reviewed if call.requester.is_external_webhooks_server() => return Ok(()),
        Access::Reviewed => {}
    }
    let stage = &promotion.spec.stage;
    let review = SubjectAccessReview {
        spec: SubjectAccessReviewSpec {
            user: Some(call.requester.username.clone()),
            groups: Some(call.requester.groups.clone()),
            resource_attributes: Some(ResourceAttributes {
                group: Some(GROUP.to_owned()),
                resource: Some("stages".to_owned()),
                name: Some(stage.clone()),
                verb: Some("promote".to_owned()),
                namespace: Some(call.namespace.to_owned()),
                ..ResourceAttributes::default()
            }),
            ..SubjectAccessReviewSpec::default()
        },
        ..SubjectAccessReview::default()
    };
    let api: Api<SubjectAccessReview> = Api::all(call.reader().client());
    let answer = call.reader().create(&api, &review).await?;
    if answer.status.is_some_and(|it| it.allowed) {
        return Ok(());
    }
    let deed = match call.operation() {
        Operation::Create => "create",
        Operation::Update => "update",
        Operation::Delete => "delete",
        Operation::Connect => "connect to",
    };
    Err(Refusal::Forbidden {
        message: with_next(
            format!(
                "subject {:?} is not permitted to {deed} Promotions for Stage {stage:?}",
                call.requester.username
            ),
            "ask for a Role that lets you promote stages.kargo.akuity.io",
        ),
    })
}

pub(super) async fn validate_request(call: &Call<'_>) -> Result<Warnings, Refusal> {
    if *call.operation() == Operation::Delete {
        return Ok(Warnings::new());
    }
    let request: PromotionRequest = call.object()?;
    let stage: Option<Stage> = call
        .reader()
        .find(call.namespace, &request.spec.stage)
        .await?;
    let targets: Vec<Target> = call.reader().list(call.namespace).await?;
    let names: BTreeSet<String> = targets.iter().map(|it| it.name().to_owned()).collect();
    let mut causes = validation::promotion_request(&request, stage.as_ref(), &names);
    if call.is_create() {
        causes.extend(call.reader().project(call.namespace).await?);
    }
    Refusal::unless_empty(causes)?;
    Ok(Warnings::new())
}
