//! Admission as clients of the API see it.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use controllers::FreightIndex;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace};
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use kube::core::NamespaceResourceScope;
use kube::core::admission::AdmissionResponse;
use kube::{Client, Resource};
use resources::names::{annotation, label};
use resources::{Freight, Promotion, Stage, Warehouse};
use scenarios::admission;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use testkit::{UserInfo, World};
use webhooks::admission::{Phase, Request};

const PROJECT: &str = "demo";
const CONTROLLER: &str = "system:serviceaccount:argosy:kargo-controller";

/// A world that asks for admission, with a project in it, and where Freight is looked up.
async fn world() -> Result<(World, FreightIndex)> {
    let world = World::new().await?;
    let index = admission::install(&world, Arc::new(Timestamp::now)).await?;
    world
        .apply("{apiVersion: kargo.akuity.io/v1alpha1, kind: Project, metadata: {name: demo}}")
        .await?;
    Ok((world, index))
}

fn user(name: &str) -> UserInfo {
    UserInfo {
        username: Some(name.to_owned()),
        ..UserInfo::default()
    }
}

fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(client: Client) -> Api<K> {
    Api::namespaced(client, PROJECT)
}

async fn create<K>(client: Client, object: Value) -> kube::Result<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    let object = serde_json::from_value(object).expect("the object has the right shape");
    api::<K>(client)
        .create(&PostParams::default(), &object)
        .await
}

/// The code of a refusal and its causes.
#[track_caller]
fn refusal<T: std::fmt::Debug>(answer: kube::Result<T>) -> (u16, Vec<String>) {
    let Err(kube::Error::Api(status)) = answer else {
        panic!("{answer:?} is no refusal");
    };
    let causes = status.details.iter().flat_map(|it| &it.causes);
    (status.code, causes.map(|it| it.field.clone()).collect())
}

fn warehouse() -> Value {
    json!({ "metadata": { "name": "web" }, "spec": {
        "interval": "5m", "freightCreationPolicy": "Manual",
        "subscriptions": [{ "image": { "repoURL": "ghcr.io/acme/web", "unknown": 1 } }],
    } })
}

fn freight(tag: &str) -> Value {
    json!({ "metadata": { "name": "ignored" }, "origin": { "kind": "Warehouse", "name": "web" },
        "images": [{ "repoURL": "ghcr.io/acme/web", "tag": tag, "digest": "sha256:00" }] })
}

fn stage(name: &str, sources: &Value) -> Value {
    json!({ "metadata": { "name": name }, "spec": {
        "shard": "blue",
        "vars": [{ "name": "a", "value": "1" }],
        "requestedFreight": [{ "origin": { "kind": "Warehouse", "name": "web" }, "sources": sources }],
        "promotionTemplate": { "spec": { "vars": [{ "name": "b", "value": "2" }], "steps": [
            { "uses": "compose-output", "as": "first", "config": { "x": "${{ vars.a }}" } },
            { "task": { "name": "shared" }, "as": "work", "vars": [{ "name": "c", "value": "3" }] },
        ] } },
    } })
}

const TASK: &str = "
apiVersion: kargo.akuity.io/v1alpha1
kind: PromotionTask
metadata: {name: shared, namespace: demo}
spec:
  vars: [{name: c}]
  steps: [{uses: fail, as: stop}]
";

/// A project with a Warehouse, its first Freight and two Stages, `test` and then `uat`.
async fn pipeline() -> Result<(World, FreightIndex, Freight)> {
    let (world, index) = world().await?;
    create::<Warehouse>(world.client(), warehouse()).await?;
    world.apply(TASK).await?;
    let sources = json!({ "direct": true });
    create::<Stage>(world.client(), stage("test", &sources)).await?;
    let sources = json!({ "stages": ["test"] });
    create::<Stage>(world.client(), stage("uat", &sources)).await?;
    let freight = create::<Freight>(world.client(), freight("1.0.0")).await?;
    admission::indexed(&world, &index, &freight).await?;
    Ok((world, index, freight))
}

fn minimal(stage: &str, freight: &str) -> Value {
    json!({ "metadata": { "generateName": "promo-" }, "spec": { "stage": stage, "freight": freight, "steps": [] } })
}

