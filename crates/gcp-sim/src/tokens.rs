//! The tokens that were given out: opaque strings, known again by their hash only.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

use crate::principal::Principal;

/// How every token of the simulator begins, so that none can be taken for Google's.
pub const PREFIX: &str = "ya29.sim-";

/// How every refresh token begins.
const REFRESH_PREFIX: &str = "1//sim-";

/// What a token is worth; what it may do is IAM's to say, each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issued {
    pub principal: Principal,
    pub scopes: Vec<String>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    /// Who impersonated whom on the way here, first caller first.
    pub chain: Vec<Principal>,
}

/// All tokens that may still be shown.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    by_hash: HashMap<[u8; 32], Issued>,
    /// Who may have access tokens for a refresh token.
    refresh: HashMap<[u8; 32], Principal>,
}

/// Expired tokens are told from unknown ones for so long.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

/// Above so many tokens the long expired are forgotten.
const MANY: usize = 100_000;

impl Tokens {
    pub(crate) fn issue(&mut self, issued: Issued) -> String {
        if self.by_hash.len() > MANY {
            let now = issued.issued_at;
            self.by_hash
                .retain(|_, other| other.expires_at + REMEMBERED > now);
        }
        let token = random(PREFIX);
        self.by_hash.insert(hash(&token), issued);
        token
    }

    /// Makes a refresh token of somebody; it is good until it is revoked.
    pub(crate) fn issue_refresh(&mut self, principal: Principal) -> String {
        let token = random(REFRESH_PREFIX);
        self.refresh.insert(hash(&token), principal);
        token
    }

    /// Finds whose refresh token it is.
    pub(crate) fn refreshes(&self, token: &str) -> Option<&Principal> {
        self.refresh.get(&hash(token))
    }

    /// Makes a refresh token worth nothing.
    pub(crate) fn revoke_refresh(&mut self, token: &str) {
        self.refresh.remove(&hash(token));
    }

    pub(crate) fn find(&self, token: &str) -> Option<&Issued> {
        self.by_hash.get(&hash(token))
    }

    /// Finds when the last token was given out for a principal.
    pub(crate) fn last_of(&self, principal: &Principal) -> Option<Timestamp> {
        let own = self
            .by_hash
            .values()
            .filter(|it| it.principal == *principal);
        own.map(|it| it.issued_at).max()
    }
}

fn random(prefix: &str) -> String {
    let mut random = [0; 48];
    rand::rng().fill(&mut random[..]);
    format!("{prefix}{}", hex::encode(random))
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}
