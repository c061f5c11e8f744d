//! The token of a Project's own service account, asked for as the controller.

use std::sync::Arc;

use tokio::time::Instant;

use super::Identities;
use crate::TokenError;
use crate::endpoints::{at, host_of};
use crate::error::Absence;
use crate::iam_credentials::{Wanted, token_path};
use crate::principal::{ACCOUNT_PREFIX, NameError, ServiceAccountEmail};
use crate::token::{Identity, Scope, Token};

impl Identities {
    pub(super) async fn fetch_own(
        &self,
        kargo_project: &str,
        scope: Scope,
    ) -> Result<Token, TokenError> {
        let deadline = self.deadline();
        let project = self.project_until(deadline).await?;
        let email = ServiceAccountEmail::of_kargo_project(kargo_project, &project)
            .map_err(|_: NameError| impossible(kargo_project))?;
        let base = self.controller(deadline).await?;
        let mut generated = self.generate(&base, &email, scope, deadline).await;
        // The base token may have been revoked: a new one is worth one more try.
        if matches!(generated, Err(TokenError::Unauthenticated { .. })) {
            self.invalidate(&base);
            let base = self.controller(deadline).await?;
            generated = self.generate(&base, &email, scope, deadline).await;
        }
        generated
    }

    /// Gives the token by which the controller asks. That its own account is absent, or may not be acted as, says nothing of
    /// the Project's.
    async fn controller(&self, deadline: Instant) -> Result<Arc<Token>, TokenError> {
        let base = self.base_until(Scope::CloudPlatform, deadline).await;
        base.map_err(|error| {
            let status = match &error {
                TokenError::Absent { .. } => 404,
                TokenError::Forbidden { .. } => 403,
                _ => return error,
            };
            TokenError::Refused {
                host: host_of(&self.inner.settings.endpoints.iam_credentials),
                status,
                reason: String::new(),
                message: error.to_string(),
            }
        })
    }

    async fn generate(
        &self,
        caller: &Token,
        email: &ServiceAccountEmail,
        scope: Scope,
        deadline: Instant,
    ) -> Result<Token, TokenError> {
        let settings = &self.inner.settings;
        let url = at(&settings.endpoints.iam_credentials, &token_path(email));
        let deadline = self.pace().chance(deadline);
        let wanted = Wanted {
            account: email.as_str(),
            delegates: &[],
            scope,
            lifetime: settings.lifetime,
        };
        let iam_credentials = &self.inner.iam_credentials;
        let granted = iam_credentials
            .generate(&url, caller, wanted, deadline)
            .await?;
        Ok(granted.of(Identity::ServiceAccount(email.clone())))
    }
}

/// Says of a name that no account can have it: known without asking, and not asked.
pub(super) fn impossible(kargo_project: &str) -> TokenError {
    TokenError::Absent {
        account: format!("{ACCOUNT_PREFIX}{kargo_project}"),
        why: Absence::Name,
    }
}