#[tokio::test]
async fn a_project_has_its_namespace_at_once() -> Result<()> {
    let (world, _) = world().await?;
    let namespaces: Api<Namespace> = Api::all(world.client());
    let namespace = namespaces.get(PROJECT).await?;
    let labels = namespace.metadata.labels.unwrap_or_default();
    assert_eq!(labels.get(label::PROJECT).map(String::as_str), Some("true"));
    let taken = serde_json::from_value(json!({ "metadata": { "name": "taken" } }))?;
    namespaces.create(&PostParams::default(), &taken).await?;
    let projects: Api<resources::Project> = Api::all(world.client());
    let project = serde_json::from_value(json!({ "metadata": { "name": "taken" } }))?;
    let refused = projects.create(&PostParams::default(), &project).await;
    assert_eq!(refusal(refused).0, 409);
    Ok(())
}

#[tokio::test]
async fn a_warehouse_gets_its_defaults_and_keeps_the_rest() -> Result<()> {
    let (world, _) = world().await?;
    let mut object = warehouse();
    object["spec"]["shard"] = json!("blue");
    let made: Warehouse = create(world.client(), object).await?;
    let expected = json!({ "image": {
        "repoURL": "ghcr.io/acme/web", "unknown": 1,
        "imageSelectionStrategy": "SemVer", "strictSemvers": true, "discoveryLimit": 20,
    } });
    assert_eq!(made.spec.subscriptions[0].0, expected);
    assert_eq!(made.label(label::SHARD), Some("blue"));
    let mut faulty = warehouse();
    faulty["metadata"]["name"] = json!("faulty");
    faulty["spec"]["subscriptions"] =
        json!([{ "pypi": {} }, { "image": { "repoURL": "https://x" } }]);
    let (code, fields) = refusal(create::<Warehouse>(world.client(), faulty).await);
    assert_eq!(code, 422);
    assert_eq!(
        fields,
        [
            "spec.subscriptions[0].pypi",
            "spec.subscriptions[1].image.repoURL"
        ]
    );
    Ok(())
}

#[tokio::test]
async fn freight_is_named_by_what_is_in_it() -> Result<()> {
    let (world, _, first) = pipeline().await?;
    assert_eq!(first.name(), first.generate_name());
    assert_eq!(first.label(label::ALIAS), Some(first.alias.as_str()));
    assert!(!first.alias.is_empty() && first.discovered_at.is_some());
    let (code, _) = refusal(create::<Freight>(world.client(), freight("1.0.0")).await);
    assert_eq!(code, 409);
    let mut same_alias = freight("2.0.0");
    same_alias["alias"] = json!(first.alias);
    same_alias["images"][0]["repoURL"] = json!("ghcr.io/acme/other");
    let (code, fields) = refusal(create::<Freight>(world.client(), same_alias).await);
    assert_eq!(
        (code, fields),
        (
            422,
            vec![
                "images[0]".to_owned(),
                "images".to_owned(),
                "alias".to_owned()
            ]
        )
    );
    let patch = Patch::Merge(json!({ "images": [] }));
    let parameters = PatchParams::default();
    let (code, _) = refusal(
        api::<Freight>(world.client())
            .patch(first.name(), &parameters, &patch)
            .await,
    );
    assert_eq!(code, 422);
    Ok(())
}

#[tokio::test]
async fn freight_that_a_stage_holds_stays() -> Result<()> {
    let (world, _, freight) = pipeline().await?;
    let parameters = PatchParams::default();
    let all: Api<Freight> = api(world.client());
    let reference = serde_json::to_value(freight.reference())?;
    let history = json!([{ "id": "x", "items": { "Warehouse/web": reference } }]);
    let holds = Patch::Merge(json!({ "status": { "freightHistory": history } }));
    api::<Stage>(world.client())
        .patch_status("test", &parameters, &holds)
        .await?;
    let refused = all.delete(freight.name(), &DeleteParams::default()).await;
    assert_eq!(refusal(refused).0, 403);
    let empty = Patch::Merge(json!({ "status": { "freightHistory": [] } }));
    api::<Stage>(world.client())
        .patch_status("test", &parameters, &empty)
        .await?;
    all.delete(freight.name(), &DeleteParams::default()).await?;
    Ok(())
}

