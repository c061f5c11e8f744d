//! The server on a port: HTTPS for whoever bears a token, and next to nothing for anybody else.

mod access;
mod certificate;
mod connections;
mod kubeconfig;
mod private;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use tokio::net::TcpListener;

pub use private::{read_or_create_token, write_private};

use crate::api::EmbeddedApi;
pub(crate) use connections::Connections;

/// From where the port may be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// From this machine; any other address is refused.
    Loopback,
    /// From wherever the address can be reached: asked for explicitly, never the default.
    Anywhere,
}

/// How to listen.
#[derive(Clone)]
pub struct Listen {
    pub address: SocketAddr,
    pub reach: Reach,
    /// What a caller must bear who has no service account's token; whoever does may do everything, on any port of this
    /// server.
    pub token: String,
    /// Where the certificate authority is kept, so that a kubeconfig stays valid; in memory if there is none.
    pub directory: Option<PathBuf>,
    /// Names the cluster, the user and the context in the kubeconfig.
    pub name: String,
    /// More routes behind the same token: `/metrics`.
    pub routes: Router,
}

impl std::fmt::Debug for Listen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listen")
            .field("address", &self.address)
            .field("reach", &self.reach)
            .field("directory", &self.directory)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Why the server could not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("{address} is not a loopback address")]
    NotLoopback { address: SocketAddr },
    #[error("the token is shorter than {least} characters")]
    WeakToken { least: usize },
    #[error("failed to listen on {address}")]
    Bind {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error("failed to keep the certificate authority in {path:?}")]
    Keep {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("failed to make a certificate")]
    Certificate { source: rcgen::Error },
    #[error("failed to set up TLS")]
    Tls { source: rustls::Error },
}

impl ListenError {
    /// Says what to try next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotLoopback { .. } => "use 127.0.0.1, or ask for other addresses explicitly",
            Self::WeakToken { .. } => "use a longer, random token",
            Self::Bind { .. } => "choose another port, or stop what is listening there",
            Self::Keep { .. } => "check the owner and permissions of the data directory",
            Self::Certificate { .. } | Self::Tls { .. } => {
                "remove the ca files from the data directory to have new ones made"
            }
        }
    }
}

/// A server that is listening.
#[derive(Debug, Clone)]
pub struct Listening {
    /// With the port that was really taken.
    pub address: SocketAddr,
    kubeconfig: String,
}

impl Listening {
    /// The kubeconfig by which clients reach the server. It holds the token: keep it as [`write_private`] does.
    pub fn kubeconfig(&self) -> &str {
        &self.kubeconfig
    }
}

/// A token shorter than this could be guessed.
const TOKEN_LEAST: usize = 16;

impl EmbeddedApi {
    /// Serves on a port until [`EmbeddedApi::shutdown`].
    ///
    /// # Errors
    /// [`ListenError::NotLoopback`] for an address that other machines reach, unless asked for by [`Reach::Anywhere`].
    pub async fn listen(&self, listen: Listen) -> Result<Listening, ListenError> {
        let Listen {
            address,
            reach,
            token,
            directory,
            name,
            routes,
        } = listen;
        if reach == Reach::Loopback && !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback { address });
        }
        if token.len() < TOKEN_LEAST {
            return Err(ListenError::WeakToken { least: TOKEN_LEAST });
        }
        let now = (self.api.clock)();
        let identity = certificate::make(directory.as_deref(), address.ip(), now)?;
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| ListenError::Bind { address, source })?;
        let address = listener
            .local_addr()
            .map_err(|source| ListenError::Bind { address, source })?;
        let url = url(address);
        let kubeconfig = kubeconfig::text(&name, &url, &identity.authority, &token);
        self.api.tokens.issuer.listens_on(&url);
        self.api.tokens.admit(&token, crate::api::admin());
        let router = access::protect(routes, self.service(), Arc::clone(&self.api));
        let connections = Connections::start(listener, Arc::new(identity.tls), router);
        self.listeners.lock().push(connections);
        Ok(Listening {
            address,
            kubeconfig,
        })
    }
}

/// Where clients reach what listens on `address`: an unspecified one cannot be connected to.
fn url(address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        format!("https://127.0.0.1:{}", address.port())
    } else {
        format!("https://{address}")
    }
}
