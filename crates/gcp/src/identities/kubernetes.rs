//! The federated token of a Kubernetes account, exchanged at STS.

use std::future::Future;
use std::sync::Arc;

use secret::Secret;
use tokio::time::{Instant, timeout_at};

use super::{Base, Identities, Inner};
use crate::TokenError;
use crate::principal::{KubernetesAccount, WorkloadPool};
use crate::sts::{JWT, Provider, Subject};
use crate::token::{Identity, Scope, Token};

impl Identities {
    /// Says who vouches for the cluster's accounts.
    pub async fn provider(&self) -> Result<Provider, TokenError> {
        self.provider_until(self.deadline()).await
    }

    async fn provider_until(&self, deadline: Instant) -> Result<Provider, TokenError> {
        let Inner {
            settings, metadata, ..
        } = &*self.inner;
        match (&settings.provider, &settings.base) {
            (Some(provider), _) => Ok(provider.clone()),
            (None, Base::ExternalAccount(file)) => Ok(file.provider.clone()),
            (None, Base::Metadata | Base::Key(_)) => {
                let project = metadata.project_id_until(deadline).await?;
                let pool = match metadata.account_until(deadline).await?.identity {
                    Identity::Pool(pool) => pool,
                    // An annotation hides the pool.
                    Identity::ServiceAccount(_)
                    | Identity::Kubernetes(_)
                    | Identity::Federated(_) => WorkloadPool::of(&project),
                };
                Ok(Provider::Gke {
                    project,
                    number: metadata.project_number_until(deadline).await?,
                    pool,
                    location: metadata.cluster_location_until(deadline).await?,
                    cluster: metadata.cluster_name_until(deadline).await?,
                })
            }
        }
    }

    pub(super) async fn fetch_kubernetes<F, E>(
        &self,
        account: KubernetesAccount,
        scope: Scope,
        request: impl FnOnce(String) -> F,
    ) -> Result<Token, TokenError>
    where
        F: Future<Output = Result<Secret<String>, E>>,
        E: std::error::Error + Send + Sync + 'static,
    {
        let failed = |source| TokenError::KubernetesToken {
            account: account.to_string(),
            source,
        };
        let deadline = self.deadline();
        let provider = self.provider_until(deadline).await?;
        let deadline = self.pace().chance(deadline);
        let token = timeout_at(deadline, request(provider.kubernetes_audience())).await;
        let token = token
            .map_err(|silent| failed(Arc::new(silent)))?
            .map_err(|error| failed(Arc::new(error)))?;
        let subject = Subject {
            audience: &provider.audience(),
            token: &token,
            token_type: JWT,
        };
        let deadline = self.pace().chance(deadline);
        let granted = self.inner.sts.exchange(&subject, scope, deadline).await?;
        Ok(granted.of(provider.identity(&account)))
    }
}
