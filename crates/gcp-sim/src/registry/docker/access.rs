//! Who asks, and whether IAM lets them: anew for every request.

use axum::Json;
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method};
use jiff::SignedDuration;
use serde_json::json;

use super::refused::{Action, Refused};
use super::{Answer, Visit, token};
use crate::faults::Effect;
use crate::google::{Caller, Google};
use crate::principal::Principal;
use crate::registry::address::ImageName;
use crate::registry::address::RepositoryName;

/// What a request said about who asks.
#[derive(Debug)]
enum Credential {
    Nothing,
    /// A token of the token service that stands for nobody.
    Nobody,
    Somebody(Box<Caller>),
    Unusable,
}

/// How long the access token lives that is made for the holder of a key.
const LIFE_FOR_KEY: SignedDuration = SignedDuration::from_hours(1);

const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// With which scopes a token may pull. That the read-only scope of the platform is enough is assumed.
///
/// Source: <https://cloud.google.com/artifact-registry/docs/docker/authentication>
const PULL_SCOPES: &[&str] = &[
    CLOUD_PLATFORM,
    "https://www.googleapis.com/auth/cloud-platform.read-only",
    "https://www.googleapis.com/auth/devstorage.read_only",
    "https://www.googleapis.com/auth/devstorage.read_write",
    "https://www.googleapis.com/auth/devstorage.full_control",
];

/// With which scopes a token may push.
const PUSH_SCOPES: &[&str] = &[
    CLOUD_PLATFORM,
    "https://www.googleapis.com/auth/devstorage.read_write",
    "https://www.googleapis.com/auth/devstorage.full_control",
];

