//! Admission in process, as `argosy up` has it.

use std::sync::Arc;

use embedded_apiserver::AdmissionHook;
use testkit::World;
use webhooks::admission::{Access, Admission, HOOKS, Phase, Settings};

use super::{Clock, NAMESPACE};

/// Has every object defaulted and validated.
pub(crate) fn install(world: &World, clock: &Clock) {
    let settings = Settings {
        namespace: NAMESPACE.to_owned(),
        access: Access::Unchecked,
    };
    let clock = clock.clone();
    let admission = Admission::new(world.client(), settings, Arc::new(move || clock.now()));
    let admission = Arc::new(admission);
    for hook in HOOKS {
        let (admission, phase) = (Arc::clone(&admission), hook.phase);
        world.api().add_admission(AdmissionHook {
            name: hook.name.to_owned(),
            group: hook.group.to_owned(),
            resources: hook.resources.iter().map(|it| (*it).to_owned()).collect(),
            operations: hook.operations.to_vec(),
            mutating: phase == Phase::Default,
            review: Arc::new(move |request| {
                let admission = Arc::clone(&admission);
                Box::pin(async move { admission.review(phase, request).await })
            }),
        });
    }
}
