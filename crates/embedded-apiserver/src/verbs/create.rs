//! Create.

use std::sync::Arc;

use http::StatusCode;
use kube::core::admission::Operation;
use serde_json::Value;

use crate::admission::Review;
use crate::api::Api;
use crate::body;
use crate::collector;
use crate::failure::{Failure, Subject};
use crate::store::{Effect, Expect, Object, Refused, Write};
use crate::verbs::{Answer, Call, Tracking, metadata};

/// How often a generated name is tried again when it is taken.
const GENERATED_NAME_TRIES: usize = 8;

impl Api {
    pub(super) async fn create(&self, call: &Call, bytes: &[u8]) -> Result<Answer, Failure> {
        if call.kind.namespaced && call.target.namespace.is_none() {
            return Err(Failure::method_not_allowed());
        }
        let object = body::parse(&call.media_type, bytes)?;
        call.note_duplicates(bytes);
        self.create_value(call, object, Tracking::Update).await
    }

    /// Creates an object that may still lack its name.
    pub(crate) async fn create_value(
        &self,
        call: &Call,
        mut object: Value,
        tracking: Tracking,
    ) -> Result<Answer, Failure> {
        metadata::check_identity(call, &mut object)?;
        if !matches!(metadata::text(&object, "resourceVersion"), "" | "0") {
            return Err(Failure::bad_request(
                "resourceVersion should not be set on objects to be created",
            ));
        }
        let prefix = metadata::text(&object, "generateName").to_owned();
        let generated = metadata::text(&object, "name").is_empty() && !prefix.is_empty();
        let mut tries = if generated { GENERATED_NAME_TRIES } else { 1 };
        loop {
            let mut attempt = object.clone();
            if generated {
                metadata::of(&mut attempt)
                    .insert("name".to_owned(), metadata::generate(&prefix).into());
            }
            tries -= 1;
            match self.create_named(call, attempt, tracking).await {
                Err(failure) if failure.reason() == "AlreadyExists" && tries > 0 => {}
                outcome => return outcome,
            }
        }
    }

    async fn create_named(
        &self,
        call: &Call,
        mut object: Value,
        tracking: Tracking,
    ) -> Result<Answer, Failure> {
        let now = self.now();
        metadata::begin(call, &mut object, &now);
        if call.kind.status_subresource {
            object.as_object_mut().map(|it| it.remove("status"));
        }
        let name = metadata::text(&object, "name").to_owned();
        self.check_namespace(call, &name)?;
        self.check_definition(call)?;
        self.complete(call, &mut object, None)?;
        call.answer_for_unknown()?;
        if tracking == Tracking::Update {
            self.track(call, &mut object, None);
        }
        let review = |object| Review {
            operation: Operation::Create,
            object: Some(object),
            old: None,
            dry_run: call.query.dry_run,
        };
        let mut object = self.mutate(call, review(object)).await?;
        metadata::check_identity(call, &mut object)?;
        // A hook may have given the object its own name.
        let name = metadata::text(&object, "name").to_owned();
        self.complete(call, &mut object, None)?;
        Self::check(call, &object, None)?;
        self.validate(call, review(object.clone())).await?;
        let key = call.key(&name);
        if call.query.dry_run {
            if self.store.memory().get(&key).is_some() {
                return Err(Failure::already_exists(&call.subject(&name)));
            }
            return Ok(Answer::Value {
                code: StatusCode::CREATED,
                value: object,
            });
        }
        let write = Write {
            key,
            expect: Expect::Absent,
            effect: Effect::Put(object),
            namespace: call.namespace_key(),
        };
        match self.store.write(write).await {
            Ok(object) => Ok(created(self, call, object)),
            Err(Refused::Changed(_)) => Err(Failure::already_exists(&call.subject(&name))),
            Err(refused) => Err(call.refusal(&name, &refused)),
        }
    }

    /// Refuses new objects of a kind whose definition is being deleted: they would go with it.
    fn check_definition(&self, call: &Call) -> Result<(), Failure> {
        let definition = collector::definition_of(&call.resource);
        let found = self.store.memory().get(&definition);
        if call.kind.custom && found.is_some_and(|it| it.deleting) {
            return Err(Failure::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "MethodNotAllowed",
                "create not allowed while custom resource definition is terminating",
            ));
        }
        Ok(())
    }

    /// Refuses early what the store would refuse: a namespace that is not there, or not for long.
    fn check_namespace(&self, call: &Call, name: &str) -> Result<(), Failure> {
        let Some(key) = call.namespace_key() else {
            return Ok(());
        };
        match self.store.memory().get(&key) {
            None => Err(Failure::not_found(&Subject {
                group: "",
                resource: "namespaces",
                name: call.namespace(),
            })),
            Some(namespace) if namespace.deleting => {
                Err(call.refusal(name, &Refused::NamespaceTerminating))
            }
            Some(_) => Ok(()),
        }
    }
}

fn created(api: &Api, call: &Call, object: Arc<Object>) -> Answer {
    api.written(call, &object);
    Answer::Object {
        code: StatusCode::CREATED,
        object,
    }
}
