//! Taking connections: a bounded number, each with time-outs, all of them ended when the server stops.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt;

/// At most this many connections at once; more wait.
const CONNECTIONS: usize = 1024;
/// How long a caller may take to say who it is and what it wants.
const HANDSHAKE: Duration = Duration::from_secs(10);
const HEADERS: Duration = Duration::from_secs(10);
/// How long open requests may go on when the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// The task that takes connections.
#[derive(Debug)]
pub(crate) struct Connections {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Connections {
    pub(super) fn start(listener: TcpListener, tls: Arc<ServerConfig>, router: Router) -> Self {
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, TlsAcceptor::from(tls), router, stopped));
        Self { stop, task }
    }

    /// Takes no more connections, and waits a while for those that are there.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the listener ended badly");
        }
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    router: Router,
    mut stopped: oneshot::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let (closing, closed) = watch::channel(());
    let mut serving = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            next = next => next,
            Some(_) = serving.join_next() => continue,
            _ = &mut stopped => break,
        };
        match (place, accepted) {
            (Ok(place), Ok((stream, _))) => {
                let (router, watcher) = (router.clone(), graceful.watcher());
                let handshake = handshake(stream, acceptor.clone(), closed.clone());
                serving.spawn(async move {
                    if let Some(stream) = handshake.await {
                        serve(stream, router, watcher).await;
                    }
                    drop(place);
                });
            }
            (_, Err(error)) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            (Err(_), Ok(_)) => break,
        }
    }
    drop((listener, closing));
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::info!("connections were still open when the server stopped");
    }
    serving.shutdown().await;
}

/// Agrees on TLS; whoever takes too long, or is still at it when the server stops, is let go.
async fn handshake(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    mut closed: watch::Receiver<()>,
) -> Option<TlsStream<TcpStream>> {
    stream.set_nodelay(true).ok()?;
    tokio::select! {
        stream = timeout(HANDSHAKE, acceptor.accept(stream)) => stream.ok()?.ok(),
        _ = closed.changed() => None,
    }
}

async fn serve(stream: TlsStream<TcpStream>, router: Router, watcher: Watcher) {
    let service = router.map_request(|request: Request<Incoming>| request.map(Body::new));
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1000)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    let connection =
        builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    if let Err(error) = watcher.watch(connection.into_owned()).await {
        tracing::debug!(error = &*error, "a connection ended early");
    }
}
