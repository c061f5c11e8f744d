//! No answer at all: nobody there, somebody else there, silence. Nobody acts then, and nothing of it is believed later.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::*;
use crate::http::Pace;
use crate::loopback::{Closed, QUICK, quick};

const MINT: &str = "generateAccessToken";

/// A metadata server that answers, and IAM Credentials at some address.
async fn open(iam_credentials: Url) -> (Loopback, Identities) {
    let (server, identities, _) = open_at(|server| (server.clone(), iam_credentials)).await;
    (server, identities)
}

/// The same with both addresses as they are chosen, with little patience.
async fn open_at(choose: impl FnOnce(&Url) -> (Url, Url)) -> (Loopback, Identities, Hands) {
    let (server, hands) = (Loopback::start().await, Hands::new());
    server.answer_as_gke();
    let mut endpoints = server.endpoints();
    (endpoints.metadata, endpoints.iam_credentials) = choose(&server.url);
    let pace = Pace {
        request: Duration::from_millis(200),
        tries: 3,
        ..QUICK
    };
    let settings = Settings::new(endpoints);
    let identities = Identities::paced(settings, &hands.clock(), quick(pace.clone()), quick(pace));
    (server, identities, hands)
}

async fn failure(identities: &Identities) -> TokenError {
    let token = identities.own("web", Scope::ReadOnly).await;
    let error = token.expect_err("nobody answers");
    assert!(!error.is_definite(), "nobody else may act: {error}");
    assert!(!error.hint().is_empty(), "{error}");
    error
}

#[tokio::test]
async fn where_nobody_listens_nobody_acts_until_somebody_does() {
    let closed = Closed::new();
    let (_server, identities) = open(closed.url()).await;
    let error = failure(&identities).await;
    assert!(matches!(error, TokenError::Unreachable { .. }), "{error:?}");
    let google = closed.open();
    google.answer(MINT, [hour("web", 0)]);
    let token = identities.own("web", Scope::ReadOnly).await;
    assert!(token.is_ok(), "it is not believed: {token:?}");
    assert_eq!(google.seen(MINT).len(), 1);
}

#[tokio::test]
async fn where_nobody_speaks_nobody_acts_until_somebody_does() {
    let google = Loopback::start().await;
    google.answer(MINT, [Reply::new(200, "").after(Duration::from_hours(1))]);
    let (_server, identities) = open(google.url.clone()).await;
    let error = failure(&identities).await;
    assert!(matches!(error, TokenError::Silent { .. }), "{error:?}");
    assert_eq!(google.seen(MINT).len(), 3, "it is tried three times");
    google.answer(MINT, [hour("web", 0)]);
    let token = identities.own("web", Scope::ReadOnly).await;
    assert!(token.is_ok(), "it is not believed: {token:?}");
}

/// Speaks TLS with a certificate that nobody knows; counts who comes.
async fn impostor() -> (Url, Arc<AtomicUsize>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let made = made.expect("a certificate");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the usual versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate with its key");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let came = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            let shaken = acceptor.accept(stream).await;
            assert!(shaken.is_err(), "a token was about to be shown");
        }
    });
    let url = Url::parse(&format!("https://{address}")).expect("a URL");
    (url, came)
}

#[tokio::test]
async fn whoever_has_no_certificate_is_shown_no_token_and_nobody_acts() {
    let (url, came) = impostor().await;
    let (_server, identities) = open(url).await;
    for look in 1..=2 {
        let error = failure(&identities).await;
        if matches!(error, TokenError::Roots(_)) {
            // A system that trusts nobody does not even go there.
            assert_eq!(came.load(Ordering::Relaxed), 0);
            continue;
        }
        assert!(matches!(error, TokenError::Unreachable { .. }), "{error:?}");
        let mut causes = String::new();
        let mut cause = error.source();
        while let Some(next) = cause {
            causes.push_str(&next.to_string());
            cause = next.source();
        }
        assert!(causes.contains("certificate"), "{causes}");
        assert_eq!(came.load(Ordering::Relaxed), 3 * look, "it is not believed");
    }
}

#[tokio::test]
async fn while_the_metadata_server_is_late_nobody_waits_longer_than_for_one_attempt() {
    let budget = Duration::from_secs(1);
    let pace = Pace { budget, ..QUICK };
    // Nobody listens there, or whoever does keeps silent.
    let (closed, silent) = (Closed::new(), Loopback::start().await);
    let never = Reply::new(200, "").after(Duration::from_hours(1));
    silent.answer("/", [never]);
    for metadata in [closed.url(), silent.url.clone()] {
        let (google, hands) = (Loopback::start().await, Hands::new());
        let mut endpoints = google.endpoints();
        endpoints.metadata = metadata.clone();
        let identities = Identities::paced(
            Settings::new(endpoints),
            &hands.clock(),
            quick(pace.clone()),
            quick(pace.clone()),
        );
        let started = tokio::time::Instant::now();
        let projects = ["one", "two", "three", "four", "five"];
        let asked = projects.map(|it| identities.own(it, Scope::ReadOnly));
        let at = metadata.port().expect("a port").to_string();
        for token in futures::future::join_all(asked).await {
            let error = token.expect_err("nobody answers").to_string();
            assert!(error.contains(&at), "it is the metadata server: {error}");
        }
        let account = KubernetesAccount::new("web", "argosy-gcp");
        let request = |_| async { Err(std::io::Error::other("nobody asks")) };
        let token = identities.kubernetes(&account, "u", Scope::ReadOnly, request);
        let error = token.await.expect_err("nobody answers").to_string();
        assert!(error.contains(&at), "it is the metadata server: {error}");
        let took = started.elapsed();
        assert!(
            took < 4 * budget,
            "one attempt for all, and another: {took:?}"
        );
        assert!(google.seen("/").is_empty(), "Google is not asked");
    }
}

#[tokio::test]
async fn without_a_metadata_server_nobody_acts_and_nobody_is_asked_anonymously() {
    let closed = Closed::new();
    let metadata = closed.url();
    let (server, identities, hands) = open_at(|server| (metadata, server.clone())).await;
    let error = failure(&identities).await;
    assert!(matches!(error, TokenError::Unreachable { .. }), "{error:?}");
    assert!(server.seen("/").is_empty(), "Google is not asked");
    // It is there, and knows no account yet.
    let late = closed.open();
    late.answer("default/token", [Reply::new(404, "Not Found\n")])
        .answer("project/project-id", [Reply::metadata("acme-gke")]);
    let error = failure(&identities).await;
    assert!(matches!(error, TokenError::NotReady { .. }), "{error:?}");
    assert!(server.seen("/").is_empty(), "Google is not asked");
    late.answer_as_gke();
    server.answer(MINT, [hour("web", 600)]);
    hands.advance(600);
    let token = identities.own("web", Scope::ReadOnly).await;
    assert!(token.is_ok(), "it is never given up: {token:?}");
    let asked = server.seen(MINT);
    assert_eq!(asked[0].headers["authorization"], "Bearer ya29.base");
}
