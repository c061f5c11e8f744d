//! The federated token of a Kubernetes account, exchanged at STS.

use std::future::Future;
use std::sync::Arc;

use secret::Secret;

use super::{Base, Identities, Inner};
use crate::TokenError;
use crate::principal::KubernetesAccount;
use crate::sts::{JWT, Provider, Subject};
use crate::token::{Scope, Token};

impl Identities {
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
}