#[tokio::test]
async fn an_approval_by_a_person_is_told_and_makes_freight_available() -> Result<()> {
    let (world, _, freight) = pipeline().await?;
    let jane = world.api().client_as(user("jane"));
    let approval = Patch::Merge(
        json!({ "status": { "approvedFor": { "uat": { "approvedAt": "2026-01-01T00:00:00Z" } } } }),
    );
    let all: Api<Freight> = api(jane.clone());
    all.patch_status(freight.name(), &PatchParams::default(), &approval)
        .await?;
    let events: Api<Event> = api(world.client());
    let told = events.list(&kube::api::ListParams::default()).await?.items;
    let event = told
        .iter()
        .find(|it| it.reason.as_deref() == Some("FreightApproved"))
        .context("an event")?;
    let actor = event
        .metadata
        .annotations
        .as_ref()
        .and_then(|it| it.get("event.kargo.akuity.io/actor"));
    assert_eq!(actor.map(String::as_str), Some("kubernetes:jane"));
    let promotion: Promotion = create(jane, minimal("uat", freight.name())).await?;
    assert_eq!(promotion.spec.stage, "uat");
    Ok(())
}

#[tokio::test]
async fn a_promotion_is_made_complete() -> Result<()> {
    let (world, _, freight) = pipeline().await?;
    let client = world.api().client_as(user("jane"));
    let promotion: Promotion = create(client, minimal("test", freight.name())).await?;
    let parts: Vec<&str> = promotion.name().split('.').collect();
    assert_eq!(
        (parts[0], parts[1].len(), parts[2]),
        ("test", 26, &freight.name()[..7])
    );
    assert_eq!(promotion.create_actor(), Some("kubernetes:jane"));
    assert_eq!(promotion.shard(), Some("blue"));
    assert_eq!(promotion.label(label::STAGE), Some("test"));
    assert_eq!(promotion.annotation(annotation::STAGE), Some("test"));
    let owners = promotion
        .metadata
        .owner_references
        .as_ref()
        .context("an owner")?;
    assert_eq!(
        (
            owners[0].kind.as_str(),
            owners[0].name.as_str(),
            owners[0].controller
        ),
        ("Stage", "test", Some(true))
    );
    let vars: Vec<&str> = promotion
        .spec
        .vars
        .iter()
        .map(|it| it.name.as_str())
        .collect();
    assert_eq!(vars, ["a", "b"]);
    let steps: Vec<_> = promotion
        .spec
        .steps
        .iter()
        .map(|it| (it.alias.as_str(), it.uses.as_str()))
        .collect();
    assert_eq!(steps, [("first", "compose-output"), ("work::stop", "fail")]);
    let second: Promotion = create(world.client(), minimal("test", freight.name())).await?;
    assert!(promotion.name() < second.name());
    let events: Api<Event> = api(world.client());
    let told = events.list(&kube::api::ListParams::default()).await?.items;
    assert!(
        told.iter()
            .any(|it| it.reason.as_deref() == Some("PromotionCreated"))
    );
    Ok(())
}

