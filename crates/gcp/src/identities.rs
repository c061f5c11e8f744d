//! Whose token is to be had, and how: the controller's own, a Project's account's, a Kubernetes account's, a key's.
//!
//! Which of them a Project gets is not decided here.

mod base;
mod kubernetes;
mod own;
mod settings;

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use secret::Secret;
use tokio::time::Instant;

use crate::cache::TokenCache;
use crate::endpoints::at;
use crate::http::{Http, Observer, Pace, awaited};
use crate::iam_credentials::IamCredentials;
use crate::metadata::Metadata;
use crate::principal::{KubernetesAccount, MAX_PROJECT_NAME, ProjectId};
use crate::service_account_key::{Oauth, ServiceAccountKey};
use crate::sts::Sts;
use crate::token::{Identity, Scope, Token};
use crate::{Clock, TokenError};

use own::impossible;
pub use settings::{Base, Settings};

/// Gives tokens; cheap to clone, and all clones share what is remembered.
#[derive(Clone)]
pub struct Identities {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    metadata: Metadata,
    iam_credentials: IamCredentials,
    sts: Sts,
    oauth: Oauth,
    tokens: Tokens,
}

struct Tokens {
    base: ByScope,
    own: ByScope,
    kubernetes: ByScope,
    keys: ByScope,
}

/// A cache for each scope, so that a look-up needs no key made of both.
struct ByScope {
    read_only: TokenCache,
    cloud_platform: TokenCache,
}

impl ByScope {
    fn new(clock: &Clock) -> Self {
        Self {
            read_only: TokenCache::new(Arc::clone(clock)),
            cloud_platform: TokenCache::new(Arc::clone(clock)),
        }
    }

    fn of(&self, scope: Scope) -> &TokenCache {
        match scope {
            Scope::ReadOnly => &self.read_only,
            Scope::CloudPlatform => &self.cloud_platform,
        }
    }

    fn invalidate(&self, token: &Token) -> bool {
        // The same token may be there under both scopes, as a metadata server may give one for either.
        self.read_only.invalidate(token) | self.cloud_platform.invalidate(token)
    }

    fn forget_refusals(&self, concerns: impl Fn(&str) -> bool) {
        for cache in [&self.read_only, &self.cloud_platform] {
            cache.forget_refusals(&concerns);
        }
    }
}

impl Identities {
    /// Asks nobody yet; `observer` is told of every request.
    pub fn new(settings: Settings, clock: &Clock, observer: &Observer) -> Self {
        let metadata = Http::new(Pace::METADATA, Arc::clone(observer));
        let google = Http::new(Pace::GOOGLE, Arc::clone(observer));
        Self::paced(settings, clock, metadata, google)
    }

