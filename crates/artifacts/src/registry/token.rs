//! Tokens of one client: asked for once per scope, kept until shortly before they expire.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use credentials::{AccessToken, Login};
use http::HeaderValue;
use http::header::AUTHORIZATION;
use secret::Secret;
use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::challenge::Challenge;
use super::{Asker, Problem, reason};
use crate::cost::Cost;
use crate::sender::{Call, Sender, host_of};

/// Most bytes of a token service's answer.
const ANSWER_BOUND: usize = 256 * 1024;
/// Most scopes with a token of their own: a client sees as many as its project has repositories at one host.
const SCOPES_BOUND: usize = 1_000;
/// How long a token is good if its service does not say, as the protocol has it, and the longest we believe.
const SHORTEST: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(1);

/// Remembers how the registry wants to be logged in to, and the tokens it took.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    challenge: Mutex<Option<Challenge>>,
    by_scope: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Option<Token>>>>>,
}

#[derive(Debug)]
struct Token {
    header: HeaderValue,
    good_until: Instant,
}

impl Tokens {
    pub(crate) fn challenge(&self) -> Option<Challenge> {
        self.challenge
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn remember(&self, challenge: Challenge) {
        *self
            .challenge
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(challenge);
    }

    /// Gives the token of `scope`, asking for it if there is none. Whoever comes meanwhile waits for the same answer.
    pub(crate) async fn get(
        &self,
        sender: &Sender,
        realm: &Url,
        service: Option<&str>,
        scope: &str,
        login: Option<HeaderValue>,
        cost: &Cost,
    ) -> Result<HeaderValue, Problem> {
        let slot = self.slot(scope);
        let mut held = slot.lock().await;
        if let Some(token) = held
            .as_ref()
            .filter(|token| Instant::now() < token.good_until)
        {
            return Ok(token.header.clone());
        }
        let token = fetch(sender, realm, service, scope, login, cost).await?;
        let header = token.header.clone();
        *held = Some(token);
        Ok(header)
    }

    /// Drops the token of `scope` if it is still the one that was turned down. False where no token was sent.
    pub(crate) async fn forget(&self, scope: &str, turned_down: Option<&HeaderValue>) -> bool {
        let Some(turned_down) = turned_down else {
            return false;
        };
        let slot = self.slot(scope);
        let mut held = slot.lock().await;
        if held
            .as_ref()
            .is_some_and(|token| token.header == *turned_down)
        {
            *held = None;
        }
        true
    }

    /// Drops every token, since the login they were given for is no longer good.
    pub(crate) fn forget_all(&self) {
        let mut slots = self.by_scope.lock().unwrap_or_else(PoisonError::into_inner);
        slots.clear();
    }

    fn slot(&self, scope: &str) -> Arc<tokio::sync::Mutex<Option<Token>>> {
        let mut slots = self.by_scope.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= SCOPES_BOUND && !slots.contains_key(scope) {
            slots.clear();
        }
        Arc::clone(slots.entry(scope.to_owned()).or_default())
    }
}

async fn fetch(
    sender: &Sender,
    realm: &Url,
    service: Option<&str>,
    scope: &str,
    login: Option<HeaderValue>,
    cost: &Cost,
) -> Result<Token, Problem> {
    #[derive(Deserialize)]
    struct Granted {
        #[serde(default)]
        token: Option<String>,
        #[serde(default)]
        access_token: Option<String>,
        #[serde(default)]
        expires_in: Option<u64>,
    }
    let mut url = realm.clone();
    url.query_pairs_mut()
        .extend_pairs(service.map(|service| ("service", service)))
        .append_pair("scope", scope);
    let mut call = Call::get(url, ANSWER_BOUND, cost);
    if let Some(login) = login {
        call = call.header(AUTHORIZATION, login);
    }
    let realm = host_of(realm);
    let asked = Instant::now();
    let answer = match sender.send_patiently(&call).await {
        Ok(answer) => answer,
        Err(source) => return Err(Problem::TokenRequest { realm, source }),
    };
    if !answer.status.is_success() {
        return Err(Problem::Token {
            realm,
            status: answer.status,
            message: reason::read(&answer.body),
            asker: Asker::Nobody,
        });
    }
    let granted: Granted =
        serde_json::from_slice(&answer.body).map_err(|source| Problem::Malformed {
            what: "a token",
            source: hidden(&source),
        })?;
    let text = granted
        .token
        .or(granted.access_token)
        .filter(|token| !token.is_empty())
        .map(Secret::new);
    let header = text.and_then(|token| sensitive(format!("Bearer {}", token.expose())));
    let life = granted
        .expires_in
        .map_or(SHORTEST, Duration::from_secs)
        .clamp(SHORTEST, LONGEST);
    // A tenth is left for clocks that differ and for the request that carries the token.
    header
        .map(|header| Token {
            header,
            good_until: asked + life.mul_f32(0.9),
        })
        .ok_or(Problem::NoToken { realm })
}

/// Says where JSON broke without quoting it: the text may hold the token.
fn hidden(error: &serde_json::Error) -> serde_json::Error {
    serde::de::Error::custom(format!(
        "it breaks at line {} column {}",
        error.line(),
        error.column()
    ))
}

/// Makes the header that carries a user name and password.
pub(crate) fn basic(login: &Login) -> Option<HeaderValue> {
    match login {
        Login::Basic { username, password } => {
            let pair = Secret::new(format!("{username}:{}", password.expose()));
            sensitive(format!("Basic {}", BASE64_STANDARD.encode(pair.expose())))
        }
        Login::AccessToken(token) => {
            let (user, token) = (AccessToken::USERNAME, token.password());
            let pair = Secret::new(format!("{user}:{}", token.expose()));
            sensitive(format!("Basic {}", BASE64_STANDARD.encode(pair.expose())))
        }
        Login::SshKey(_) => None,
    }
}

/// Makes the header that a login is sent with before a registry has said what it wants: Google's take the token itself,
/// which spares a request for another.
pub(crate) fn unasked(login: &Login) -> Option<HeaderValue> {
    match login {
        Login::AccessToken(token) => bearer(token.password()),
        Login::Basic { .. } | Login::SshKey(_) => None,
    }
}

/// Makes the header that carries an access token itself, which Google's registries and APIs take.
///
/// Source: <https://cloud.google.com/artifact-registry/docs/docker/authentication>
pub(crate) fn bearer(token: &Secret<String>) -> Option<HeaderValue> {
    sensitive(format!("Bearer {}", token.expose()))
}

fn sensitive(text: String) -> Option<HeaderValue> {
    let text = Secret::new(text);
    let mut value = HeaderValue::from_str(text.expose()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Shortens a realm that came from a server to what may be printed.
pub(crate) fn shown(realm: &str) -> String {
    Url::parse(realm).map_or_else(
        |_| "an address that cannot be read".to_owned(),
        |url| format!("{}://{}", url.scheme(), host_of(&url)),
    )
}