#[tokio::test]
async fn a_promotion_by_origin_takes_what_would_be_promoted() -> Result<()> {
    let (world, _, freight) = pipeline().await?;
    let origin = json!({ "kind": "Warehouse", "name": "web" });
    let by_origin = |stage: &str| json!({ "metadata": { "generateName": "promo-" }, "spec": { "stage": stage, "origin": origin, "steps": [] } });
    let promotion: Promotion = create(world.client(), by_origin("test")).await?;
    assert_eq!(promotion.spec.freight, freight.name());
    assert_eq!(promotion.spec.origin, None);
    let (code, fields) = refusal(create::<Promotion>(world.client(), by_origin("uat")).await);
    assert_eq!((code, fields), (422, vec!["spec.origin".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn a_promotion_that_cannot_be_is_refused_with_its_field() -> Result<()> {
    let (world, _, freight) = pipeline().await?;
    let refused = |stage: &str, freight: &str| {
        let answer = create::<Promotion>(world.client(), minimal(stage, freight));
        async { refusal(answer.await) }
    };
    let field = |it: &str| (422, vec![it.to_owned()]);
    assert_eq!(
        refused("nowhere", freight.name()).await,
        field("spec.stage")
    );
    assert_eq!(refused("uat", freight.name()).await, field("spec.freight"));
    assert_eq!(refused("test", "missing").await, field("spec.freight"));
    let control_flow = json!({ "metadata": { "name": "gate" }, "spec": { "requestedFreight": [
        { "origin": { "kind": "Warehouse", "name": "web" }, "sources": { "direct": true } },
    ] } });
    create::<Stage>(world.client(), control_flow).await?;
    assert_eq!(refused("gate", freight.name()).await, field("spec.stage"));
    Ok(())
}

#[tokio::test]
async fn nothing_of_a_promotion_changes_and_nothing_about_its_making_is_forged() -> Result<()> {
    let (world, _, freight) = pipeline().await?;
    let jane = world.api().client_as(user("jane"));
    let promotion: Promotion = create(jane.clone(), minimal("test", freight.name())).await?;
    let all: Api<Promotion> = api(jane);
    let parameters = PatchParams::default();
    let patch = Patch::Merge(json!({ "spec": { "stage": "uat" } }));
    assert_eq!(
        refusal(all.patch(promotion.name(), &parameters, &patch).await).0,
        422
    );
    let forged = json!({ "metadata": { "annotations": {
        annotation::CREATE_ACTOR: "kubernetes:john",
        annotation::AUTO_PROMOTION_RESUME: "Warehouse/web",
        annotation::ABORT: "terminate",
    } } });
    let changed = all
        .patch(promotion.name(), &parameters, &Patch::Merge(forged))
        .await?;
    assert_eq!(changed.create_actor(), Some("kubernetes:jane"));
    assert_eq!(changed.annotation(annotation::AUTO_PROMOTION_RESUME), None);
    let abort = changed.abort_request().context("an abort")?;
    assert_eq!(
        (
            abort.action.as_str(),
            abort.actor.as_str(),
            abort.control_plane
        ),
        ("terminate", "kubernetes:jane", false)
    );
    Ok(())
}

#[tokio::test]
async fn promoting_by_hand_holds_or_resumes_auto_promotion() -> Result<()> {
    let (world, index, old) = pipeline().await?;
    let config = "{apiVersion: kargo.akuity.io/v1alpha1, kind: ProjectConfig, metadata: {name: demo, namespace: demo}, \
         spec: {promotionPolicies: [{stageSelector: {name: test}, autoPromotionEnabled: true}]}}";
    world.apply(config).await?;
    let mut newer = freight("2.0.0");
    newer["discoveredAt"] = json!("2999-01-01T00:00:00Z");
    let newer: Freight = create(world.client(), newer).await?;
    admission::indexed(&world, &index, &newer).await?;
    let by_hand: Promotion = create(world.client(), minimal("test", old.name())).await?;
    assert_eq!(
        by_hand.annotation(annotation::AUTO_PROMOTION_HOLD),
        Some("Warehouse/web")
    );
    let by_hand: Promotion = create(world.client(), minimal("test", newer.name())).await?;
    assert_eq!(
        by_hand.annotation(annotation::AUTO_PROMOTION_RESUME),
        Some("Warehouse/web")
    );
    let controller = world.api().client_as(user(CONTROLLER));
    let by_itself: Promotion = create(controller, minimal("test", old.name())).await?;
    assert_eq!(by_itself.annotation(annotation::AUTO_PROMOTION_HOLD), None);
    assert_eq!(by_itself.create_actor(), None);
    Ok(())
}

#[tokio::test]
async fn a_request_to_verify_again_is_signed() -> Result<()> {
    let (world, _, _) = pipeline().await?;
    let all: Api<Stage> = api(world.api().client_as(user("jane")));
    let patch = json!({ "metadata": { "annotations": { annotation::REVERIFY: "some-id" } } });
    let stage = all
        .patch("test", &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    let request = stage.reverify_request().context("a request")?;
    assert_eq!(
        (request.id.as_str(), request.actor.as_str()),
        ("some-id", "kubernetes:jane")
    );
    Ok(())
}

/// Asks about one object as an API server does, beside the world's own.
async fn review(world: &World, resource: &str, object: Value) -> Result<AdmissionResponse> {
    let admission = admission::admission(world, &FreightIndex::new(), Arc::new(Timestamp::now));
    let request: Request = serde_json::from_value(json!({
        "uid": "1", "operation": "CREATE", "userInfo": {}, "namespace": PROJECT, "object": object, "dryRun": true,
        "kind": { "group": "kargo.akuity.io", "version": "v1alpha1", "kind": object["kind"] },
        "resource": { "group": "kargo.akuity.io", "version": "v1alpha1", "resource": resource },
    }))?;
    Ok(admission.review(Phase::Validate, request).await)
}

#[tokio::test]
async fn a_step_that_does_not_exist_is_a_warning() -> Result<()> {
    let (world, _) = world().await?;
    let mut object = stage("test", &json!({ "direct": true }));
    object["apiVersion"] = json!("kargo.akuity.io/v1alpha1");
    object["kind"] = json!("Stage");
    object["spec"]["promotionTemplate"]["spec"]["steps"][0]["uses"] = json!("jira-comment");
    let answer = review(&world, "stages", object).await?;
    let warnings = answer.warnings.unwrap_or_default();
    assert!(answer.allowed && warnings.len() == 1, "{warnings:?}");
    assert!(warnings[0].starts_with(
        "spec.promotionTemplate.spec.steps[0].uses: there is no step kind \"jira-comment\""
    ));
    Ok(())
}

#[tokio::test]
async fn a_dry_run_makes_no_namespace() -> Result<()> {
    let (world, _) = world().await?;
    let object = json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Project", "metadata": { "name": "other" } });
    assert!(review(&world, "projects", object).await?.allowed);
    let namespaces: Api<Namespace> = Api::all(world.client());
    assert!(namespaces.get_opt("other").await?.is_none());
    Ok(())
}

#[tokio::test]
async fn an_object_of_the_wrong_shape_is_a_bad_request() -> Result<()> {
    let (world, _) = world().await?;
    let object = json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Stage", "metadata": {}, "spec": "text" });
    let answer = review(&world, "stages", object).await?;
    assert_eq!((answer.allowed, answer.result.code), (false, 400));
    Ok(())
}

#[tokio::test]
async fn freight_is_refused_until_the_freight_there_is_has_been_read() -> Result<()> {
    let (world, _) = world().await?;
    create::<Warehouse>(world.client(), warehouse()).await?;
    let mut object = freight("1.0.0");
    object["apiVersion"] = json!("kargo.akuity.io/v1alpha1");
    object["kind"] = json!("Freight");
    object["alias"] = json!("some-alias");
    let answer = review(&world, "freights", object).await?;
    assert_eq!((answer.allowed, answer.result.code), (false, 503));
    assert!(answer.result.message.contains("kubectl get --raw /readyz"));
    Ok(())
}

#[tokio::test]
async fn objects_live_in_projects_only() -> Result<()> {
    let (world, _) = world().await?;
    let namespaces: Api<Namespace> = Api::all(world.client());
    let plain = serde_json::from_value(json!({ "metadata": { "name": "plain" } }))?;
    namespaces.create(&PostParams::default(), &plain).await?;
    let object: Warehouse = serde_json::from_value(warehouse())?;
    let plain: Api<Warehouse> = Api::namespaced(world.client(), "plain");
    let (code, fields) = refusal(plain.create(&PostParams::default(), &object).await);
    assert_eq!((code, fields), (422, vec!["metadata.namespace".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn copies_of_shared_objects_are_not_touched() -> Result<()> {
    let (world, _) = world().await?;
    let copy = json!({ "metadata": { "name": "ca", "labels": { label::REPLICATED_FROM: "ca" } } });
    let jane = world.api().client_as(user("jane"));
    let (code, _) = refusal(create::<ConfigMap>(jane, copy.clone()).await);
    assert_eq!(code, 403);
    let manager = user("system:serviceaccount:argosy:kargo-management-controller");
    create::<ConfigMap>(world.api().client_as(manager), copy).await?;
    Ok(())
}
