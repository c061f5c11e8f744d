//! Answers calls from the cluster: one look at each object.

use std::{collections::BTreeMap, time::Duration};

use domain::message::in_one_line;
use expr::{Call, Map, Value};
use futures::lock::Mutex;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, Resource,
    api::{ApiResource, DynamicObject},
};
use resources::{Freight, FreightOrigin, Stage, Warehouse, names::label};
use serde_json::Value as Json;

use super::artifacts::Wanted;
use crate::{context::Context, environment::EvaluationError, run::Run};

/// How long one object may take.
const TIME_OUT: Duration = Duration::from_secs(30);

/// Reads what expressions of one attempt ask for.
pub(crate) struct Reader<'a> {
    run: &'a Run,
    cx: &'a Context,
    /// Objects read so far, by kind, namespace and name; none is missing.
    seen: Mutex<BTreeMap<(String, String, String), Option<Json>>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(run: &'a Run, cx: &'a Context) -> Self {
        Self {
            run,
            cx,
            seen: Mutex::default(),
        }
    }

    /// Answers a call; an answer may be an error of the expression's own making.
    ///
    /// # Errors
    /// [`EvaluationError::Unavailable`] when the cluster does not answer.
    pub(crate) async fn answer(
        &self,
        call: &Call,
    ) -> Result<Result<Value, String>, EvaluationError> {
        let project = &self.run.project;
        let shared = &self.cx.settings.shared_namespace;
        let function = call.function.as_ref();
        if function.ends_with("From") {
            return self.artifact(function, &call.arguments).await;
        }
        let [Value::String(name)] = call.arguments.as_slice() else {
            return Ok(Err(format!("{function} takes one name")));
        };
        let answer = match function {
            "configMap" => self
                .read::<ConfigMap>(project, name)
                .await?
                .map(|it| config_map(it.as_ref())),
            "sharedConfigMap" => self
                .read::<ConfigMap>(shared, name)
                .await?
                .map(|it| config_map(it.as_ref())),
            "secret" => self
                .read::<Secret>(project, name)
                .await?
                .map(|it| secret(it.as_ref())),
            "sharedSecret" => self
                .read::<Secret>(shared, name)
                .await?
                .map(|it| secret(it.filter(is_generic).as_ref())),
            "freightMetadata" => self
                .read::<Freight>(project, name)
                .await?
                .map(|it| status(it, Some("metadata"))),
            "freightStatus" => self
                .read::<Freight>(project, name)
                .await?
                .map(|it| status(it, None)),
            "stageMetadata" => self
                .read::<Stage>(project, name)
                .await?
                .map(|it| status(it, Some("metadata"))),
            other => Err(format!("no function is called {other:?}")),
        };
        Ok(answer)
    }

    async fn artifact(
        &self,
        function: &str,
        arguments: &[Value],
    ) -> Result<Result<Value, String>, EvaluationError> {
        let (wanted, origin) = match Wanted::parse(function, arguments) {
            Ok(parsed) => parsed,
            Err(message) => return Ok(Err(message)),
        };
        let origin = match origin {
            Some(origin) => Ok(Some(origin)),
            None => self.infer_origin(&wanted).await?,
        };
        Ok(origin.map(|origin| match origin {
            Some(origin) => wanted.find(&self.run.freight_collection, &origin),
            None => Value::Nil,
        }))
    }

    /// Finds the one requested Warehouse that subscribes to what is wanted now.
    async fn infer_origin(
        &self,
        wanted: &Wanted,
    ) -> Result<Result<Option<FreightOrigin>, String>, EvaluationError> {
        let mut found: Option<&FreightOrigin> = None;
        for request in &self.run.requested_freight {
            let name = &request.origin.name;
            let warehouse = match self.read::<Warehouse>(&self.run.project, name).await? {
                Ok(Some(warehouse)) => warehouse,
                Ok(None) => return Ok(Err(format!("Warehouse {name:?} does not exist"))),
                Err(message) => return Ok(Err(message)),
            };
            let warehouse: Warehouse = match serde_json::from_value(warehouse) {
                Ok(warehouse) => warehouse,
                Err(error) => {
                    return Ok(Err(format!("Warehouse {name:?} cannot be read: {error}")));
                }
            };
            let subscriptions = warehouse
                .spec
                .subscriptions
                .iter()
                .filter_map(|it| it.parse().ok());
            if !subscriptions.into_iter().any(|it| wanted.is_from(&it)) {
                continue;
            }
            if let Some(other) = found.replace(&request.origin) {
                return Ok(Err(format!(
                    "Warehouses {:?} and {name:?} both subscribe to the {}: say which with warehouse()",
                    other.name,
                    wanted.describe()
                )));
            }
        }
        Ok(Ok(found.cloned()))
    }

    /// Reads an object; the inner error is one that asking again would give again.
    async fn read<K: Resource<DynamicType = ()>>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<Result<Option<Json>, String>, EvaluationError> {
        if namespace.is_empty() {
            return Ok(Ok(None));
        }
        let kind = ApiResource::erase::<K>(&());
        let key = (kind.kind.clone(), namespace.to_owned(), name.to_owned());
        let mut seen = self.seen.lock().await;
        if let Some(object) = seen.get(&key) {
            return Ok(Ok(object.clone()));
        }
        let what = format!("failed to read {} {name:?} in {namespace:?}", kind.kind);
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.cx.client.clone(), namespace, &kind);
        let read = match tokio::time::timeout(TIME_OUT, api.get_opt(name)).await {
            Err(_elapsed) => return Err(EvaluationError::Unavailable(format!("{what} in time"))),
            Ok(read) => read,
        };
        match read {
            Ok(object) => {
                let object = object.and_then(|object| serde_json::to_value(object).ok());
                seen.insert(key, object.clone());
                Ok(Ok(object))
            }
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 403 | 422) => {
                Ok(Err(format!("{what}: {}", status.message)))
            }
            Err(error) => Err(EvaluationError::Unavailable(format!(
                "{what}: {}",
                in_one_line(&error)
            ))),
        }
    }
}

fn config_map(object: Option<&Json>) -> Value {
    let data = object.and_then(|object| object["data"].as_object());
    let texts = data
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    Value::from(Map::of_strings(texts))
}

fn secret(object: Option<&Json>) -> Value {
    let secret = object.and_then(|object| serde_json::from_value::<Secret>(object.clone()).ok());
    let data = secret.and_then(|secret| secret.data).unwrap_or_default();
    let texts = data
        .into_iter()
        .map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned()));
    Value::from(Map::of_strings(texts))
}

/// Shared Secrets are read only where they are meant for it.
fn is_generic(secret: &Json) -> bool {
    secret["metadata"]["labels"][label::CREDENTIAL_TYPE] == "generic"
}

/// The status of an object or a member of it; nil where the object or the member is missing.
fn status(object: Option<Json>, member: Option<&str>) -> Value {
    let Some(mut object) = object else {
        return Value::Nil;
    };
    let mut status = object["status"].take();
    match member {
        None => Value::from(status),
        Some(member) => Value::from(status.get_mut(member).map(Json::take).unwrap_or_default()),
    }
}
