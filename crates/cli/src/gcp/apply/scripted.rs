//! Google for tests: it answers what it is told to, one after the other, and remembers what it was asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Json, Router};
use gcp::principal::ProjectId;
use gcp::{Apis, Endpoints};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What is answered: a status and a body.
pub(super) type Reply = (u16, Value);

/// Listens while the test runs.
pub(super) struct Scripted {
    endpoints: Endpoints,
    seen: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Scripted {
    pub(super) async fn start(script: impl IntoIterator<Item = Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script: VecDeque<Reply> = script.into_iter().collect();
        let script = Arc::new(Mutex::new(script));
        let noted = Arc::clone(&seen);
        let answer = move |method: Method, uri: Uri, body: Bytes| {
            let sent = serde_json::from_slice(&body).unwrap_or_default();
            let asked = (format!("{method} {uri}"), sent);
            noted.lock().expect("nobody panicked").push(asked);
            let next = script.lock().expect("nobody panicked").pop_front();
            std::future::ready(written(next))
        };
        let router = Router::new().fallback(answer);
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut endpoints = Endpoints::default();
        endpoints
            .set("all", &format!("http://{address}"))
            .expect("an address");
        Self { endpoints, seen }
    }

    pub(super) fn apis(&self) -> Apis {
        Apis::new(self.endpoints.clone(), secret::Secret::from("t"))
    }

    /// Each request by its method and path, in their order.
    pub(super) fn asked(&self) -> Vec<String> {
        let seen = self.seen.lock().expect("nobody panicked");
        seen.iter().map(|(asked, _)| asked.clone()).collect()
    }

    /// What each of them carried.
    pub(super) fn sent(&self) -> Vec<Value> {
        let seen = self.seen.lock().expect("nobody panicked");
        seen.iter().map(|(_, sent)| sent.clone()).collect()
    }
}

fn written(reply: Option<Reply>) -> Response {
    let (status, body) = reply.unwrap_or_else(|| refusal(400, "INVALID_ARGUMENT", "one too many"));
    let status = StatusCode::from_u16(status).expect("a status");
    (status, Json(body)).into_response()
}

/// A refusal in the form of Google's APIs.
pub(super) fn refusal(code: u16, status: &str, message: &str) -> Reply {
    let error = json!({"code": code, "status": status, "message": message});
    (code, json!({ "error": error }))
}

pub(super) fn acme() -> ProjectId {
    ProjectId::parse("acme-gke").expect("an id")
}
