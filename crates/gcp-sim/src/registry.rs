//! Artifact Registry: the Docker API on its own listener, and the REST API among Google's others.

use axum::Router;
use axum::response::{IntoResponse as _, Response};

use crate::call::Call;
use crate::google::Google;
use crate::refusal::Refusal;

/// All repositories of a world, and what is in them. Clones are the same registry.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    google: Google,
}

impl Registry {
    pub(crate) fn new(google: Google) -> Self {
        Self { google }
    }

    /// The Docker API.
    pub(crate) fn docker(&self) -> Router {
        Router::new().with_state(self.google.clone())
    }

    /// The REST API.
    #[expect(clippy::unused_async, reason = "content may lie in another registry")]
    pub(crate) async fn rest(&self, call: &Call) -> Response {
        Refusal::no_such_route(&call.path).into_response()
    }
}
