//! The controller's own identity: the metadata server's word, an operator's credential file, or an operator's key.

use secret::Secret;
use tokio::time::Instant;
use url::Url;

use super::{Base, Identities};
use crate::endpoints::{at, host_of};
use crate::external_account::{ExternalAccount, Impersonation, subject_of};
use crate::iam_credentials::{Wanted, token_path};
use crate::metadata::Account;
use crate::principal::{KubernetesAccount, Principal, WorkloadPool};
use crate::sts::{Sts, Subject};
use crate::token::{Identity, Scope, Token};
use crate::{Endpoints, TokenError};

impl Identities {
    pub(super) async fn fetch_base(
        &self,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Token, TokenError> {
        match &self.inner.settings.base {
            Base::Metadata => self.fetch_from_metadata(scope, deadline).await,
            Base::ExternalAccount(file) => self.fetch_external(file, scope, deadline).await,
            Base::Key(key) => self.fetch_key(key, scope, deadline).await,
        }
    }

    /// Names who is asked for the controller's own token.
    pub(super) fn base_host(&self) -> String {
        let inner = &self.inner;
        match &inner.settings.base {
            Base::Metadata => inner.metadata.host(),
            Base::ExternalAccount(file) => host_of(&self.sts_url(file)),
            Base::Key(_) => host_of(&inner.oauth.url),
        }
    }

    /// Asks whose tokens there are before it asks for one: while a node starts, its own server may answer first, and a
    /// token of the node is not to be had under the name of the Pod.
    async fn fetch_from_metadata(
        &self,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Token, TokenError> {
        let metadata = &self.inner.metadata;
        let account = metadata.account_until(deadline).await?;
        self.refuse_node(&account)?;
        let granted = metadata.token(&account, scope, deadline).await?;
        let identity = match (account.identity, &self.inner.settings.account) {
            (Identity::Pool(pool), Some(account)) => {
                self.subject(pool, account.clone(), deadline).await?
            }
            (identity, _) => identity,
        };
        Ok(granted.of(identity))
    }

    /// Refuses the account of a node, which all that runs on nodes has: it is nobody's choice for the controller.
    fn refuse_node(&self, account: &Account) -> Result<(), TokenError> {
        let is_a_pod = self.inner.settings.account.is_some();
        let is_default = matches!(&account.identity, Identity::ServiceAccount(email) if email.is_default_compute());
        if is_default || account.is_of_node && is_a_pod {
            let account = account.identity.to_string();
            return Err(TokenError::OfNode { account });
        }
        Ok(())
    }

    /// Names a Kubernetes account of the cluster exactly, where the pool is of the project whose number is known.
    ///
    /// The pool of a fleet is of the fleet's project, whose number the metadata server does not tell: there the older
    /// spelling says who it is.
    async fn subject(
        &self,
        pool: WorkloadPool,
        account: KubernetesAccount,
        deadline: Instant,
    ) -> Result<Identity, TokenError> {
        let metadata = &self.inner.metadata;
        let project = metadata.project_id_until(deadline).await?;
        if pool.project() != Some(project) {
            return Ok(Identity::Federated(pool.member(&account)));
        }
        Ok(Identity::Kubernetes(Principal {
            number: metadata.project_number_until(deadline).await?,
            pool,
            account,
        }))
    }

    async fn fetch_external(
        &self,
        file: &ExternalAccount,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Token, TokenError> {
        let token = file.source.read().await?;
        let subject = Subject {
            audience: &file.audience,
            token: &token,
            token_type: &file.token_type,
        };
        let sts = Sts {
            url: self.sts_url(file),
            ..self.inner.sts.clone()
        };
        let Some(impersonation) = &file.impersonation else {
            let granted = sts.exchange(&subject, scope, deadline).await?;
            return Ok(granted.of(self.federated(file, &token)));
        };
        let federated = sts
            .exchange(&subject, Scope::CloudPlatform, deadline)
            .await?;
        let caller = federated.of(self.federated(file, &token));
        let wanted = Wanted {
            account: impersonation.email.as_str(),
            delegates: &[],
            scope,
            lifetime: impersonation.lifetime,
        };
        let iam_credentials = &self.inner.iam_credentials;
        let deadline = self.pace().chance(deadline);
        let url = self.impersonation_url(impersonation);
        let granted = iam_credentials
            .generate(&url, &caller, wanted, deadline)
            .await?;
        Ok(granted.of(Identity::ServiceAccount(impersonation.email.clone())))
    }

    /// Says where the file's token is exchanged: where the operator sends STS, else where the file says.
    fn sts_url(&self, file: &ExternalAccount) -> Url {
        let is_moved = self.inner.settings.endpoints.sts != Endpoints::default().sts;
        let named = file.token_url.clone().filter(|_| !is_moved);
        named.unwrap_or_else(|| self.inner.sts.url.clone())
    }

    /// Says where the file's account is asked for, by the same rule.
    fn impersonation_url(&self, impersonation: &Impersonation) -> Url {
        let endpoint = &self.inner.settings.endpoints.iam_credentials;
        if *endpoint == Endpoints::default().iam_credentials {
            return impersonation.url.clone();
        }
        at(endpoint, &token_path(&impersonation.email))
    }

    /// Names whom the operator's file makes us: the account that the token is of, else our own Pod's, else somebody.
    fn federated(&self, file: &ExternalAccount, token: &Secret<String>) -> Identity {
        let of_pod = || self.inner.settings.account.clone();
        match subject_of(token).or_else(of_pod) {
            Some(account) => file.provider.identity(&account),
            None => file.provider.somebody(),
        }
    }
}
