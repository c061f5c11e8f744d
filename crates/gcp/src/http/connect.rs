//! Connections: time-outs, trust, and what it means when none comes about.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;

use super::Pace;
use crate::TokenError;

/// Builds a client that follows no redirect and asks no proxy: a token goes to the address it is meant for, or nowhere.
pub(super) fn client(pace: &Pace, tls: ClientConfig) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .user_agent(concat!("argosy/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(pace.connect)
        .timeout(pace.request)
        .build()
}

/// Trusts the system's roots, or nobody.
pub(super) fn tls(verifies: bool) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let trust = if verifies {
        versions.with_platform_verifier()?
    } else {
        versions.with_root_certificates(RootCertStore::empty())
    };
    let mut tls = trust.with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// Trusts these roots.
#[cfg(test)]
pub(super) fn tls_trusting(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// Tells silence from a refused or broken connection; the address stays out of the cause, as a query may hold a secret.
pub(super) fn fault(host: &str, error: reqwest::Error) -> TokenError {
    let host = host.to_owned();
    if error.is_timeout() {
        return TokenError::Silent { host };
    }
    TokenError::Unreachable {
        host,
        source: Arc::new(error.without_url()),
    }
}
