//! A world as somebody sees it who may not do everything: the embedded API evaluates no roles, so a relay before it forbids.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, Response, StatusCode, header};
use axum::response::IntoResponse as _;
use kube::Client;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::World;

/// Most bytes of a request that pass through.
const BODY_BOUND: usize = 1 << 20;

/// Passes requests on and forbids one kind of them, until it is dropped.
#[derive(Debug)]
pub struct Restricted {
    address: SocketAddr,
    relay: AbortHandle,
}

/// What is forbidden: a method on every path that ends so.
#[derive(Debug, Clone)]
struct Forbidden {
    method: Method,
    path: &'static str,
}

impl Restricted {
    /// Forbids a method on paths that end in `path`, and passes all else on with every right.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn of(world: &World, method: Method, path: &'static str) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (client, forbidden) = (world.client(), Forbidden { method, path });
        let answer = move |request: Request<Body>| {
            let (client, forbidden) = (client.clone(), forbidden.clone());
            async move { forbidden.answer(&client, request).await }
        };
        let router = Router::new().fallback(answer);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            address,
            relay: serving.abort_handle(),
        })
    }

    /// The kubeconfig by which other processes reach the world so.
    pub fn kubeconfig(&self) -> String {
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "world",
            "clusters": [{"name": "world", "cluster": {"server": format!("http://{}", self.address)}}],
            "users": [{"name": "world", "user": {}}],
            "contexts": [{"name": "world", "context": {"cluster": "world", "user": "world"}}],
        });
        config.to_string()
    }
}

impl Drop for Restricted {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

impl Forbidden {
    async fn answer(&self, client: &Client, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path();
        if *request.method() == self.method && path.ends_with(self.path) {
            let message = format!("{} {path} is forbidden", self.method);
            let status = json!({
                "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
                "message": message, "reason": "Forbidden", "code": 403,
            });
            return (StatusCode::FORBIDDEN, axum::Json(status)).into_response();
        }
        let passed = pass(client, request).await;
        passed.unwrap_or_else(|error| (StatusCode::BAD_GATEWAY, error.to_string()).into_response())
    }
}

async fn pass(client: &Client, request: Request<Body>) -> Result<Response<Body>> {
    let (mut head, body) = request.into_parts();
    for name in [header::HOST, header::CONTENT_LENGTH] {
        head.headers.remove(name);
    }
    let body = axum::body::to_bytes(body, BODY_BOUND).await?;
    let request = Request::from_parts(head, kube::client::Body::from(body));
    Ok(client.send(request).await?.map(Body::new))
}
