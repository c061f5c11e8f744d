//! The two ways to trust a server: its certificate, or, where the manifest says so, its word.

use std::sync::{Arc, OnceLock};

use rustls::client::WantsClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, SignatureScheme, WantsVerifier,
};
use rustls_platform_verifier::BuilderVerifierExt;

/// Holds the TLS configurations that all connections share; the roots are read once, when first needed.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    verifying: OnceLock<ClientConfig>,
    insecure: OnceLock<ClientConfig>,
}

impl Tls {
    /// Gives the configuration that verifies certificates by the system's roots.
    ///
    /// # Errors
    /// When the system has no roots.
    pub(crate) fn verifying(&self) -> Result<ClientConfig, Error> {
        if let Some(ready) = self.verifying.get() {
            return Ok(ready.clone());
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let ready = finish(versions(&provider).with_platform_verifier()?);
        Ok(self.verifying.get_or_init(|| ready).clone())
    }

    /// Gives the configuration that accepts any certificate.
    pub(crate) fn insecure(&self) -> ClientConfig {
        let build = || {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let any = versions(&provider).dangerous();
            finish(any.with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))))
        };
        self.insecure.get_or_init(build).clone()
    }
}

fn versions(provider: &Arc<CryptoProvider>) -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .expect("aws-lc-rs has the ciphers of TLS 1.2 and 1.3")
}

fn finish(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig {
    let mut configuration = builder.with_no_client_auth();
    configuration.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    configuration
}

/// Accepts any certificate, and still checks that the server holds its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
