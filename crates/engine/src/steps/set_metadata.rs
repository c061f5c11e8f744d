//! `set-metadata`: keeps values on Stages and Freight, where later promotions and people find them.

use kube::{
    Api, Resource,
    api::{ApiResource, DynamicObject, PostParams},
};
use resources::{Freight, Stage};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Outcome, Step, StepError};
use crate::context::StepContext;

/// How often a write is tried again when somebody else wrote the object meanwhile.
const MOST_CONFLICTS: usize = 8;

#[derive(Debug, Deserialize)]
pub(super) struct SetMetadata {
    updates: Vec<Update>,
}

#[derive(Debug, Deserialize)]
struct Update {
    kind: Kind,
    name: String,
    values: Map<String, Value>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
enum Kind {
    Stage,
    Freight,
}

impl Step for SetMetadata {
    const KIND: &'static str = "set-metadata";

    async fn run(self, cx: &StepContext<'_>) -> Result<Outcome, StepError> {
        for update in &self.updates {
            let what = format!(
                "failed to set metadata of {:?} {:?}",
                update.kind, update.name
            );
            let kind = match update.kind {
                Kind::Stage => resource::<Stage>(),
                Kind::Freight => resource::<Freight>(),
            };
            let api = Api::namespaced_with(cx.outside().client.clone(), &cx.run.project, &kind);
            upsert(&api, update).await.map_err(|error| {
                let next = format!(
                    "see whether it is there: kubectl get {} {} --namespace {}",
                    kind.plural, update.name, cx.run.project
                );
                let errored = match error {
                    kube::Error::Api(status) => {
                        StepError::Errored(format!("{what}: {}", status.message))
                    }
                    error => StepError::errored(&what, &error),
                };
                errored.with_next(next)
            })?;
            cx.reached("set one");
        }
        Ok(Outcome::Done(Map::new()))
    }
}

fn resource<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// Adds or replaces the values. The whole status is written, since a merge patch would take a null for a deletion.
async fn upsert(api: &Api<DynamicObject>, update: &Update) -> kube::Result<()> {
    for attempt in 0.. {
        let mut object = api.get(&update.name).await?;
        let status = as_object(
            object
                .data
                .as_object_mut()
                .map(|it| it.entry("status").or_insert(Value::Null)),
        );
        let metadata = as_object(status.map(|it| it.entry("metadata").or_insert(Value::Null)));
        if let Some(metadata) = metadata {
            metadata.extend(update.values.clone());
        }
        match api
            .replace_status(&update.name, &PostParams::default(), &object)
            .await
        {
            Err(kube::Error::Api(status)) if status.code == 409 && attempt < MOST_CONFLICTS => {}
            Err(error) => return Err(error),
            Ok(_) => return Ok(()),
        }
    }
    Ok(())
}

fn as_object(value: Option<&mut Value>) -> Option<&mut Map<String, Value>> {
    let value = value?;
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}
