//! The public keys of a world's tokens over plain HTTP, for a relying party that does not know the world's certificate.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context as _, Result};
use axum::Router;
use axum::http::{Request, StatusCode};
use axum::routing::get;
use kube::Client;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use url::Url;

use crate::{World, client_of};

const KEYS: &str = "/openid/v1/jwks";

/// Passes the keys on, until it is dropped.
#[derive(Debug)]
pub struct PublishedKeys {
    pub url: Url,
    relay: AbortHandle,
}

impl PublishedKeys {
    /// Opens the world to others and passes its keys on as it answers there; `folder` takes the kubeconfig.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn of(world: &World, folder: &Path) -> Result<Self> {
        // Whoever verifies by the keys may be a client of this process, which has to have a crypto provider.
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let kubeconfig = folder.join("kubeconfig");
        world.listen(&kubeconfig).await?;
        let client = client_of(&kubeconfig).await?;
        let answer = move || {
            let client = client.clone();
            async move { keys(&client).await.map_err(|_| StatusCode::BAD_GATEWAY) }
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}{KEYS}", listener.local_addr()?).parse()?;
        let router = Router::new().route(KEYS, get(answer));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self {
            url,
            relay: serving.abort_handle(),
        })
    }
}

impl Drop for PublishedKeys {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

async fn keys(client: &Client) -> Result<String> {
    let request = Request::get(KEYS).body(Vec::new())?;
    client.request_text(request).await.context("the keys")
}
