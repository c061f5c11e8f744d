//! Speaks to one registry for one project with one credential, or with none: what is asked for first, and as whom.

use std::sync::{Arc, PoisonError, RwLock};

use credentials::{AccessToken, Login};
use http::{HeaderValue, StatusCode};
use tokio::sync::OnceCell;
use url::Url;

use super::challenge::Challenge;
use super::links::Links;
use super::listing::Notes;
use super::realm::{self, RealmError, Shown, TrustedRealm};
use super::token::{self, Tokens};
use super::{Asker, Error, Problem, Repository, Scope, content, error};
use crate::cost::Cost;
use crate::sender::{Answer, Call, Fault, Sender};

/// How often a request is sent at most: as the registry did not ask, as it asked, and with a new token of its own.
const TIMES_BOUND: u32 = 3;

/// Speaks to one registry for one project with one credential, or with none.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) scope: Scope,
    /// Where Artifact Registry's API is.
    pub(super) artifact_registry: Url,
    /// What is remembered of large lists, by scope.
    pub(super) notes: Arc<Notes>,
    /// The registry's host.
    pub(super) endpoint: String,
    pub(super) is_loopback: bool,
    /// Known of a registry on this machine once it was asked.
    pub(super) speaks_tls: OnceCell<bool>,
    pub(super) sender: Sender,
    pub(super) login: RwLock<Option<Login>>,
    pub(super) trusted_realms: Arc<[TrustedRealm]>,
    pub(super) tokens: Tokens,
    /// What is known of how it ends a page.
    pub(super) links: Links,
}

impl Client {
    /// Gives the address at which the registry is asked: where the operator says, or its own. That is https, or on this
    /// machine what the server there speaks.
    pub(super) async fn base(&self, cost: &Cost) -> Url {
        if let Some(detour) = self.sender.detour() {
            return detour.address().clone();
        }
        if !self.is_loopback {
            return self.own_address("https");
        }
        let speaks_tls = async || {
            let mut probe = self.own_address("http");
            probe.set_path("/v2/");
            let probe = Call::get(probe, content::ERROR_BOUND, cost);
            match self.sender.send_paced(&probe).await {
                // What a TLS server says to plain http, if it says anything.
                Ok(answer) => Ok(answer.status == StatusCode::BAD_REQUEST),
                Err(fault) if fault.is_nobody_there() => Err(fault),
                // No TLS server talks that long.
                Err(Fault::TooLarge { .. }) => Ok(false),
                Err(_) => Ok(true),
            }
        };
        // Where nobody is there, the next request finds that out again.
        match self.speaks_tls.get_or_try_init(speaks_tls).await {
            Ok(true) => self.own_address("https"),
            Ok(false) | Err(_) => self.own_address("http"),
        }
    }

    fn own_address(&self, scheme: &str) -> Url {
        let address = format!("{scheme}://{}/", self.endpoint);
        Url::parse(&address).expect("a repository's host makes a URL")
    }

    /// Sends a request for `repository`; where an access token is turned down, once more with another of its identity.
    pub(super) async fn send(&self, repository: &Repository, call: Call) -> Result<Answer, Error> {
        let login = self.login();
        let answer = self.send_as(login.as_ref(), repository, call.clone()).await;
        let Some(Login::AccessToken(token)) = &login else {
            return answer;
        };
        if !is_turned_down(&answer) {
            return answer;
        }
        let Some(renewed) = token.renewed().await.map(Login::AccessToken) else {
            return answer;
        };
        self.log_in_with(renewed.clone());
        self.tokens.forget_all();
        self.send_as(Some(&renewed), repository, call).await
    }

