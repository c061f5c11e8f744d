//! A server that answers as a test says, for what no real registry can be made to do.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use rustls::pki_types::PrivateKeyDer;
use sha2::{Digest, Sha256};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What a client sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: String,
    /// The path and the query.
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    /// The server's own host and port, as the client sees them.
    pub(crate) host: String,
    pub(crate) headers: http::HeaderMap,
}

impl Sent {
    /// Reads a header that is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// A server on a free loopback port.
pub(crate) struct Server {
    pub(crate) host: String,
    sent: Arc<Mutex<Vec<Sent>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// Starts to answer by `answer`, which is told how many requests for the same target came before.
    pub(crate) async fn start(
        answer: impl Fn(&Sent, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = bind().await;
        let host = listener.local_addr().expect("an address").to_string();
        Self::serve(host, listener, answer)
    }

    /// The same over TLS, with a certificate that nobody knows.
    pub(crate) async fn start_tls(
        answer: impl Fn(&Sent, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let tcp = bind().await;
        let host = format!("localhost:{}", tcp.local_addr().expect("an address").port());
        let acceptor = acceptor();
        Self::serve(host, TlsListener { tcp, acceptor }, answer)
    }

    fn serve<L: Listener<Addr: std::fmt::Debug>>(
        host: String,
        listener: L,
        answer: impl Fn(&Sent, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let sent: Arc<Mutex<Vec<Sent>>> = Arc::default();
        let (record, answer) = (Arc::clone(&sent), Arc::new(answer));
        let app = Router::new().fallback(move |request: Request| {
            let header = |name: &str| {
                let value = request.headers().get(name)?;
                value.to_str().ok().map(str::to_owned)
            };
            let target = request.uri().path_and_query();
            let one = Sent {
                method: request.method().to_string(),
                target: target.map(ToString::to_string).unwrap_or_default(),
                authorization: header("authorization"),
                host: header("host").unwrap_or_default(),
                headers: request.headers().clone(),
            };
            let mut all = record.lock().unwrap_or_else(PoisonError::into_inner);
            let before = all
                .iter()
                .filter(|it| it.target == one.target && it.method == one.method)
                .count();
            all.push(one.clone());
            if one.target == "/v2/" {
                return std::future::ready(ok("{}"));
            }
            std::future::ready(answer(&one, before))
        });
        let serve = async move {
            axum::serve(listener, app)
                .await
                .expect("the server runs until it is dropped");
        };
        Self {
            host,
            sent,
            task: tokio::spawn(serve),
        }
    }

    /// Gives what was sent so far, without the probe for TLS.
    pub(crate) fn sent(&self) -> Vec<Sent> {
        let all = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|it| it.target != "/v2/")
            .cloned()
            .collect()
    }

    /// Counts the requests whose target begins so.
    pub(crate) fn count(&self, target: &str) -> usize {
        self.sent()
            .iter()
            .filter(|it| it.target.starts_with(target))
            .count()
    }
}

async fn bind() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a free port")
}

/// Accepts TLS with a certificate that nobody knows, for `localhost`.
fn acceptor() -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let made = made.expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate with its key");
    TlsAcceptor::from(Arc::new(config))
}

/// Speaks TLS, with a certificate that nobody knows, in front of a server that does not.
pub(crate) struct TlsFront {
    pub(crate) host: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsFront {
    /// Starts on a free loopback port, in front of another one.
    pub(crate) async fn start(behind: u16) -> Self {
        let tcp = bind().await;
        let host = format!("localhost:{}", tcp.local_addr().expect("an address").port());
        let mut listener = TlsListener {
            tcp,
            acceptor: acceptor(),
        };
        let task = tokio::spawn(async move {
            loop {
                let (mut front, _) = listener.accept().await;
                tokio::spawn(async move {
                    let mut back = TcpStream::connect(("127.0.0.1", behind)).await?;
                    tokio::io::copy_bidirectional(&mut front, &mut back).await
                });
            }
        });
        Self { host, task }
    }
}

/// Accepts connections that begin with a TLS handshake, and drops others.
struct TlsListener {
    tcp: TcpListener,
    acceptor: TlsAcceptor,
}

impl Listener for TlsListener {
    type Io = tokio_rustls::server::TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            if let Ok((stream, address)) = self.tcp.accept().await
                && let Ok(stream) = self.acceptor.accept(stream).await
            {
                return (stream, address);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.tcp.local_addr()
    }
}

/// Makes an answer.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Response {
    let builder = headers.iter().fold(
        Response::builder().status(status),
        |builder, (name, value)| builder.header(*name, *value),
    );
    builder.body(body.into()).expect("an answer")
}

pub(crate) fn ok(body: impl Into<Body>) -> Response {
    answer(200, &[], body)
}

pub(crate) fn not_found() -> Response {
    answer(
        404,
        &[],
        r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"nothing here"}]}"#,
    )
}

pub(crate) fn digest(body: &str) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(body)))
}
