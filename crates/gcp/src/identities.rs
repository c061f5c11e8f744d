//! Whose token is to be had, and how: the controller's own, a Project's account's, a Kubernetes account's, a key's.
//!
//! Which of them a Project gets is not decided here.

mod base;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use secret::Secret;
use tokio::time::Instant;

use crate::cache::TokenCache;
use crate::endpoints::{Endpoints, at};
use crate::error::Absence;
use crate::http::{Http, Observer, Pace};
use crate::iam_credentials::{IamCredentials, Wanted};
use crate::metadata::Metadata;
use crate::principal::{
    ACCOUNT_PREFIX, KubernetesAccount, MAX_PROJECT_NAME, NameError, ProjectId, ServiceAccountEmail,
};
use crate::service_account_key::{Oauth, ServiceAccountKey};
use crate::sts::{JWT, Provider, Sts, Subject};
use crate::token::{Scope, Token};
use crate::{Clock, TokenError};

pub use base::Base;

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

/// A cache for each kind and scope, so that a look-up needs no key made of both.
struct Tokens {
    base: [TokenCache; 2],
    own: [TokenCache; 2],
    kubernetes: [TokenCache; 2],
    keys: [TokenCache; 2],
}

/// What the operator may choose.
#[derive(Debug, Clone)]
pub struct Settings {
    pub endpoints: Endpoints,
    pub base: Base,
    /// The project that holds the Projects' accounts; without one, the metadata server's.
    pub project: Option<ProjectId>,
    /// The Kubernetes account we run as, if that is known: names the identity where the metadata server does not.
    pub account: Option<KubernetesAccount>,
    /// Who vouches for the cluster's accounts; without one, GKE as the metadata server describes it.
    pub provider: Option<Provider>,
    /// How long a Project's token is to live: 900 to 3600 seconds, or up to 12 hours where a policy allows it.
    pub lifetime: Duration,
}

impl Settings {
    /// Asks `endpoints` as whoever the metadata server says we are, for tokens of an hour.
    pub fn new(endpoints: Endpoints) -> Self {
        Self {
            endpoints,
            base: Base::Metadata,
            project: None,
            account: None,
            provider: None,
            lifetime: Duration::from_hours(1),
        }
    }
}

impl Identities {
    /// Asks nobody yet; `observer` is told of every request.
    pub fn new(settings: Settings, clock: Clock, observer: &Observer) -> Self {
        let metadata = Http::new(Pace::METADATA, Arc::clone(observer));
        Self::paced(
            settings,
            clock,
            metadata,
            Http::new(Pace::GOOGLE, Arc::clone(observer)),
        )
    }

