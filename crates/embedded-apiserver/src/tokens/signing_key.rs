//! The key that tokens are signed with: made once, kept beside the objects, of which others see the public half only.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rcgen::{PKCS_RSA_SHA256, RsaKeySize};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::claims::Claims;
use crate::listen::write_private;
use crate::store::OpenError;

/// The file that keeps it, in the data directory.
const FILE: &str = "service-account.key";

/// An RSA key of 2048 bits.
pub(crate) struct SigningKey {
    /// Which key a token was signed with.
    ///
    /// Source: <https://github.com/kubernetes/kubernetes/blob/master/pkg/serviceaccount/jwt.go>, `keyIDFromPublicKey`
    id: String,
    private: EncodingKey,
    public: DecodingKey,
    /// The public numbers, as a JSON Web Key has them.
    modulus: String,
    exponent: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Reads the key that is kept in `directory`, or makes one; only who holds the directory may ask.
    pub(crate) fn read_or_create(directory: &Path) -> Result<Self, OpenError> {
        let path = directory.join(FILE);
        let pem = match fs::read(&path) {
            Ok(pem) => pem,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let pem = new_pem().ok_or_else(|| OpenError::Bootstrap {
                    what: "no key to sign with could be made".to_owned(),
                })?;
                write_private(&path, pem.as_bytes()).map_err(|source| OpenError::SigningKey {
                    path: path.clone(),
                    source,
                })?;
                pem.into_bytes()
            }
            Err(source) => return Err(OpenError::SigningKey { path, source }),
        };
        Self::parse(&pem).ok_or(OpenError::NotASigningKey { path })
    }

    /// Makes a key that is kept nowhere; there is none without randomness.
    pub(super) fn generate() -> Option<Self> {
        Self::parse(new_pem()?.as_bytes())
    }

    /// Reads an unencrypted PKCS #8 key in PEM.
    fn parse(pem: &[u8]) -> Option<Self> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).ok()?;
        let pair = rsa::KeyPair::from_pkcs8(der.secret_pkcs8_der()).ok()?;
        let public = pair.public_key();
        let (modulus, exponent) = (public.modulus(), public.exponent());
        let (modulus, exponent) = (
            modulus.big_endian_without_leading_zero(),
            exponent.big_endian_without_leading_zero(),
        );
        let digest = Sha256::digest(public.as_der().ok()?.as_ref());
        Some(Self {
            id: URL_SAFE_NO_PAD.encode(digest),
            private: EncodingKey::from_rsa_pem(pem).ok()?,
            public: DecodingKey::from_rsa_raw_components(modulus, exponent),
            modulus: URL_SAFE_NO_PAD.encode(modulus),
            exponent: URL_SAFE_NO_PAD.encode(exponent),
        })
    }

    /// The public half as a JSON Web Key.
    pub(super) fn public(&self) -> Value {
        json!({
            "use": "sig", "kty": "RSA", "kid": self.id, "alg": "RS256", "n": self.modulus, "e": self.exponent,
        })
    }

    /// A token that says `claims`; takes about a millisecond.
    pub(super) fn sign(&self, claims: &Claims) -> Option<String> {
        let mut header = Header::new(Algorithm::RS256);
        header.typ = None;
        header.kid = Some(self.id.clone());
        jsonwebtoken::encode(&header, claims, &self.private).ok()
    }

    /// What a token says, if it was signed with this key; whether it still holds is for [`Claims`] to say.
    pub(super) fn read(&self, token: &str) -> Option<Claims> {
        let mut signature_only = Validation::new(Algorithm::RS256);
        signature_only.required_spec_claims.clear();
        signature_only.validate_exp = false;
        signature_only.validate_aud = false;
        let read = jsonwebtoken::decode(token, &self.public, &signature_only);
        read.ok().map(|it| it.claims)
    }
}

fn new_pem() -> Option<String> {
    let pair = rcgen::KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048);
    pair.ok().map(|it| it.serialize_pem())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let first = SigningKey::read_or_create(directory.path()).unwrap();
        let again = SigningKey::read_or_create(directory.path()).unwrap();
        assert_eq!(first.public(), again.public());
        let file = fs::metadata(directory.path().join(FILE)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
        assert!(!format!("{first:?}").contains("PRIVATE"));
    }

    #[test]
    fn a_file_that_is_no_key_is_named_and_left_alone() {
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        for text in ["", "not a key", &ed25519.serialize_pem()] {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join(FILE);
            fs::write(&path, text).unwrap();
            let error = SigningKey::read_or_create(directory.path()).unwrap_err();
            assert!(
                matches!(&error, OpenError::NotASigningKey { path: it } if *it == path),
                "{error}"
            );
            assert!(error.hint().contains(FILE), "{}", error.hint());
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join(FILE)).unwrap();
        let error = SigningKey::read_or_create(directory.path()).unwrap_err();
        assert!(matches!(error, OpenError::SigningKey { .. }), "{error}");
    }
}
