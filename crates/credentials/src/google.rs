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
pub use self::caller::{Caller, CallerError, POD_TOKEN, TokenScope};
use self::decision::{AfterKubernetes, AfterOwn, Lack};
pub use self::key::KeyError;
pub(crate) use self::key::VALUE as KEY_VALUE;
use self::project::Standing;
pub use self::token::AccessToken;
use self::token::Actor;
use crate::identity::{self, Doubt};
use crate::{Access, Error, Kind, Login, Outcome, RegistryIdentity, Request};
pub use gcp::repository::ImageAddress;
pub use gcp::{Fallback, UnknownFallback};

/// The Kubernetes account of a Project that may act for it at Google.
pub const ACCOUNT: &str = gcp::principal::PROJECT_ACCOUNT;

/// Why nobody acts while Google has not said who may.
pub(crate) const UNKNOWN: &str = "whether the Project's own identity may be had is not known";

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
    pub(crate) fn serves(kind: Kind, repo_url: &str) -> bool {
        match kind {
            Kind::Git => false,
            Kind::Image | Kind::Helm => {
                !repo_url.contains("://") && ImageAddress::parse(repo_url).is_ok()
            }
        }
    }

    pub(crate) fn forget_refusals(&self, project: &str) {
        self.identities.forget_refusals(project);
    }

    /// Lets the Project act as whoever may act for it; what is odd about its settings is said whoever acts.
    pub(crate) async fn access(&self, request: &Request<'_>) -> Result<Access, Error> {
        let standing = project::stand(&self.client, request.project).await?;
        let (fallback, unknown) = match standing {
            Standing::Project { annotation } => self.fallback.tightened(annotation.as_deref()),
            Standing::Nobody { why } => return Err(refused(why, project::hint(request.project))),
        };
        let mut notes = unknown.map_or_else(String::new, |unknown| {
            format!("; annotation {FALLBACK_ANNOTATION}, which counts as {fallback}: {unknown}")
        });
        if !request.secret.is_empty() {
            notes += "; the Secret for the repository holds nothing that is used for it";
        }
        noted(self.choose(request, fallback).await, &notes)
    }

    async fn choose(&self, request: &Request<'_>, fallback: Fallback) -> Result<Access, Error> {
        let project = request.project.to_owned();
        let own = Actor::ServiceAccount { project };
        let lack = match decision::after_own(self.token(&own).await) {
            AfterOwn::Act(token) => return Ok(self.act(own, token, "it is the Project's own")),
            AfterOwn::AskKubernetes(lack) => lack,
            AfterOwn::Unavailable(error) => return Err(unavailable(UNKNOWN, error)),
        };
        let answer = self.ask_kubernetes(request.project).await?;
        match decision::after_kubernetes(&lack, answer, fallback) {
            AfterKubernetes::Act((actor, token)) => {
                let why = format!("it is the Project's own, and {lack}");
                Ok(lacking(self.act(actor, token, &why), &lack))
            }
            AfterKubernetes::AskController => self.fall_back(request, &lack, fallback).await,
            AfterKubernetes::Refused => {
                let why = format!("{lack}, and the policy {fallback} lets nobody else act");
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

    async fn fall_back(
        &self,
        request: &Request<'_>,
        lack: &Lack,
        fallback: Fallback,
    ) -> Result<Access, Error> {
        let actor = Actor::Controller {
            way_out: lack.way_out(request.project, request.repo_url),
        };
        let token = self.token(&actor).await.map_err(|error| {
            let why = format!("{lack}, and the controller's own token cannot be had");
            unavailable(&why, error)
        })?;
        let why = format!("{lack}, and the policy {fallback} lets the controller act");
        let mut access = lacking(self.act(actor, token, &why), lack);
        if let Some(identity) = &mut access.identity {
            identity.next = Some(lack.hint());
        }
        Ok(access)
    }

    async fn token(&self, actor: &Actor) -> Result<Arc<Token>, TokenError> {
        actor
            .token(&self.identities, &self.client, self.scope)
            .await
    }

    fn act(&self, actor: Actor, token: Arc<Token>, why: &str) -> Access {
        let identity = RegistryIdentity {
            outcome: actor.outcome(),
            identity: Some(token.identity.to_string()),
            why: why.to_owned(),
            next: None,
            lack: None,
            doubt: token.doubt.as_ref().map(Doubt::of),
            cause: None,
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

fn lacking(mut access: Access, lack: &Lack) -> Access {
    if let Some(identity) = &mut access.identity {
        identity.lack = Some(lack.lacking());
    }
    access
}

/// Adds what is said whoever acts.
fn noted(mut found: Result<Access, Error>, notes: &str) -> Result<Access, Error> {
    let identity = match &mut found {
        Ok(access) => access.identity.as_mut(),
        Err(Error::Identity { identity, .. }) => Some(identity.as_mut()),
        Err(_) => None,
    };
    if let Some(identity) = identity {
        identity.why += notes;
    }
    found
}

fn refused(why: String, next: String) -> Error {
    Error::Identity {
        identity: Box::new(RegistryIdentity::nobody(Outcome::Refused, why, next)),
        source: None,
    }
}

fn unavailable(why: &str, error: TokenError) -> Error {
    let (why, next) = (why.to_owned(), error.hint());
    Error::Identity {
        identity: Box::new(RegistryIdentity {
            cause: Some(identity::cause_of(&error)),
            ..RegistryIdentity::nobody(Outcome::Unavailable, why, next)
        }),
        source: Some(Box::new(error)),
    }
}