    pub(crate) fn paced(settings: Settings, clock: &Clock, metadata: Http, google: Http) -> Self {
        let endpoints = &settings.endpoints;
        let inner = Inner {
            metadata: Metadata::paced(endpoints.metadata.clone(), Arc::clone(clock), metadata),
            iam_credentials: IamCredentials {
                http: google.clone(),
                clock: Arc::clone(clock),
            },
            sts: Sts {
                http: google.clone(),
                url: at(&endpoints.sts, "/v1/token"),
                clock: Arc::clone(clock),
            },
            oauth: Oauth {
                http: google,
                url: at(&endpoints.oauth, "/token"),
                clock: Arc::clone(clock),
            },
            tokens: Tokens {
                base: ByScope::new(clock),
                own: ByScope::new(clock),
                kubernetes: ByScope::new(clock),
                keys: ByScope::new(clock),
            },
            settings,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    pub fn metadata(&self) -> &Metadata {
        &self.inner.metadata
    }

    /// Says which project holds the Projects' accounts.
    pub async fn project(&self) -> Result<ProjectId, TokenError> {
        self.project_until(self.deadline()).await
    }

    async fn project_until(&self, deadline: Instant) -> Result<ProjectId, TokenError> {
        match (&self.inner.settings.project, &self.inner.settings.base) {
            (Some(project), _) => Ok(project.clone()),
            (None, Base::Metadata) => self.inner.metadata.project_id_until(deadline).await,
            (None, Base::Key(key)) => key.email.project().ok_or(TokenError::NoProject),
            (None, Base::ExternalAccount(file)) => {
                let impersonated = file.impersonation.as_ref();
                impersonated
                    .and_then(|it| it.email.project())
                    .or_else(|| file.provider.project())
                    .ok_or(TokenError::NoProject)
            }
        }
    }

    /// Gives the controller's own token.
    ///
    /// # Errors
    /// [`TokenError::OfNode`] where the metadata server gives the identity of the node: nobody acts as that.
    pub async fn base(&self, scope: Scope) -> Result<Arc<Token>, TokenError> {
        self.base_until(scope, self.deadline()).await
    }

    async fn base_until(&self, scope: Scope, deadline: Instant) -> Result<Arc<Token>, TokenError> {
        let fetch = || {
            let it = self.clone();
            async move { it.fetch_base(scope, deadline).await }
        };
        let asked = self.inner.tokens.base.of(scope).get("", fetch);
        awaited(deadline, || self.base_host(), asked).await
    }

    /// Gives the token of the Google service account that `kargo_project` acts as.
    ///
    /// # Errors
    /// [`TokenError::Absent`] and [`TokenError::Forbidden`] are definite; after a token was had, they are given only
    /// once Google has said so twice, and [`TokenError::Unconfirmed`] in between.
    pub async fn own(&self, kargo_project: &str, scope: Scope) -> Result<Arc<Token>, TokenError> {
        if kargo_project.len() > MAX_PROJECT_NAME {
            return Err(impossible(kargo_project));
        }
        let fetch = || {
            let (it, kargo_project) = (self.clone(), kargo_project.to_owned());
            async move { it.fetch_own(&kargo_project, scope).await }
        };
        self.inner
            .tokens
            .own
            .of(scope)
            .get(kargo_project, fetch)
            .await
    }

    /// Gives the federated token of a Kubernetes account, exchanging what `request` makes for an audience.
    ///
    /// `uid` is the account's: one that was deleted and made anew does not get what the old one had.
    pub async fn kubernetes<F, E>(
        &self,
        account: &KubernetesAccount,
        uid: &str,
        scope: Scope,
        request: impl FnOnce(String) -> F + Send + 'static,
    ) -> Result<Arc<Token>, TokenError>
    where
        F: Future<Output = Result<Secret<String>, E>> + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let fetch = || {
            let (it, account) = (self.clone(), account.clone());
            async move { it.fetch_kubernetes(account, scope, request).await }
        };
        let key = format!("{account}/{uid}");
        self.inner
            .tokens
            .kubernetes
            .of(scope)
            .get(&key, fetch)
            .await
    }

    /// Gives a token of the account whose key this is.
    pub async fn key(
        &self,
        key: &ServiceAccountKey,
        scope: Scope,
    ) -> Result<Arc<Token>, TokenError> {
        let fetch = || {
            let (it, key) = (self.clone(), key.clone());
            async move { it.fetch_key(&key, scope, it.deadline()).await }
        };
        self.inner
            .tokens
            .keys
            .of(scope)
            .get(&key.fingerprint(), fetch)
            .await
    }

    /// Forgets a token that a registry turned down; says whether asking once more gets another.
    pub fn invalidate(&self, token: &Token) -> bool {
        let Tokens {
            base,
            own,
            kubernetes,
            keys,
        } = &self.inner.tokens;
        let caches = [own, kubernetes, keys, base].into_iter();
        caches.fold(false, |was_held, cache| cache.invalidate(token) | was_held)
    }

    /// Lets the accounts of a Project be asked for anew, since somebody says that what was refused has been mended.
    pub fn forget_refusals(&self, kargo_project: &str) {
        let tokens = &self.inner.tokens;
        tokens.own.forget_refusals(|key| key == kargo_project);
        tokens.kubernetes.forget_refusals(|key| {
            let namespace = key.split_once('/').map(|(namespace, _)| namespace);
            namespace == Some(kargo_project)
        });
    }

    async fn fetch_key(
        &self,
        key: &ServiceAccountKey,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Token, TokenError> {
        let granted = self.inner.oauth.exchange(key, scope, deadline).await?;
        Ok(granted.of(Identity::ServiceAccount(key.email.clone())))
    }

    /// Says until when it is tried to have a token that is asked for now, whoever has to be asked for it.
    fn deadline(&self) -> Instant {
        self.pace().deadline()
    }

    fn pace(&self) -> &Pace {
        self.inner.sts.http.pace()
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.inner.settings;
        out.debug_struct("Identities")
            .field("settings", settings)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
