//! Who a request speaks for: a bearer token, or the user name and password that container tools send.

use base64::Engine as _;
use http::{HeaderMap, header};

use super::Google;
use crate::faults::Occasion;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::service::Service;
use crate::tokens::Issued;

/// Who asks, by a token that is good now; or nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    issued: Option<Issued>,
}

/// Wide enough for every API that is simulated.
pub(crate) const CLOUD_PLATFORM: &str = "https://www.googleapis.com/auth/cloud-platform";

/// Wide enough for what only reads.
pub(crate) const CLOUD_PLATFORM_READ_ONLY: &str =
    "https://www.googleapis.com/auth/cloud-platform.read-only";

impl Caller {
    /// Somebody who sent no credentials.
    pub fn anonymous() -> Self {
        Self { issued: None }
    }

    pub fn is_anonymous(&self) -> bool {
        self.issued.is_none()
    }

    pub fn principal(&self) -> &Principal {
        self.issued
            .as_ref()
            .map_or(&Principal::Anonymous, |issued| &issued.principal)
    }

    /// What the token is; none for anonymous callers.
    pub fn token(&self) -> Option<&Issued> {
        self.issued.as_ref()
    }

    /// Refuses a caller who sent no credentials.
    pub fn known(self) -> Result<Self, Refusal> {
        if self.is_anonymous() {
            return Err(Refusal::credentials_missing());
        }
        Ok(self)
    }

    /// Refuses a token whose scopes contain none of these.
    pub fn require_scope(&self, any_of: &[&str]) -> Result<(), Refusal> {
        let scopes = self
            .issued
            .as_ref()
            .map_or(&[][..], |issued| &issued.scopes);
        if scopes.iter().any(|scope| any_of.contains(&scope.as_str())) {
            return Ok(());
        }
        Err(Refusal::scope_insufficient())
    }
}

impl Google {
    /// Finds the number of the project that pays for a request of which no more is known yet: the caller's own for acting
    /// as accounts, elsewhere the one that the path names; else whichever comes first.
    pub(crate) fn consumer_of(&self, occasion: &Occasion<'_>) -> u64 {
        let principal = occasion.principal.unwrap_or_default();
        self.read(|world| {
            let named = || {
                let mut all = world.projects.iter();
                all.find(|it| occasion.names(&it.id) || occasion.names(&it.number.to_string()))
            };
            let own = || {
                let mut all = world.projects.iter();
                all.find(|it| {
                    let pool = format!("/projects/{}/", it.number);
                    principal.ends_with(&it.email_of("")) || principal.contains(&pool)
                })
            };
            let found = if occasion.service == Service::IamCredentials.host() {
                own().or_else(named)
            } else {
                named().or_else(own)
            };
            let found = found.or(world.projects.first());
            found.map_or(0, |project| project.number)
        })
    }

    /// Finds the project that pays for what a caller asks, where it is the caller's own; people have none.
    pub(crate) fn home_of(&self, principal: &Principal) -> Option<String> {
        match principal {
            Principal::Federated(workload) => Some(workload.project_number.to_string()),
            Principal::ServiceAccount { email } => self.read(|world| {
                let (project, _) = world.service_account(email)?;
                Some(project.id.clone())
            }),
            Principal::User { .. } | Principal::Anonymous => None,
        }
    }

    /// Finds out who asks. No `Authorization` makes an anonymous caller; one that is no good is refused.
    ///
    /// # Errors
    /// A token that is unknown or expired, an account that is disabled or deleted: each with its reason.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refusal> {
        let Some(value) = headers.get(header::AUTHORIZATION) else {
            return Ok(Caller::anonymous());
        };
        let value = value.to_str().map_err(|_| Refusal::token_not_known())?;
        let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.bearer(rest.trim());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return self.basic(rest.trim());
        }
        Err(Refusal::token_not_known())
    }

    /// Finds out who shows a token.
    pub fn bearer(&self, token: &str) -> Result<Caller, Refusal> {
        let issued = self.token(token).ok_or_else(Refusal::token_not_known)?;
        if issued.expires_at <= self.now() {
            return Err(Refusal::token_expired());
        }
        if let Principal::ServiceAccount { email } = &issued.principal {
            let usable = self.read(|world| {
                world
                    .service_account(email)
                    .is_some_and(|(_, account)| !account.disabled)
            });
            if !usable {
                return Err(Refusal::account_state_invalid(email));
            }
        }
        Ok(Caller {
            issued: Some(issued),
        })
    }

    /// Finds whose credential is shown, be it good or not; none where nobody was ever given it.
    pub(crate) fn holder(&self, headers: &HeaderMap) -> Option<Principal> {
        let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, rest) = value.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.holder_of_token(rest.trim());
        }
        let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim());
        let decoded = String::from_utf8(decoded.ok()?).ok()?;
        let (_, password) = decoded.split_once(':')?;
        self.holder_of_token(password)
            .or_else(|| self.holder_of_key(password))
    }

    pub(crate) fn holder_of_token(&self, token: &str) -> Option<Principal> {
        self.token(token).map(|it| it.principal)
    }

    /// Source: <https://cloud.google.com/artifact-registry/docs/docker/authentication>
    fn basic(&self, encoded: &str) -> Result<Caller, Refusal> {
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(Refusal::token_not_known)?;
        let (user, password) = decoded
            .split_once(':')
            .ok_or_else(Refusal::token_not_known)?;
        match user {
            "oauth2accesstoken" | "_token" => self.bearer(password),
            "_json_key" => self.key_holder(password),
            "_json_key_base64" => {
                let text = base64::engine::general_purpose::STANDARD
                    .decode(password)
                    .ok()
                    .and_then(|bytes| String::from_utf8(bytes).ok())
                    .ok_or_else(Refusal::token_not_known)?;
                self.key_holder(&text)
            }
            _ if user.starts_with("_dcgcr_") && user.ends_with("_token") => self.bearer(password),
            _ => Err(Refusal::token_not_known()),
        }
    }

    /// Takes a JSON key as proof of its account.
    fn key_holder(&self, key: &str) -> Result<Caller, Refusal> {
        let principal = self
            .holder_of_key(key)
            .ok_or_else(Refusal::token_not_known)?;
        let token = self.issue(
            principal,
            vec![CLOUD_PLATFORM.to_owned()],
            jiff::SignedDuration::from_mins(1),
            Vec::new(),
        );
        self.bearer(&token)
    }
}
