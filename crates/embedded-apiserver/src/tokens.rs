//! Tokens of service accounts: what they are signed with, how one is asked for, and who is let in by one.
//!
//! ```text
//! POST …/serviceaccounts/NAME/token ─→ request ─→ claims, signed by signing_key ─→ a program ─→ another cloud
//! a bearer on the port, a TokenReview ─→ bearer ─→ claims ─→ the account, as it is now           │
//! /.well-known/openid-configuration, /openid/v1/jwks ←─ issuer ──────────────────────────────────┘
//! ```

mod bearer;
mod claims;
mod issuer;
mod request;
mod signing_key;

use parking_lot::RwLock;
use tokio::sync::OnceCell;

pub(crate) use self::issuer::{CONFIGURATION, Issuer, KEYS};
pub(crate) use self::signing_key::SigningKey;
use crate::failure::Failure;

/// What the server knows of tokens.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) issuer: Issuer,
    /// The tokens that kubeconfigs hold.
    standing: RwLock<Vec<bearer::StandingToken>>,
    /// Making one takes a noticeable while.
    key: OnceCell<SigningKey>,
}

impl Tokens {
    /// Signs as `issuer` with the key that was kept, or with one that is made when it is needed.
    pub(crate) fn new(issuer: Issuer, key: Option<SigningKey>) -> Self {
        Self {
            issuer,
            standing: RwLock::default(),
            key: OnceCell::new_with(key),
        }
    }

    /// The key, which is made now if there was none.
    async fn key(&self) -> Result<&SigningKey, Failure> {
        let make = || async {
            let made = tokio::task::spawn_blocking(SigningKey::generate).await;
            made.ok()
                .flatten()
                .ok_or_else(|| Failure::internal("no key to sign with could be made"))
        };
        self.key.get_or_try_init(make).await
    }

    /// The public keys by which others check tokens.
    pub(crate) async fn public_keys(&self) -> Result<serde_json::Value, Failure> {
        Ok(serde_json::json!({"keys": [self.key().await?.public()]}))
    }
}
