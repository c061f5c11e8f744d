//! The controller's own identity: the metadata server's word, an operator's credential file, or an operator's key.

use super::{Base, Identities};
use crate::TokenError;
use crate::external_account::ExternalAccount;
use crate::iam_credentials::Wanted;
use crate::principal::Principal;
use crate::sts::{Provider, Sts, Subject};
use crate::token::{Identity, Scope, Token};

impl Identities {
    pub(super) async fn fetch_base(&self, scope: Scope) -> Result<Token, TokenError> {
        match &self.inner.settings.base {
            Base::Metadata => self.fetch_from_metadata(scope).await,
            Base::ExternalAccount(file) => self.fetch_external(file, scope).await,
            Base::Key(key) => self.fetch_key(key, scope).await,
        }
    }

    async fn fetch_from_metadata(&self, scope: Scope) -> Result<Token, TokenError> {
        let metadata = &self.inner.metadata;
        let granted = metadata.token(scope).await?;
        let identity = match (metadata.account().await?, &self.inner.settings.account) {
            (Identity::Pool(pool), Some(account)) => Identity::Kubernetes(Principal {
                number: metadata.project_number().await?,
                pool,
                account: account.clone(),
            }),
            (identity, _) => identity,
        };
        Ok(granted.of(identity))
    }

    async fn fetch_external(
        &self,
        file: &ExternalAccount,
        scope: Scope,
    ) -> Result<Token, TokenError> {
        let deadline = self.deadline();
        let token = file.source.read().await?;
        let subject = Subject {
            audience: &file.audience,
            token: &token,
            token_type: &file.token_type,
        };
        let sts = Sts {
            url: file
                .token_url
                .clone()
                .unwrap_or_else(|| self.inner.sts.url.clone()),
            ..self.inner.sts.clone()
        };
        let Some(impersonation) = &file.impersonation else {
            let granted = sts.exchange(&subject, scope, deadline).await?;
            return Ok(granted.of(self.federated(file)));
        };
        let federated = sts
            .exchange(&subject, Scope::CloudPlatform, deadline)
            .await?;
        let caller = federated.of(self.federated(file));
        let wanted = Wanted {
            account: impersonation.email.as_str(),
            delegates: &[],
            scope,
            lifetime: impersonation.lifetime,
        };
        let iam_credentials = &self.inner.iam_credentials;
        let granted = iam_credentials
            .generate(&impersonation.url, &caller, wanted, deadline)
            .await?;
        Ok(granted.of(Identity::ServiceAccount(impersonation.email.clone())))
    }

    /// Names the subject of the operator's file: exactly where our Kubernetes account is known.
    fn federated(&self, file: &ExternalAccount) -> Identity {
        let provider = Provider::Pool(file.provider.clone());
        match &self.inner.settings.account {
            Some(account) => provider.identity(account),
            None => Identity::Federated(file.provider.everyone()),
        }
    }
}
