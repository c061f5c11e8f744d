//! What the kinds look like as JSON.

use kube_core::Resource;
use resources::{Project, PromotionPhase, Stage, Warehouse};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

fn check<T: Serialize + DeserializeOwned>(object: &Value) {
    let parsed: T = T::deserialize(object).expect("the object parses");
    assert_eq!(
        serde_json::to_value(&parsed).expect("the object is written"),
        *object
    );
}

#[test]
fn a_stage_is_written_as_it_was_read() {
    check::<Stage>(&json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Stage",
        "metadata": { "name": "test", "namespace": "demo" },
        "spec": {
            "requestedFreight": [{
                "origin": { "kind": "Warehouse", "name": "web" },
                "sources": { "stages": ["dev"], "requiredSoakTime": "1h30m0s", "availabilityStrategy": "All" },
            }],
            "promotionTemplate": { "spec": { "steps": [
                { "uses": "git-clone", "as": "clone", "if": "${{ true }}", "config": { "checkout": [1, null] } },
                { "task": { "name": "promote" }, "vars": [{ "name": "image", "value": "x" }] },
            ] } },
        },
        "status": { "currentPromotion": { "name": "p", "status": { "phase": "Running" } }, "health": { "status": "Strange" } },
    }));
}

#[test]
fn an_object_without_status_has_none() {
    check::<Project>(
        &json!({ "apiVersion": "kargo.akuity.io/v1alpha1", "kind": "Project", "metadata": { "name": "demo" } }),
    );
}

#[test]
fn a_warehouse_keeps_subscriptions_as_they_were_written() {
    check::<Warehouse>(&json!({
        "apiVersion": "kargo.akuity.io/v1alpha1",
        "kind": "Warehouse",
        "metadata": { "name": "web" },
        "spec": {
            "interval": "5m0s",
            "freightCreationPolicy": "Manual",
            "subscriptions": [{ "image": { "repoURL": "nginx", "unknown": [null, 1] } }, { "pypi": { "config": {} }, "name": "x" }],
        },
    }));
}

#[test]
fn short_and_endless_lengths_of_time_pass_the_schema() {
    let sources: resources::FreightSources =
        serde_json::from_value(json!({ "requiredSoakTime": "0.25s" })).expect("it parses");
    let written = serde_json::to_value(sources).expect("it is written");
    assert_eq!(written, json!({ "requiredSoakTime": "0.25s" }));
    let spec: resources::WarehouseSpec =
        serde_json::from_value(json!({ "interval": "99999999999h" })).expect("it parses");
    assert_eq!(spec.interval.as_nanos(), i64::MAX);
    assert!(
        serde_json::from_value::<resources::WarehouseSpec>(json!({ "interval": "soon" })).is_err()
    );
}

#[test]
fn an_empty_phase_is_none() {
    let status: resources::PromotionStatus =
        serde_json::from_value(json!({ "phase": "" })).expect("it parses");
    assert_eq!(status.phase, None);
    let phase = PromotionPhase::deserialize(json!("Succeeded")).expect("it parses");
    assert!(phase.is_terminal());
}

#[test]
fn objects_know_where_they_live() {
    assert_eq!(
        Stage::url_path(&(), Some("demo")),
        "/apis/kargo.akuity.io/v1alpha1/namespaces/demo/stages"
    );
}
