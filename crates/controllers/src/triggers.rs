//! What wakes which loop. A trigger carries a name and nothing else: the loop looks at the world again.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use resources::{
    Freight, Promotion, Stage,
    condition::{self, HEALTHY},
    names::annotation,
};

use crate::{
    indexed_store::{Change, Indexed, IndexedStore},
    indexes::By,
    queue::{Key, Queue},
    shard::Shard,
    stores::{Queues, Stores},
};

/// Connects every store with the queues of the loops that its changes wake.
pub(crate) fn wire(stores: &Stores, queues: &Queues, shard: &Shard) {
    wake_itself(&stores.warehouses, &queues.warehouses, shard);
    wake_itself(&stores.stages, &queues.stages, shard);
    wake_itself(&stores.promotions, &queues.promotions, shard);
    wake_itself(&stores.configs, &queues.configs, shard);
    wake_itself(&stores.projects, &queues.projects, shard);

    let queue = Arc::clone(&queues.projects);
    stores
        .namespaces
        .listen(move |key, _| queue.add(Key::new("", &key.name)));

    let queue = Arc::clone(&queues.stages);
    stores.promotions.listen(move |key, change| {
        if let Some(stage) = stage_to_wake(&change) {
            queue.add(Key::new(&key.namespace, stage));
        }
    });

    let queue = Arc::clone(&queues.promotions);
    stores.stages.listen(move |key, change| {
        let named = |stage: &Stage| stage.current_promotion().map(|it| it.name.clone());
        let now_named = change.after.and_then(named);
        if let Some(name) =
            now_named.filter(|it| change.before.and_then(named).as_ref() != Some(it))
        {
            queue.add(Key::new(&key.namespace, &name));
        }
    });

    let (queue, stages) = (Arc::clone(&queues.stages), Arc::clone(&stores.stages));
    stores
        .freight
        .listen(move |key, change| wake_takers(key, &change, &stages, &queue));

    let (queue, stages) = (Arc::clone(&queues.stages), Arc::clone(&stores.stages));
    stores.configs.listen(move |key, change| {
        let policies = |config: &resources::ProjectConfig| config.spec.promotion_policies.clone();
        if change.before.map(policies) != change.after.map(policies) {
            for stage in stages.in_namespace(&key.namespace) {
                queue.add(Key::of(&*stage));
            }
        }
    });

    let queue = Arc::clone(&queues.projects);
    stores.stages.listen(move |key, change| {
        let healthy = |stage: &Stage| {
            stage
                .status
                .as_ref()
                .is_some_and(|it| is_healthy(&it.conditions))
        };
        wake_project(
            key,
            change.before.map(healthy),
            change.after.map(healthy),
            &queue,
        );
    });

    let queue = Arc::clone(&queues.projects);
    stores.warehouses.listen(move |key, change| {
        let healthy = |it: &resources::Warehouse| {
            it.status
                .as_ref()
                .is_some_and(|it| is_healthy(&it.conditions))
        };
        wake_project(
            key,
            change.before.map(healthy),
            change.after.map(healthy),
            &queue,
        );
    });
}

/// Wakes the loop of a kind when an object of it comes, goes, or asks for something; its status wakes nobody.
fn wake_itself<K: Indexed>(store: &IndexedStore<K>, queue: &Arc<Queue>, shard: &Shard) {
    let (queue, shard) = (Arc::clone(queue), shard.clone());
    store.listen(move |key, change| {
        let ours = change
            .after
            .or(change.before)
            .is_some_and(|it| shard.includes(it));
        if ours
            && change.before.map(|it| asked(it.meta())) != change.after.map(|it| asked(it.meta()))
        {
            queue.add(key.clone());
        }
    });
}

/// What a person or client may ask of an object with.
#[derive(PartialEq)]
struct Asked {
    generation: Option<i64>,
    terminating: bool,
    labels: Option<std::collections::BTreeMap<String, String>>,
    annotations: [Option<String>; 4],
}

fn asked(metadata: &ObjectMeta) -> Asked {
    let keys = [
        annotation::REFRESH,
        annotation::REVERIFY,
        annotation::ABORT,
        annotation::KEEP_NAMESPACE,
    ];
    Asked {
        generation: metadata.generation,
        terminating: metadata.deletion_timestamp.is_some(),
        labels: metadata.labels.clone(),
        annotations: keys.map(|it| metadata.annotations.as_ref()?.get(it).cloned()),
    }
}

/// A Stage looks again when one of its Promotions comes, goes, or moves to another phase.
fn stage_to_wake<'a>(change: &Change<'a, Promotion>) -> Option<&'a str> {
    let either = change.after.or(change.before)?;
    let moved = change.before.map(Promotion::phase) != change.after.map(Promotion::phase);
    moved.then_some(either.spec.stage.as_str())
}

/// Stages look again when Freight comes within their reach: made, verified upstream, soaking upstream, approved, or
/// entered by themselves.
fn wake_takers(
    key: &Key,
    change: &Change<'_, Freight>,
    stages: &IndexedStore<Stage>,
    queue: &Queue,
) {
    let Some(after) = change.after else { return };
    let wake = |by, value: &str| {
        for stage in stages.find(by, &key.namespace, value) {
            queue.add(Key::of(&*stage));
        }
    };
    let Some(before) = change.before else {
        return wake(By::DirectWarehouse, &after.origin.name);
    };
    let Some(status) = &after.status else { return };
    for stage in status.verified_in.keys() {
        let newly_in = after.is_currently_in(stage) && !before.is_currently_in(stage);
        if newly_in || !before.is_verified_in(stage) {
            wake(By::UpstreamStage, stage);
        }
    }
    for stage in status
        .approved_for
        .keys()
        .filter(|it| !before.is_approved_for(it))
    {
        queue.add(Key::new(&key.namespace, stage));
    }
}

fn is_healthy(conditions: &[Condition]) -> bool {
    condition::is_true(conditions, HEALTHY)
}

fn wake_project(key: &Key, before: Option<bool>, after: Option<bool>, queue: &Queue) {
    if before != after {
        queue.add(Key::new("", &key.namespace));
    }
}
