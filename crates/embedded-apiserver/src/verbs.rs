//! What can be done with objects: each verb is a file, what they share is here.

mod create;
mod delete;
pub(crate) mod metadata;
mod patch;
mod read;
mod update;

pub(crate) use delete::Propagation;

use std::sync::Arc;

use http::{Method, StatusCode};
use k8s_openapi::api::authentication::v1::UserInfo;
use parking_lot::Mutex;
use serde_json::Value;

use crate::api::{Api, Clock};
use crate::duplicates;
use crate::failure::{Failure, Subject};
use crate::kinds::{Kind, Subresource};
use crate::negotiate::Form;
use crate::query::{FieldValidation, Query};
use crate::routes::Target;
use crate::store::{Key, Object, Page, Refused, Resource};

/// One request about objects.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) user: UserInfo,
    pub(crate) kind: Arc<Kind>,
    pub(crate) resource: Resource,
    pub(crate) target: Target,
    pub(crate) query: Query,
    /// Who fields are attributed to.
    pub(crate) manager: String,
    pub(crate) media_type: String,
    /// How the answer is wanted.
    pub(crate) form: Form,
    pub(crate) clock: CallClock,
    /// What is said of fields that were sent twice, or are not in the schema.
    pub(crate) unknown: Mutex<Vec<String>>,
    /// Texts for `Warning` headers.
    pub(crate) warnings: Mutex<Vec<String>>,
}

/// The server's clock, for what is said about ages.
#[derive(Clone)]
pub(crate) struct CallClock(pub(crate) Clock);

impl std::fmt::Debug for CallClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CallClock")
    }
}

/// Who keeps the managed fields of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// What changed is noted as this caller's.
    Update,
    /// Server-side apply has noted it already.
    Applied,
}

/// What a verb answers with.
#[derive(Debug)]
pub(crate) enum Answer {
    Object {
        code: StatusCode,
        object: Arc<Object>,
    },
    /// An object that was not stored, or a `Status`.
    Value { code: StatusCode, value: Value },
    List {
        page: Page,
        continue_token: Option<String>,
        remaining: Option<usize>,
    },
}

impl Answer {
    fn found(object: Arc<Object>) -> Self {
        Self::Object {
            code: StatusCode::OK,
            object,
        }
    }

    fn value(value: Value) -> Self {
        Self::Value {
            code: StatusCode::OK,
            value,
        }
    }
}

impl Call {
    /// The name in the path; the router only calls verbs on one object where there is one.
    pub(crate) fn name(&self) -> &str {
        self.target.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn namespace(&self) -> &str {
        self.target.namespace.as_deref().unwrap_or_default()
    }

    pub(crate) fn subresource(&self) -> Option<&str> {
        self.target.subresource.as_deref()
    }

    pub(crate) fn key(&self, name: &str) -> Key {
        Key::new(&self.resource, self.namespace(), name)
    }

    pub(crate) fn subject<'a>(&'a self, name: &'a str) -> Subject<'a> {
        Subject {
            group: &self.kind.group,
            resource: &self.kind.plural,
            name,
        }
    }

    /// The subject as `Invalid` names it, by its kind.
    pub(crate) fn kind_subject<'a>(&'a self, name: &'a str) -> Subject<'a> {
        Subject {
            group: &self.kind.group,
            resource: &self.kind.kind,
            name,
        }
    }

    /// The namespace that must be there for this object to be created.
    pub(crate) fn namespace_key(&self) -> Option<Key> {
        self.kind
            .namespaced
            .then(|| Key::new(&Resource::new("", "namespaces"), "", self.namespace()))
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.warnings.lock().push(text.into());
    }

    /// Notes fields that the schema does not know, as they were sent.
    pub(crate) fn note_unknown(&self, paths: &[String]) {
        self.note(paths.iter().map(|it| format!("unknown field {it:?}")));
    }

    /// Notes fields that stand more than once in a body.
    pub(crate) fn note_duplicates(&self, body: &[u8]) {
        if self.query.field_validation != FieldValidation::Ignore {
            let paths = duplicates::find(body);
            self.note(paths.iter().map(|it| format!("duplicate field {it:?}")));
        }
    }

    fn note(&self, texts: impl Iterator<Item = String>) {
        let mut noted = self.unknown.lock();
        for text in texts {
            if !noted.contains(&text) {
                noted.push(text);
            }
        }
    }

    /// Refuses or reports the unknown fields noted so far, as the caller asked.
    pub(crate) fn answer_for_unknown(&self) -> Result<(), Failure> {
        let texts = std::mem::take(&mut *self.unknown.lock());
        match self.query.field_validation {
            FieldValidation::Strict if !texts.is_empty() => Err(Failure::bad_request(format!(
                "strict decoding error: {}",
                texts.join(", ")
            ))),
            FieldValidation::Warn => {
                self.warnings.lock().extend(texts);
                Ok(())
            }
            FieldValidation::Strict | FieldValidation::Ignore => Ok(()),
        }
    }

    /// The refusal for a write that the store did not do, unless it can be tried again.
    pub(crate) fn refusal(&self, name: &str, refused: &Refused) -> Failure {
        match refused {
            Refused::Changed(None) => Failure::not_found(&self.subject(name)),
            Refused::Changed(Some(_)) => Failure::modified(&self.subject(name)),
            Refused::NamespaceMissing => Failure::not_found(&Subject {
                group: "",
                resource: "namespaces",
                name: self.namespace(),
            }),
            Refused::NamespaceTerminating => self.namespace_terminating(name),
            Refused::Storage => {
                Failure::internal("the store has failed; restart the server to open it again")
            }
            Refused::Closed => Failure::unavailable("the server is shutting down"),
        }
    }

    fn namespace_terminating(&self, name: &str) -> Failure {
        let namespace = self.namespace();
        let why = format!(
            "unable to create new content in namespace {namespace} because it is being terminated"
        );
        let cause = crate::failure::FieldCause {
            field: "metadata.namespace".to_owned(),
            reason: "NamespaceTerminating".to_owned(),
            message: format!("namespace {namespace} is being terminated"),
        };
        Failure::forbidden(&self.subject(name), &why).with_causes(&[cause])
    }
}

impl Api {
    /// Does what a request about objects asks for; watches are answered elsewhere.
    pub(crate) async fn act(
        &self,
        method: &Method,
        call: &Call,
        body: &[u8],
    ) -> Result<Answer, Failure> {
        let one = call.target.name.is_some();
        if let Some(name) = call.subresource() {
            let found = call.kind.subresources().find(|it| it.name() == name);
            if found.ok_or_else(Failure::no_such_resource)? == Subresource::Token {
                return self.request_token(method, call, body).await;
            }
        }
        match (method, one) {
            (&Method::GET, true) => self.get(call),
            (&Method::GET, false) => self.list(call),
            (&Method::POST, false) => self.create(call, body).await,
            (&Method::PUT, true) => self.update(call, body).await,
            (&Method::PATCH, true) => self.patch(call, body).await,
            (&Method::DELETE, true) if call.subresource().is_none() => {
                self.delete(call, body).await
            }
            (&Method::DELETE, false) => self.delete_collection(call, body).await,
            _ => Err(Failure::method_not_allowed()),
        }
    }
}