impl Visit<'_> {
    /// `GET /v2/`: anybody with a credential.
    pub(super) fn base(&self) -> Answer {
        match self.credential() {
            Credential::Nothing => Err(Refused::challenge(&self.host)),
            Credential::Unusable => Err(Refused::bad_credential()),
            Credential::Nobody | Credential::Somebody(_) => Ok(Json(json!({})).into_response()),
        }
    }

    /// `GET /v2/token`: wraps whatever the credential is worth. Only nobody is asked what for.
    pub(super) fn token(&self) -> Answer {
        if self.method != Method::GET {
            return Err(Refused::method_not_allowed());
        }
        let holder = match self.credential() {
            Credential::Unusable => return Err(Refused::authentication_failed()),
            Credential::Somebody(caller) => token::Holder::AccessToken(self.access_token(&caller)),
            Credential::Nothing | Credential::Nobody => {
                self.allow_nobody()?;
                token::Holder::Nobody
            }
        };
        Ok(Json(json!({"token": token::wrap(holder), "expires_in": token::LIFE})).into_response())
    }

    /// Refuses a request that may not do this to the repository, or whose repository is not there.
    pub(super) fn allow(&self, image: &ImageName, action: Action) -> Result<(), Refused> {
        let caller = match self.credential() {
            Credential::Nothing => return Err(Refused::challenge_for(&self.host, image, action)),
            Credential::Unusable => return Err(Refused::bad_credential()),
            Credential::Nobody => Caller::anonymous(),
            Credential::Somebody(caller) => *caller,
        };
        self.outlive_wrapper(&caller)?;
        self.require(&caller, &image.repository, action)?;
        if self.registry.exists(&image.repository) {
            Ok(())
        } else {
            Err(Refused::no_repository(&image.repository))
        }
    }

    /// Says whether the caller may pull from a repository, whatever this request does.
    pub(super) fn may_pull(&self, repository: &RepositoryName) -> bool {
        let caller = match self.credential() {
            Credential::Somebody(caller) => *caller,
            Credential::Nobody => Caller::anonymous(),
            Credential::Nothing | Credential::Unusable => return false,
        };
        self.require(&caller, repository, Action::Pull).is_ok()
    }

    /// Refuses a request without a usable credential, on the way to no repository in particular.
    pub(super) fn must_be_known(&self) -> Result<(), Refused> {
        self.base().map(drop)
    }

    /// Lets a fault end the access token that a registry token wraps.
    fn outlive_wrapper(&self, caller: &Caller) -> Result<(), Refused> {
        let principal = caller.principal().to_string();
        let struck = self
            .registry
            .google
            .fault(&self.occasion(Some(&principal)), |effect| {
                matches!(effect, Effect::RegistryNoChallenge)
            });
        struck.map_or(Ok(()), |_| Err(Refused::bad_credential()))
    }

    fn require(
        &self,
        caller: &Caller,
        repository: &RepositoryName,
        action: Action,
    ) -> Result<(), Refused> {
        let google = &self.registry.google;
        let (permission, resource) = (action.permission(), repository.resource());
        let exists = google.read(|world| world.project(&repository.project).is_some());
        if exists {
            let principal = caller.principal().to_string();
            let enabled = google.require_api(&repository.project, &self.occasion(Some(&principal)));
            enabled.map_err(|refusal| Refused::denied_because(refusal.message()))?;
        }
        if caller.is_anonymous() {
            let allowed = google.allows(caller, permission, &resource);
            return allowed
                .then_some(())
                .ok_or_else(|| Refused::denied_to_nobody(permission, repository));
        }
        let scopes = if action == Action::Pull {
            PULL_SCOPES
        } else {
            PUSH_SCOPES
        };
        caller
            .require_scope(scopes)
            .map_err(|refusal| Refused::denied_because(refusal.message()))?;
        google
            .require(caller, permission, &resource)
            .map_err(|_| Refused::denied(permission, repository))
    }

    /// Who asks, as policies spell it.
    pub(super) fn principal(&self) -> Option<String> {
        match self.credential() {
            Credential::Somebody(caller) => Some(caller.principal().to_string()),
            Credential::Nothing | Credential::Nobody | Credential::Unusable => None,
        }
    }

    /// Whose credential is shown, be it good or not.
    pub(super) fn holder(&self) -> Option<Principal> {
        let google = &self.registry.google;
        match unwrap(&self.headers) {
            Some(token::Holder::AccessToken(token)) => google.holder_of_token(&token),
            Some(token::Holder::Nobody) => None,
            None => google.holder(&self.headers),
        }
    }

    fn credential(&self) -> Credential {
        let google = &self.registry.google;
        match unwrap(&self.headers) {
            Some(token::Holder::Nobody) => Credential::Nobody,
            Some(token::Holder::AccessToken(token)) => Credential::of(google.bearer(&token).ok()),
            None if self.headers.contains_key(AUTHORIZATION) => {
                Credential::of(google.caller(&self.headers).ok())
            }
            None => Credential::Nothing,
        }
    }

    /// An access token for a registry token to wrap, which ends when the caller's own does.
    fn access_token(&self, caller: &Caller) -> String {
        let google: &Google = &self.registry.google;
        let (scopes, rest, chain) = caller.token().map_or_else(
            || (Vec::new(), SignedDuration::ZERO, Vec::new()),
            |token| {
                (
                    token.scopes.clone(),
                    token.expires_at.duration_since(google.now()),
                    token.chain.clone(),
                )
            },
        );
        let life = if is_key(&self.headers) {
            LIFE_FOR_KEY
        } else {
            rest
        };
        google.issue(caller.principal().clone(), scopes, life, chain)
    }

    /// Refuses nobody a token for a repository that is not public.
    fn allow_nobody(&self) -> Result<(), Refused> {
        let scope = self.query::<TokenQuery>().scope;
        let Some((path, actions)) = scope
            .strip_prefix("repository:")
            .and_then(|rest| rest.rsplit_once(':'))
        else {
            return Ok(());
        };
        let action = if actions.split(',').any(|action| action == "push") {
            Action::Push
        } else {
            Action::Pull
        };
        self.require(&Caller::anonymous(), &self.image(path)?.repository, action)
    }
}

#[derive(Debug, Default, serde::Deserialize)]
struct TokenQuery {
    #[serde(default)]
    scope: String,
}

impl Credential {
    fn of(caller: Option<Caller>) -> Self {
        caller.map_or(Self::Unusable, |caller| Self::Somebody(Box::new(caller)))
    }
}

/// Reads a token of the token service.
fn unwrap(headers: &HeaderMap) -> Option<token::Holder> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, bearer) = value.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then(|| token::unwrap(bearer.trim()))
        .flatten()
}

/// Says whether the credential is a service account's key.
fn is_key(headers: &HeaderMap) -> bool {
    let user = || {
        let encoded = headers
            .get(AUTHORIZATION)?
            .to_str()
            .ok()?
            .split_once(' ')?
            .1;
        String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()
    };
    user().is_some_and(|text| text.starts_with("_json_key"))
}
