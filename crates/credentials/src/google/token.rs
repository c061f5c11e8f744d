//! An access token as a login: whose it is, and how it is replaced when a registry turns it down.

use std::sync::Arc;

use gcp::principal::KubernetesAccount;
use gcp::repository::{ImageAddress, RepositoryName};
use gcp::setup::shell::quote;
use gcp::{Identities, Identity, Scope, ServiceAccountKey, Token, TokenError};
use kube::Client;
use secret::Secret;

use super::{ACCOUNT, Google, account};
use crate::Outcome;

/// Whose token is asked for.
#[derive(Debug, Clone)]
pub(super) enum Actor {
    /// The Google service account of a Project.
    ServiceAccount { project: String },
    /// The Kubernetes account in a Project's namespace; an account made anew is another one.
    KubernetesAccount { namespace: String, uid: String },
    /// The controller, for a Project that has nobody of its own.
    Controller {
        /// How the Project gets an account of its own.
        way_out: String,
    },
    /// Whoever's key a Secret holds.
    Key(ServiceAccountKey),
}

impl Actor {
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::ServiceAccount { .. } => Outcome::OwnServiceAccount,
            Self::KubernetesAccount { .. } => Outcome::OwnKubernetesAccount,
            Self::Controller { .. } => Outcome::Controller,
            Self::Key(_) => Outcome::ServiceAccountKey,
        }
    }

    pub(super) async fn token(
        &self,
        identities: &Identities,
        client: &Client,
        scope: Scope,
    ) -> Result<Arc<Token>, TokenError> {
        match self {
            Self::ServiceAccount { project } => identities.own(project, scope).await,
            Self::KubernetesAccount { namespace, uid } => {
                let (client, namespace) = (client.clone(), namespace.clone());
                let name = KubernetesAccount::new(&namespace, ACCOUNT);
                let request = |audience| account::request(client, namespace, audience);
                identities.kubernetes(&name, uid, scope, request).await
            }
            Self::Controller { .. } => identities.base(scope).await,
            Self::Key(key) => identities.key(key, scope).await,
        }
    }
}

/// A Google access token for a registry; it prints without the token.
#[derive(Debug, Clone)]
pub struct AccessToken {
    pub(super) google: Google,
    pub(super) actor: Actor,
    pub(super) token: Arc<Token>,
}

impl AccessToken {
    /// The user name that Google's registries take an access token under.
    ///
    /// Source: <https://cloud.google.com/artifact-registry/docs/docker/authentication#token>
    pub const USERNAME: &'static str = "oauth2accesstoken";

    /// The token itself, which is the password.
    pub fn password(&self) -> &Secret<String> {
        &self.token.access_token
    }

    /// Who acts with it, as the member of a policy.
    pub fn identity(&self) -> String {
        self.token.identity.to_string()
    }

    /// Names the command that lets the Project read a repository: a grant to the identity, where that is the Project's alone.
    ///
    /// The controller acts for every Project, and a node for all that runs on it: neither is to be let in for one of them.
    pub fn grant(&self, repo_url: &str) -> String {
        let identity = &self.token.identity;
        match (ImageAddress::parse(repo_url), identity, &self.actor) {
            (Ok(_), Identity::ServiceAccount(email), _) if email.is_default_compute() => {
                "argosy gcp doctor".to_owned()
            }
            (Ok(_), _, Actor::Controller { way_out }) => way_out.clone(),
            (Err(_), _, _) | (Ok(_), Identity::Pool(_), _) => "argosy gcp doctor".to_owned(),
            // Everybody in a pool is not who is meant.
            (Ok(_), Identity::Federated(set), _) if set.starts_with("principalSet://") => {
                "argosy gcp doctor".to_owned()
            }
            (Ok(address), identity, _) => {
                let RepositoryName {
                    project,
                    location,
                    repository,
                } = address.repository;
                format!(
                    "gcloud artifacts repositories add-iam-policy-binding {} --project={} --location={} \
                     --role=roles/artifactregistry.reader --member='{identity}'",
                    quote(&repository),
                    quote(project.as_str()),
                    quote(&location),
                )
            }
        }
    }

    /// Forgets the token, which a registry turned down, and gives another of the same identity.
    ///
    /// None where there is no other, or its owner may no longer be acted as: the next look at who may act finds out.
    pub async fn renewed(&self) -> Option<Self> {
        let Google {
            identities,
            client,
            scope,
            fallback: _,
        } = &self.google;
        // Where it was forgotten before, somebody else was turned down too, and the new one is there or on its way.
        identities.invalidate(&self.token);
        let token = self.actor.token(identities, client, *scope).await.ok()?;
        let is_new = token.identity == self.token.identity && !token.is(&self.token);
        is_new.then(|| Self {
            token,
            ..self.clone()
        })
    }
}
