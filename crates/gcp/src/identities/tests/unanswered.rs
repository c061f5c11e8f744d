//! No answer at all: nobody there, somebody else there, silence. Nobody acts then, and nothing of it is believed later.

use std::error::Error as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use url::Url;

use super::*;
use crate::http::{Http, Observer, Pace};
use crate::loopback::{Closed, QUICK, quick};

const MINT: &str = "generateAccessToken";

/// Google on loopback with little patience, and how often IAM Credentials was asked.
struct Place {
    /// Answers as the metadata server, and for all that is not elsewhere.
    server: Loopback,
    identities: Identities,
    hands: Hands,
    tries: Arc<AtomicUsize>,
}

/// A metadata server that answers, and IAM Credentials at some address.
async fn open(iam_credentials: Url) -> Place {
    open_at(|server| (server.clone(), iam_credentials)).await
}

/// The same with both addresses as they are chosen.
async fn open_at(choose: impl FnOnce(&Url) -> (Url, Url)) -> Place {
    let (server, hands) = (Loopback::start().await, Hands::new());
    server.answer_as_gke();
    let mut endpoints = server.endpoints();
    (endpoints.metadata, endpoints.iam_credentials) = choose(&server.url);
    let pace = Pace {
        request: Duration::from_millis(200),
        tries: 3,
        ..QUICK
    };
    let tries = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&tries);
    let observer: Observer = Arc::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    // Somebody is trusted, whatever this system trusts, and it is nobody who answers here.
    let (roots, _) = certificate();
    let google = Http::trusting(pace.clone(), observer, roots);
    let settings = Settings::new(endpoints);
    let identities = Identities::paced(settings, &hands.clock(), quick(pace), google);
    Place {
        server,
        identities,
        hands,
        tries,
    }
}

/// A certificate of this machine that signs itself: those who trust it, and what shows it.
fn certificate() -> (rustls::RootCertStore, rustls::ServerConfig) {
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
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).expect("a root");
    (roots, config)
}

impl Place {
    /// Says how often IAM Credentials was asked since this was last looked at.
    fn take_tries(&self) -> usize {
        self.tries.swap(0, Ordering::Relaxed)
    }

    /// Lets there be a token from before whatever is wrong here, good for nine minutes more, and due.
    async fn had_token(&self) {
        let expires = start() + jiff::SignedDuration::from_mins(9);
        let token = Token {
            access_token: Secret::from("ya29.held"),
            identity: Identity::Federated("principal://x".to_owned()),
            expires,
            doubt: None,
        };
        let held = self.identities.inner.tokens.own.of(Scope::ReadOnly);
        held.get("held", || async { Ok(token) })
            .await
            .expect("it is held");
        self.hands.advance(300);
    }

    /// Shows that a token that is still good serves while nobody answers, for as long as it is good.
    async fn serves_on(&self, label: &str) {
        self.had_token().await;
        self.take_tries();
        for _ in 0..2 {
            let token = self.identities.own("held", Scope::ReadOnly).await;
            let token = token.expect("the token serves");
            assert_eq!(shown(&token).0, "ya29.held");
            let doubt = token.doubt.as_ref().map(TokenError::label);
            assert_eq!(doubt, Some(label));
        }
        // It is tried three times, and then not for a while.
        assert_eq!(self.take_tries(), 3, "{label}");
        self.hands.advance(235);
        let token = self.identities.own("held", Scope::ReadOnly).await;
        assert_eq!(token.expect_err("it is over").label(), label);
        assert_eq!(self.take_tries(), 3, "{label}");
    }
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
    let place = open(closed.url()).await;
    let error = failure(&place.identities).await;
    assert!(matches!(error, TokenError::Unreachable { .. }), "{error:?}");
    assert_eq!(place.take_tries(), 3, "it is tried three times");
    place.serves_on("unreachable").await;
    let google = closed.open();
    google.answer(MINT, [hour("web", 600)]);
    let token = place.identities.own("web", Scope::ReadOnly).await;
    assert!(token.is_ok(), "it is not believed: {token:?}");
    assert_eq!(google.seen(MINT).len(), 1);
}

#[tokio::test]
async fn where_nobody_speaks_nobody_acts_until_somebody_does() {
    let google = Loopback::start().await;
    google.answer(MINT, [Reply::new(200, "").after(Duration::from_hours(1))]);
    let place = open(google.url.clone()).await;
    let error = failure(&place.identities).await;
    assert!(matches!(error, TokenError::Silent { .. }), "{error:?}");
    assert_eq!(google.seen(MINT).len(), 3, "it is tried three times");
    place.serves_on("unreachable").await;
    google.answer(MINT, [hour("web", 600)]);
    let token = place.identities.own("web", Scope::ReadOnly).await;
    assert!(token.is_ok(), "it is not believed: {token:?}");
}

/// Speaks TLS with a certificate that nobody knows; counts who comes.
async fn impostor() -> (Url, Arc<AtomicUsize>) {
    let (_, config) = certificate();
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
    let place = open(url).await;
    for look in 1..=2 {
        let error = failure(&place.identities).await;
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
    place.serves_on("unreachable").await;
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
    let place = open_at(|server| (metadata, server.clone())).await;
    let (server, identities) = (&place.server, &place.identities);
    let error = failure(identities).await;
    assert!(matches!(error, TokenError::Unreachable { .. }), "{error:?}");
    assert!(server.seen("/").is_empty(), "Google is not asked");
    // It is there, and knows no account yet.
    let late = closed.open();
    late.answer("default/token", [Reply::new(404, "Not Found\n")])
        .answer("project/project-id", [Reply::metadata("acme-gke")]);
    let error = failure(identities).await;
    assert!(matches!(error, TokenError::NotReady { .. }), "{error:?}");
    assert!(server.seen("/").is_empty(), "Google is not asked");
    late.answer_as_gke();
    server.answer(MINT, [hour("web", 600)]);
    place.hands.advance(600);
    let token = identities.own("web", Scope::ReadOnly).await;
    assert!(token.is_ok(), "it is never given up: {token:?}");
    let asked = server.seen(MINT);
    assert_eq!(asked[0].headers["authorization"], "Bearer ya29.base");
}
