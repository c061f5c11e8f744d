//! Admission in process: the hooks of `webhooks`, asked by the embedded API.

use std::sync::Arc;

use controllers::FreightIndex;
use embedded_apiserver::{AdmissionHook, EmbeddedApi};
use futures::FutureExt as _;
use kube::Client;
pub(crate) use webhooks::admission::{Access, Settings};
use webhooks::admission::{Admission, HOOKS, Hook, Phase};

/// Has the API ask every hook from now on; `client` and `freight` read what their answers rest on.
pub(crate) fn install(
    api: &EmbeddedApi,
    client: Client,
    freight: &FreightIndex,
    settings: Settings,
) {
    let admission = Arc::new(Admission::new(
        client,
        Arc::new(freight.clone()),
        settings,
        Arc::new(jiff::Timestamp::now),
    ));
    for hook in HOOKS {
        api.add_admission(bound(hook, &admission));
    }
}

fn bound(hook: &Hook, admission: &Arc<Admission>) -> AdmissionHook {
    let Hook {
        name,
        phase,
        group,
        resources,
        operations,
    } = *hook;
    let admission = Arc::clone(admission);
    AdmissionHook {
        name: name.to_owned(),
        group: group.to_owned(),
        resources: resources
            .iter()
            .map(|&resource| resource.to_owned())
            .collect(),
        operations: operations.to_vec(),
        mutating: phase == Phase::Default,
        review: Arc::new(move |request| {
            let admission = Arc::clone(&admission);
            async move { admission.review(phase, request).await }.boxed()
        }),
    }
}
