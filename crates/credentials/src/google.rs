//! Google's registries, with Google's own identities: who acts for a Project, and why.
//!
//! In this order: the Project's service account, the Kubernetes account [`ACCOUNT`] in its namespace, the controller.
//! [`decision`] says when the next one may be asked; nothing but a definite answer leads on, and the controller acts only
//! where the policy lets it. Whatever else happens is [`Outcome::Unavailable`]: people see
//! it, it is tried again, and nobody weaker acts meanwhile.

mod account;
mod caller;
mod decision;
mod key;
mod project;
mod token;

use std::sync::Arc;

use gcp::{Identities, Scope, Token, TokenError};
use kube::Client;

pub use self::account::{TokenRequestError, request as request_kubernetes_token};
pub use self::caller::{Caller, CallerError, POD_TOKEN, TokenScope, account_of_token};
use self::decision::{AfterKubernetes, AfterOwn, Lack};
pub use self::key::KeyError;
pub(crate) use self::key::VALUE as KEY_VALUE;
use self::project::Standing;
pub use self::token::AccessToken;
use self::token::Actor;
use crate::{Access, Error, Kind, Login, Outcome, RegistryIdentity, Request};
pub use gcp::repository::ImageAddress;
pub use gcp::{Fallback, UnknownFallback};

/// The Kubernetes account of a Project that may act for it at Google.
pub const ACCOUNT: &str = gcp::principal::PROJECT_ACCOUNT;

/// Why nobody acts while Google has not said who may.
const UNKNOWN: &str = "whether the Project's own identity may be had is not known";

/// Annotation of a Project that tightens the installation's [`Fallback`].
pub const FALLBACK_ANNOTATION: &str = "argosy.dev/gcp-identity-fallback";

/// Gives Projects access to Google's registries.
#[derive(Clone)]
pub struct Google {
    identities: Identities,
    client: Client,
    fallback: Fallback,
    scope: Scope,
}

impl std::fmt::Debug for Google {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Google")
            .field("fallback", &self.fallback)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

impl Google {
    /// `client` looks at Projects and asks for tokens of their Kubernetes accounts; `scope` is what tokens are for.
    pub fn new(identities: Identities, client: Client, fallback: Fallback, scope: Scope) -> Self {
        Self {
            identities,
            client,
            fallback,
            scope,
        }
    }

    /// Says whether a repository is on one of Google's hosts, and of a kind they serve.
    ///
    /// The name has to be whole, and without a scheme once it is normalised: a host alone names an image on Docker Hub.
    pub(crate) fn serves(request: &Request<'_>) -> bool {
        match request.kind {
            Kind::Git => false,
            Kind::Image | Kind::Helm => {
                let has_scheme = request.repo_url.contains("://");
                !has_scheme && ImageAddress::parse(request.repo_url).is_ok()
            }
        }
    }

    pub(crate) fn forget_refusals(&self, project: &str) {
        self.identities.forget_refusals(project);
    }

    /// Lets the Project act as whoever may act for it.
    pub(crate) async fn access(&self, request: &Request<'_>) -> Result<Access, Error> {
        let standing = project::stand(&self.client, request.project).await?;
        let (fallback, note) = match standing {
            Standing::Project { annotation } => self.fallback.tightened(annotation.as_deref()),
            Standing::Nobody { why } => return Err(refused(why, project::hint(request.project))),
        };
        let project = request.project.to_owned();
        let own = Actor::ServiceAccount { project };
        let lack = match decision::after_own(self.token(&own).await) {
            AfterOwn::Act(token) => {
                return Ok(self.act(own, token, "it is the Project's own", None));
            }
            AfterOwn::AskKubernetes(lack) => lack,
            AfterOwn::Unavailable(error) => return Err(unavailable(UNKNOWN, error)),
        };
        let answer = self.ask_kubernetes(request.project).await?;
        match decision::after_kubernetes(&lack, answer, fallback) {
            AfterKubernetes::Act((actor, token)) => {
                let why = format!("it is the Project's own, and {lack}");
                Ok(self.act(actor, token, &why, None))
            }
            AfterKubernetes::AskController => self.fall_back(&lack, fallback).await,
            AfterKubernetes::Refused => {
                let note = note
                    .map(|it| format!("; annotation {FALLBACK_ANNOTATION}: {it}"))
                    .unwrap_or_default();
                let why = format!("{lack}, and the policy {fallback} lets nobody else act{note}");
                Err(refused(why, lack.hint()))
            }
            AfterKubernetes::Unavailable(error) => Err(unavailable(UNKNOWN, error)),
        }
    }

    /// Asks for the token of the Project's Kubernetes account; none where it has no such account.
    async fn ask_kubernetes(
        &self,
        project: &str,
    ) -> Result<Option<Result<(Actor, Arc<Token>), TokenError>>, Error> {
        let Some(uid) = account::find(&self.client, project).await? else {
            return Ok(None);
        };
        let namespace = project.to_owned();
        let actor = Actor::KubernetesAccount { namespace, uid };
        let token = self.token(&actor).await;
        Ok(Some(token.map(|token| (actor, token))))
    }

    async fn fall_back(&self, lack: &Lack, fallback: Fallback) -> Result<Access, Error> {
        let token = self.token(&Actor::Controller).await.map_err(|error| {
            let why = format!("{lack}, and the controller's own token cannot be had");
            unavailable(&why, error)
        })?;
        let why = format!("{lack}, and the policy {fallback} lets the controller act");
        Ok(self.act(Actor::Controller, token, &why, Some(lack.hint())))
    }

    async fn token(&self, actor: &Actor) -> Result<Arc<Token>, TokenError> {
        actor
            .token(&self.identities, &self.client, self.scope)
            .await
    }

    fn act(&self, actor: Actor, token: Arc<Token>, why: &str, next: Option<String>) -> Access {
        let identity = RegistryIdentity {
            outcome: actor.outcome(),
            identity: Some(token.identity.to_string()),
            why: why.to_owned(),
            next,
        };
        let login = AccessToken {
            google: self.clone(),
            actor,
            token,
        };
        Access {
            login: Some(Login::AccessToken(login)),
            identity: Some(identity),
        }
    }
}

fn refused(why: String, next: String) -> Error {
    Error::Identity {
        identity: RegistryIdentity {
            outcome: Outcome::Refused,
            identity: None,
            why,
            next: Some(next),
        },
        source: None,
    }
}

fn unavailable(why: &str, error: TokenError) -> Error {
    Error::Identity {
        identity: RegistryIdentity {
            outcome: Outcome::Unavailable,
            identity: None,
            why: why.to_owned(),
            next: Some(error.hint()),
        },
        source: Some(Box::new(error)),
    }
}