    pub(crate) fn paced(settings: Settings, clock: Clock, metadata: Http, google: Http) -> Self {
        let endpoints = &settings.endpoints;
        let pair = || {
            [
                TokenCache::new(Arc::clone(&clock)),
                TokenCache::new(Arc::clone(&clock)),
            ]
        };
        let inner = Inner {
            metadata: Metadata::paced(endpoints.metadata.clone(), Arc::clone(&clock), metadata),
            iam_credentials: IamCredentials {
                http: google.clone(),
                clock: Arc::clone(&clock),
            },
            sts: Sts {
                http: google.clone(),
                url: at(&endpoints.sts, "/v1/token"),
                clock: Arc::clone(&clock),
            },
            oauth: Oauth {
                http: google,
                url: at(&endpoints.oauth, "/token"),
                clock: Arc::clone(&clock),
            },
            tokens: Tokens {
                base: pair(),
                own: pair(),
                kubernetes: pair(),
                keys: pair(),
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
        match (&self.inner.settings.project, &self.inner.settings.base) {
            (Some(project), _) => Ok(project.clone()),
            (None, Base::Metadata) => self.inner.metadata.project_id().await,
            (None, Base::Key(key)) => key.email.project().ok_or(TokenError::NoProject),
            (None, Base::ExternalAccount(_)) => Err(TokenError::NoProject),
        }
    }

    /// Gives the controller's own token.
    pub async fn base(&self, scope: Scope) -> Result<Arc<Token>, TokenError> {
        let fetch = || {
            let it = self.clone();
            async move { it.fetch_base(scope).await }
        };
        self.inner.tokens.base[scope as usize].get("", fetch).await
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
        self.inner.tokens.own[scope as usize]
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
        self.inner.tokens.kubernetes[scope as usize]
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
            async move { it.fetch_key(&key, scope).await }
        };
        self.inner.tokens.keys[scope as usize]
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
        let mut caches = [own, kubernetes, keys, base].into_iter().flatten();
        caches.any(|cache| cache.invalidate(token))
    }

    /// Says who vouches for the cluster's accounts.
    pub async fn provider(&self) -> Result<Provider, TokenError> {
        let Inner {
            settings, metadata, ..
        } = &*self.inner;
        match (&settings.provider, &settings.base) {
            (Some(provider), _) => Ok(provider.clone()),
            (None, Base::ExternalAccount(file)) => Ok(Provider::Pool(file.provider.clone())),
            (None, Base::Metadata | Base::Key(_)) => Ok(Provider::Gke {
                project: metadata.project_id().await?,
                number: metadata.project_number().await?,
                location: metadata.cluster_location().await?,
                cluster: metadata.cluster_name().await?,
            }),
        }
    }

    async fn fetch_own(&self, kargo_project: &str, scope: Scope) -> Result<Token, TokenError> {
        let deadline = self.deadline();
        let project = self.project().await?;
        let email = ServiceAccountEmail::of_kargo_project(kargo_project, &project)
            .map_err(|_: NameError| impossible(kargo_project))?;
        let base = self.base(Scope::CloudPlatform).await?;
        let mut generated = self.generate(&base, &email, scope, deadline).await;
        // The base token may have been revoked: a new one is worth one more try.
        if matches!(generated, Err(TokenError::Unauthenticated { .. })) {
            self.invalidate(&base);
            let base = self.base(Scope::CloudPlatform).await?;
            generated = self.generate(&base, &email, scope, deadline).await;
        }
        generated
    }

    async fn generate(
        &self,
        caller: &Token,
        email: &ServiceAccountEmail,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Token, TokenError> {
        let settings = &self.inner.settings;
        let path = format!("/v1/projects/-/serviceAccounts/{email}:generateAccessToken");
        let url = at(&settings.endpoints.iam_credentials, &path);
        let wanted = Wanted {
            account: email.as_str(),
            scope,
            lifetime: settings.lifetime,
        };
        let iam_credentials = &self.inner.iam_credentials;
        let granted = iam_credentials
            .generate(&url, caller, wanted, deadline)
            .await?;
        Ok(granted.of(crate::Identity::ServiceAccount(email.clone())))
    }

    async fn fetch_kubernetes<F, E>(
        &self,
        account: KubernetesAccount,
        scope: Scope,
        request: impl FnOnce(String) -> F,
    ) -> Result<Token, TokenError>
    where
        F: Future<Output = Result<Secret<String>, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let provider = self.provider().await?;
        let token = request(provider.kubernetes_audience()).await;
        let token = token.map_err(|error| TokenError::KubernetesToken {
            account: account.to_string(),
            source: Arc::new(error),
        })?;
        let subject = Subject {
            audience: &provider.audience(),
            token: &token,
            token_type: JWT,
        };
        let granted = self
            .inner
            .sts
            .exchange(&subject, scope, self.deadline())
            .await?;
        Ok(granted.of(provider.identity(&account)))
    }

    async fn fetch_key(&self, key: &ServiceAccountKey, scope: Scope) -> Result<Token, TokenError> {
        let granted = self
            .inner
            .oauth
            .exchange(key, scope, self.deadline())
            .await?;
        Ok(granted.of(crate::Identity::ServiceAccount(key.email.clone())))
    }

    fn deadline(&self) -> Instant {
        self.inner.sts.http.pace().deadline()
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

/// Says of a name that no account can have it: known without asking, and not asked.
fn impossible(kargo_project: &str) -> TokenError {
    TokenError::Absent {
        account: format!("{ACCOUNT_PREFIX}{kargo_project}"),
        why: Absence::Name,
    }
}
