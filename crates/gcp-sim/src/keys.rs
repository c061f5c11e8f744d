//! Key pairs made at run time: the one that Google signs with, the one of simulated clusters, and those of accounts.

use std::sync::OnceLock;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// A key pair that signs.
#[derive(Debug)]
pub(crate) struct SigningKey {
    pair: KeyPair,
    /// 40 hexadecimal digits, made from the public half.
    pub(crate) id: String,
}

/// The keys that need no account: each is made when it is first used.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    google: OnceLock<SigningKey>,
    clusters: OnceLock<SigningKey>,
}

impl Keys {
    /// What Google signs ID tokens, JWTs and blobs with.
    pub(crate) fn google(&self) -> &SigningKey {
        self.google.get_or_init(SigningKey::generate)
    }

    /// What clusters sign with whose keys the world leaves out.
    pub(crate) fn clusters(&self) -> &SigningKey {
        self.clusters.get_or_init(SigningKey::generate)
    }
}

impl SigningKey {
    pub(crate) fn generate() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("the machine has randomness");
        Self::of(pair)
    }

    /// Reads an unencrypted PKCS #8 key in PEM.
    pub(crate) fn from_pem(pem: &str) -> Option<Self> {
        let inner = pem
            .trim()
            .strip_prefix("-----BEGIN PRIVATE KEY-----")?
            .strip_suffix("-----END PRIVATE KEY-----")?;
        let base64: String = inner.split_whitespace().collect();
        let der = STANDARD.decode(base64).ok()?;
        KeyPair::from_pkcs8(&der).ok().map(Self::of)
    }

    fn of(pair: KeyPair) -> Self {
        let modulus = pair.public_key().modulus();
        let digest = Sha256::digest(modulus.big_endian_without_leading_zero());
        let id = hex::encode(&digest[..20]);
        Self { pair, id }
    }

    /// The private half, as key files carry it.
    pub(crate) fn pem(&self) -> String {
        let der = self.pair.as_der().expect("a key can be written down");
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(64)
            .map(|line| std::str::from_utf8(line).expect("base64 is ASCII"))
            .collect();
        format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            lines.join("\n")
        )
    }

    /// The public half as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        let public = self.pair.public_key();
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        json!({
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.id,
            "n": number(public.modulus().big_endian_without_leading_zero()),
            "e": number(public.exponent().big_endian_without_leading_zero()),
        })
    }

    pub(crate) fn sign_jwt(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::RS256);
        header.kid = Some(self.id.clone());
        let key = EncodingKey::from_rsa_pem(self.pem().as_bytes()).expect("the key is an RSA key");
        jsonwebtoken::encode(&header, claims, &key).expect("claims are JSON")
    }

    /// Signs bytes with RSASSA-PKCS1-v1_5 and SHA-256.
    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.pair.public_modulus_len()];
        let random = aws_lc_rs::rand::SystemRandom::new();
        self.pair
            .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
            .expect("the buffer is as long as the key");
        signature
    }
}

/// Sets of keys as issuers publish them.
pub(crate) fn jwk_set(keys: &[Value]) -> Value {
    json!({ "keys": keys })
}
