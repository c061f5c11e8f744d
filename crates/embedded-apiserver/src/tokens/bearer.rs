//! Who bears a token: the owner of the kubeconfig, or a service account that is still there.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewStatus, UserInfo};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::Tokens;
use super::claims::{Claims, Refusal};
use crate::api::Api;
use crate::failure::Failure;
use crate::store::{Key, Resource};

/// A token that holds as long as the server listens, and who its bearer is.
pub(super) struct StandingToken {
    digest: [u8; 32],
    user: UserInfo,
}

impl std::fmt::Debug for StandingToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StandingToken")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Who somebody is, and for which of the wanted audiences that was established.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bearer {
    pub(crate) user: UserInfo,
    pub(crate) audiences: Vec<String>,
}

impl Tokens {
    /// Lets the bearer of `token` in as `user`, from now on.
    pub(crate) fn admit(&self, token: &str, user: UserInfo) {
        let digest = Sha256::digest(token.as_bytes()).into();
        self.standing.write().push(StandingToken { digest, user });
    }

    /// Finds a standing token; how long that takes tells nothing about it.
    fn find_standing(&self, token: &str) -> Option<UserInfo> {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let standing = self.standing.read();
        let found = standing
            .iter()
            .find(|it| bool::from(it.digest.ct_eq(&digest)));
        found.map(|it| it.user.clone())
    }
}

impl Api {
    /// Says who bears `token`, if it is for the server itself.
    pub(crate) fn identify(&self, token: &str) -> Result<UserInfo, Refusal> {
        let own = [self.tokens.issuer.url().to_owned()];
        self.identify_for(token, &own).map(|it| it.user)
    }

    /// Says who bears `token`, if it is for one of `wanted`.
    fn identify_for(&self, token: &str, wanted: &[String]) -> Result<Bearer, Refusal> {
        let own = self.tokens.issuer.url();
        if let Some(user) = self.tokens.find_standing(token) {
            // It is for the server and nobody else.
            if !wanted.iter().any(|it| it == own) {
                return Err(Refusal::Audience {
                    found: vec![own.to_owned()],
                    wanted: wanted.to_vec(),
                });
            }
            let audiences = vec![own.to_owned()];
            return Ok(Bearer { user, audiences });
        }
        // Nothing was signed yet if there is no key.
        let key = self.tokens.key.get().ok_or(Refusal::Unknown)?;
        let claims = key.read(token).ok_or(Refusal::Unknown)?;
        let audiences = claims.check(own, wanted, (self.clock)())?;
        self.check_account(&claims)?;
        let user = claims.user();
        Ok(Bearer { user, audiences })
    }

    /// Refuses the token of an account that is gone, going, or a later one of the same name.
    fn check_account(&self, claims: &Claims) -> Result<(), Refusal> {
        let (namespace, account) = (
            &claims.kubernetes.namespace,
            &claims.kubernetes.serviceaccount,
        );
        let key = Key::new(
            &Resource::new("", "serviceaccounts"),
            namespace,
            &account.name,
        );
        match self.store.memory().get(&key) {
            Some(found) if *found.uid == *account.uid && !found.deleting => Ok(()),
            _ => Err(Refusal::AccountGone {
                namespace: namespace.clone(),
                name: account.name.clone(),
            }),
        }
    }

    /// The status of a `TokenReview`.
    pub(crate) fn review_token(&self, asked: &Value) -> Result<Value, Failure> {
        let review: TokenReview = serde_json::from_value(asked.clone()).map_err(|error| {
            Failure::bad_request(format!("the body is not a TokenReview: {error}"))
        })?;
        let token = review.spec.token.unwrap_or_default();
        if token.is_empty() {
            let message = "token is required for TokenReview in authentication";
            return Err(Failure::bad_request(message));
        }
        let mut wanted = review.spec.audiences.unwrap_or_default();
        if wanted.is_empty() {
            wanted.push(self.tokens.issuer.url().to_owned());
        }
        let status = match self.identify_for(&token, &wanted) {
            Ok(Bearer { user, audiences }) => TokenReviewStatus {
                authenticated: Some(true),
                user: Some(user),
                audiences: Some(audiences),
                error: None,
            },
            Err(refusal) => TokenReviewStatus {
                authenticated: Some(false),
                error: Some(refusal.to_string()),
                ..TokenReviewStatus::default()
            },
        };
        serde_json::to_value(status).map_err(|error| Failure::internal(error.to_string()))
    }
}
