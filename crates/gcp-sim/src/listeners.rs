//! Listening on loopback: HTTP with Google's idea of the time, and connections that can be dropped without an answer.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, Response, header};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::google::Google;

/// Why the simulator could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("{address} is not a loopback address")]
    NotLoopback { address: SocketAddr },
    #[error("failed to listen on {address}")]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
}

impl StartError {
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NotLoopback { .. } => {
                "use an address of 127.0.0.0/8 or ::1: the simulator is never reached from outside"
            }
            Self::Listen { .. } => "choose another port, or 0 for any free one",
        }
    }
}

/// Marks a response that is never sent: the connection ends instead.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DropConnection;

/// How long open connections may take to finish once the simulator stops.
const LAST_WORDS: Duration = Duration::from_millis(200);

pub(crate) async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    if !address.ip().is_loopback() {
        return Err(StartError::NotLoopback { address });
    }
    let failed = |source| StartError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// Serves until `stop`.
pub(crate) fn serve(
    listener: TcpListener,
    router: Router,
    google: Google,
    stop: CancellationToken,
) {
    tokio::spawn(async move {
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let answers = Answers {
                        router: router.clone(),
                        google: google.clone(),
                        peer,
                    };
                    tokio::spawn(connection(stream, answers, stop.clone()));
                }
                Err(error) => tracing::warn!(%error, "failed to accept a connection"),
            }
        }
    });
}

async fn connection(stream: TcpStream, answers: Answers, stop: CancellationToken) {
    let service = hyper::service::service_fn(move |request| answers.clone().answer(request));
    let builder = Builder::new(TokioExecutor::new());
    let mut connection = std::pin::pin!(builder.serve_connection(TokioIo::new(stream), service));
    tokio::select! {
        ended = connection.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(error, "a connection ended early");
            }
        }
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let ended = tokio::time::timeout(LAST_WORDS, connection).await;
            tracing::debug!(in_time = ended.is_ok(), "a connection was closed");
        }
    }
}

/// What answers one connection.
#[derive(Debug, Clone)]
struct Answers {
    router: Router,
    google: Google,
    peer: SocketAddr,
}

/// The connection is to end without an answer.
#[derive(Debug, thiserror::Error)]
#[error("a fault dropped the connection")]
struct Dropped;

impl Answers {
    async fn answer(self, request: Request<Incoming>) -> Result<Response<Body>, Dropped> {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let mut response = match self.router.oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        };
        if response.extensions().get::<DropConnection>().is_some() {
            return Err(Dropped);
        }
        let headers = response.headers_mut();
        if !headers.contains_key(header::DATE)
            && let Some(date) = self.google.date()
        {
            headers.insert(header::DATE, date);
        }
        Ok(response)
    }
}
