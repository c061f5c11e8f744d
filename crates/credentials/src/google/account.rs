//! The Kubernetes account of a Project that may act for it, and its tokens.

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::{Api, PostParams};
use secret::Secret;

use super::ACCOUNT;
use crate::{Error, Outcome, RegistryIdentity};

/// How long a Kubernetes token lives; it is exchanged at once.
const SECONDS: i64 = 3600;

/// Finds the uid of the Project's account; none where it has no account.
///
/// # Errors
/// [`Error::Read`] if Kubernetes does not say; [`Error::Identity`] while the account is going away: what is still there is
/// not absent, so nobody else acts for it.
pub(super) async fn find(client: &Client, namespace: &str) -> Result<Option<String>, Error> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let found = accounts
        .get_opt(ACCOUNT)
        .await
        .map_err(|source| Error::Read {
            what: "serviceaccounts",
            name: format!("{namespace}/{ACCOUNT}"),
            source,
        })?;
    let Some(ServiceAccount { metadata, .. }) = found else {
        return Ok(None);
    };
    match (metadata.uid, metadata.deletion_timestamp) {
        (Some(uid), None) => Ok(Some(uid)),
        (_, Some(_)) => Err(unavailable(namespace, "is going away")),
        (None, None) => Err(unavailable(namespace, "was given without a uid")),
    }
}

fn unavailable(namespace: &str, what: &str) -> Error {
    let why = format!("the Kubernetes account {namespace}/{ACCOUNT} {what}");
    let next = format!(
        "it is looked at again by itself; see what holds it: \
         kubectl get serviceaccount {ACCOUNT} --namespace {namespace} -o yaml"
    );
    Error::Identity {
        identity: Box::new(RegistryIdentity::nobody(Outcome::Unavailable, why, next)),
        source: None,
    }
}

/// Why Kubernetes gave no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenRequestError {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error("the answer holds no token")]
    NoToken,
}

/// Asks Kubernetes for a token of a Project's account [`ACCOUNT`] for an audience; nothing of it is remembered.
///
/// # Errors
/// [`TokenRequestError::Api`] if there is no such account, or whoever asks may not create its tokens.
pub async fn request(
    client: Client,
    namespace: String,
    audience: String,
) -> Result<Secret<String>, TokenRequestError> {
    let accounts: Api<ServiceAccount> = Api::namespaced(client, &namespace);
    let wanted = TokenRequest {
        spec: TokenRequestSpec {
            audiences: vec![audience],
            expiration_seconds: Some(SECONDS),
            bound_object_ref: None,
        },
        ..TokenRequest::default()
    };
    let parameters = PostParams::default();
    let granted = accounts
        .create_token_request(ACCOUNT, &parameters, &wanted)
        .await?;
    granted
        .status
        .map(|it| Secret::new(it.token))
        .ok_or(TokenRequestError::NoToken)
}