    /// Sends a request, logging in as the registry asks, and once more when a token of the registry's was turned down.
    async fn send_as(
        &self,
        login: Option<&Login>,
        repository: &Repository,
        mut call: Call,
    ) -> Result<Answer, Error> {
        let scope = format!("repository:{}:pull", repository.path);
        let mut tried = None;
        let mut remembered = self.tokens.challenge();
        let mut times = 0;
        loop {
            times += 1;
            let header = self
                .authorize(login, remembered.as_ref(), &scope, &call.cost)
                .await;
            let header = header.map_err(|problem| {
                let problem = problem.asked_by(Asker::of(login, repository));
                Error::new(repository, &call, problem)
            })?;
            call.headers.remove(http::header::AUTHORIZATION);
            if let Some(header) = &header {
                call.headers
                    .insert(http::header::AUTHORIZATION, header.clone());
            }
            let answer = self.sender.send_patiently(&call).await;
            let answer = answer.map_err(|fault| Error::new(repository, &call, fault.into()))?;
            if !is_refusal(answer.status) {
                return Ok(answer);
            }
            let asked = Challenge::choose(&answer.headers);
            let is_same = asked.is_none() || asked == remembered;
            // A token may have been revoked, a first request may have gone without one: both are worth another.
            let is_bearer = matches!(remembered, Some(Challenge::Bearer { .. }));
            if times == TIMES_BOUND
                || is_same
                    && (!is_bearer
                        || tried == header
                        || !self.tokens.forget(&scope, header.as_ref()).await)
            {
                return Ok(answer);
            }
            tried = header;
            if let Some(asked) = asked {
                self.tokens.remember(asked.clone());
                remembered = Some(asked);
            }
        }
    }

    async fn authorize(
        &self,
        login: Option<&Login>,
        challenge: Option<&Challenge>,
        scope: &str,
        cost: &Cost,
    ) -> Result<Option<HeaderValue>, Problem> {
        if login.is_some_and(Login::is_simulated) && !is_here(&self.base(cost).await) {
            let host = self.endpoint.clone();
            return Err(Problem::Simulated { host });
        }
        match challenge {
            None => Ok(login.and_then(token::unasked)),
            Some(Challenge::Basic) => Ok(login.and_then(token::basic)),
            Some(Challenge::Bearer { realm, service }) => {
                let checked = self.check_realm(realm, login, cost).await;
                let realm = checked.map_err(|source| Problem::Realm {
                    realm: token::shown(realm),
                    source,
                })?;
                let login = login.and_then(token::basic);
                self.tokens
                    .get(&self.sender, &realm, service.as_deref(), scope, login, cost)
                    .await
                    .map(Some)
            }
        }
    }

    /// Says where the registry's tokens are asked for, if the login may be shown there.
    async fn check_realm(
        &self,
        realm: &str,
        login: Option<&Login>,
        cost: &Cost,
    ) -> Result<Url, RealmError> {
        let registry = match self.sender.detour() {
            None => self.base(cost).await,
            Some(detour) => {
                let led = Url::parse(realm).ok().and_then(|it| detour.lead(&it));
                // It is the registry itself, which is reached where its connections go.
                if let Some(here) = led {
                    return Ok(here);
                }
                self.own_address("https")
            }
        };
        let shown = match login {
            None | Some(Login::SshKey(_)) => Shown::Nothing,
            Some(Login::Basic { username, .. }) if username == AccessToken::USERNAME => {
                Shown::AccessToken
            }
            Some(Login::Basic { .. }) => Shown::Login,
            Some(Login::AccessToken(_)) => Shown::AccessToken,
        };
        realm::check(&registry, realm, shown, &self.trusted_realms)
    }

    pub(super) fn login(&self) -> Option<Login> {
        let login = self.login.read().unwrap_or_else(PoisonError::into_inner);
        login.clone()
    }

    /// Says what an answer that is no success means for whoever asked.
    pub(super) fn refused(&self, repository: &Repository, answer: &Answer) -> Problem {
        error::refused(answer, Asker::of(self.login().as_ref(), repository))
    }

    pub(super) fn log_in_with(&self, login: Login) {
        *self.login.write().unwrap_or_else(PoisonError::into_inner) = Some(login);
    }
}

/// Says whether requests to the address stay on this machine.
pub(super) fn is_here(url: &Url) -> bool {
    url.host_str().is_some_and(crate::egress::is_loopback_name)
}

pub(crate) fn is_refusal(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Says whether the registry, or its token service, did not take the login.
fn is_turned_down(answer: &Result<Answer, Error>) -> bool {
    match answer {
        Ok(answer) => is_refusal(answer.status),
        Err(error) => match &*error.problem {
            Problem::Token { status, .. } => is_refusal(*status),
            _ => false,
        },
    }
}
