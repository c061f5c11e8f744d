//! The server's certificate, signed by an authority of its own that outlives restarts.

use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::ListenError;
use super::private::write_private;

/// How long an authority is trusted, and each certificate it signs; a new one is signed at every start.
const AUTHORITY_YEARS: i32 = 20;
const CERTIFICATE_YEARS: i32 = 5;

/// What the server shows, and what its clients are to trust.
pub(super) struct Identity {
    pub(super) tls: ServerConfig,
    /// The authority's certificate as PEM.
    pub(super) authority: String,
}

/// Makes a certificate for `address`, by the authority in `directory` or by a new one.
pub(super) fn make(
    directory: Option<&Path>,
    address: IpAddr,
    now: jiff::Timestamp,
) -> Result<Identity, ListenError> {
    let failed = |source| ListenError::Certificate { source };
    let year = i32::from(now.to_zoned(jiff::tz::TimeZone::UTC).year());
    let (authority, key) = authority(directory, year)?;
    let issuer = Issuer::new(authority_params(year), &key);
    let server_key = KeyPair::generate().map_err(failed)?;
    let certificate = server_params(address, year)
        .and_then(|it| it.signed_by(&server_key, &issuer))
        .map_err(failed)?;
    let chain = vec![certificate.der().clone()];
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|it| it.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|source| ListenError::Tls { source })?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Identity { tls, authority })
}

/// The authority's certificate and key, kept in two files.
fn authority(directory: Option<&Path>, year: i32) -> Result<(String, KeyPair), ListenError> {
    let failed = |source| ListenError::Certificate { source };
    let Some(directory) = directory else {
        return new_authority(year).map_err(failed);
    };
    let (certificate_path, key_path) = (directory.join("ca.crt"), directory.join("ca.key"));
    let kept = |path: &Path| match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ListenError::Keep {
            path: path.to_owned(),
            source,
        }),
    };
    if let (Some(certificate), Some(key)) = (kept(&certificate_path)?, kept(&key_path)?) {
        return Ok((certificate, KeyPair::from_pem(&key).map_err(failed)?));
    }
    let (certificate, key) = new_authority(year).map_err(failed)?;
    for (path, text) in [
        (&key_path, key.serialize_pem()),
        (&certificate_path, certificate.clone()),
    ] {
        write_private(path, text.as_bytes()).map_err(|source| ListenError::Keep {
            path: path.clone(),
            source,
        })?;
    }
    Ok((certificate, key))
}

fn new_authority(year: i32) -> Result<(String, KeyPair), rcgen::Error> {
    let key = KeyPair::generate()?;
    let certificate = authority_params(year).self_signed(&key)?;
    Ok((certificate.pem(), key))
}

/// Describes the authority; what it signs refers only to its name and key.
fn authority_params(year: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "embedded Kubernetes API");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + AUTHORITY_YEARS, 1, 1);
    params
}

fn server_params(address: IpAddr, year: i32) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
    let loopback = [
        IpAddr::from([127, 0, 0, 1]),
        IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    for it in loopback
        .into_iter()
        .chain([address])
        .filter(|it| !it.is_unspecified())
    {
        params.subject_alt_names.push(SanType::IpAddress(it));
    }
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.not_before = date_time_ymd(year - 1, 1, 1);
    params.not_after = date_time_ymd(year + CERTIFICATE_YEARS, 1, 1);
    Ok(params)
}
