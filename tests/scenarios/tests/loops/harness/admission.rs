//! Admission as far as the loops need it.

use std::sync::{Arc, Mutex};

use embedded_apiserver::AdmissionHook;
use kube::api::Api;
use kube::core::admission::{AdmissionResponse, Operation};
use resources::{Promotion, Stage};
use serde_json::json;
use testkit::World;

/// Has Promotions made from the templates of their Stages.
pub(crate) fn install(world: &World) {
    let client = world.client();
    let ulids = Arc::new(Mutex::new(ulid::Generator::new()));
    world.api().add_admission(AdmissionHook {
        name: "promotions".to_owned(),
        group: "kargo.akuity.io".to_owned(),
        resources: vec!["promotions".to_owned()],
        operations: vec![Operation::Create],
        mutating: true,
        review: Arc::new(move |request| {
            let client = client.clone();
            let ulid = ulids
                .lock()
                .expect("nobody panicked")
                .generate()
                .expect("a ulid can be made");
            Box::pin(async move {
                let response = AdmissionResponse::from(&request);
                let object = request.object.expect("a create has an object");
                let promotion: Promotion =
                    serde_json::from_value(serde_json::to_value(object).expect("json"))
                        .expect("a Promotion");
                let namespace = request.namespace.expect("Promotions have a namespace");
                let stages: Api<Stage> = Api::namespaced(client, &namespace);
                let Ok(stage) = stages.get(&promotion.spec.stage).await else {
                    return response.deny("no such Stage");
                };
                let mut steps = stage.steps().to_vec();
                for (index, step) in steps.iter_mut().enumerate() {
                    step.alias = step.name_at(index);
                }
                let name = resources::promotion::name(
                    stage.metadata.name.as_deref().unwrap_or_default(),
                    ulid,
                    &promotion.spec.freight,
                );
                let patch = json!([
                    {"op": "add", "path": "/metadata/name", "value": name},
                    {"op": "add", "path": "/spec/steps", "value": steps},
                ]);
                response
                    .with_patch(serde_json::from_value(patch).expect("a patch"))
                    .expect("a patch can be written")
            })
        }),
    });
}
