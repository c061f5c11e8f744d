//! Warehouses: the shard as a label, and what subscriptions leave out.

use domain::validation;
use kube::core::admission::Operation;
use resources::Warehouse;
use resources::names::label;
use resources::subscription::DEFAULT_DISCOVERY_LIMIT;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Call, Warnings, edit};

pub(super) fn default(object: &mut Value) {
    let shard = object["spec"]["shard"].as_str().map(str::to_owned);
    edit::label(
        object,
        label::SHARD,
        shard.as_deref().filter(|it| !it.is_empty()),
    );
    let subscriptions = object
        .pointer_mut("/spec/subscriptions")
        .and_then(Value::as_array_mut);
    for subscription in subscriptions.into_iter().flatten() {
        let limit = ("discoveryLimit", json!(DEFAULT_DISCOVERY_LIMIT));
        let strict = ("strictSemvers", json!(true));
        let kinds = [
            (
                "git",
                vec![
                    ("commitSelectionStrategy", json!("NewestFromBranch")),
                    strict.clone(),
                    limit.clone(),
                ],
            ),
            (
                "image",
                vec![
                    ("imageSelectionStrategy", json!("SemVer")),
                    strict,
                    limit.clone(),
                ],
            ),
            ("chart", vec![limit]),
        ];
        for (kind, defaults) in kinds {
            let fields = subscription.get_mut(kind).and_then(Value::as_object_mut);
            let Some(fields) = fields else { continue };
            for (field, value) in defaults {
                if fields.get(field).is_none_or(is_unset) {
                    fields.insert(field.to_owned(), value);
                }
            }
        }
    }
}

fn is_unset(value: &Value) -> bool {
    value.is_null() || *value == json!("") || *value == json!(0)
}

pub(super) async fn validate(call: &Call<'_>) -> Result<Warnings, Refusal> {
    if *call.operation() == Operation::Delete {
        return Ok(Warnings::new());
    }
    let warehouse: Warehouse = call.object()?;
    let mut causes = validation::warehouse(&warehouse, call.cache_by_tag());
    if call.is_create() {
        causes.extend(call.reader().project(call.namespace).await?);
    }
    Refusal::unless_empty(causes)?;
    Ok(Warnings::new())
}
