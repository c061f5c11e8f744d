//! How a subscription gets at its repository, and what is said of the identity that acts there.

use std::time::Instant;

use credentials::{Error, Kind, Login, RegistryIdentity};
use domain::warehouse::{Failure, Identity};

use super::discovery::failed;
use crate::{Context, metrics};

/// A way to a repository, or why there is none.
pub(super) struct Entrance {
    /// None is the way of whoever has no login.
    pub(super) login: Result<Option<Login>, Failure>,
    pub(super) acting: Acting,
}

/// Whose identity acts for a subscription.
pub(super) enum Acting {
    /// None has to: the way is a Secret's, or everybody's.
    Nobody,
    Identity(Identity),
    /// Kubernetes could not be asked.
    Unknown,
}

/// Looks for the login of a project at a repository, and counts the identity it came with.
pub(super) async fn enter(cx: &Context, project: &str, kind: Kind, repo_url: &str) -> Entrance {
    let started = Instant::now();
    let found = cx.credentials.find(project, kind, repo_url).await;
    let identity = match &found {
        Ok(access) => access.identity.as_ref(),
        Err(error) => error.identity(),
    };
    if let Some(identity) = identity {
        count(cx, identity, started);
    }
    let acting = match identity {
        Some(identity) => Acting::Identity(told(repo_url, identity, found.as_ref().err())),
        None if found.is_err() => Acting::Unknown,
        None => Acting::Nobody,
    };
    let login = found
        .map(|it| it.login)
        .map_err(|error| failed(repo_url, &error, &error.hint()));
    Entrance { login, acting }
}

fn count(cx: &Context, identity: &RegistryIdentity, started: Instant) {
    let (acting, outcome) = identity.outcome.labels();
    let labels = metrics::RegistryIdentity {
        provider: metrics::GOOGLE,
        identity: acting,
        outcome,
    };
    cx.metrics.registry_identities.get_or_create(&labels).inc();
    let seconds = started.elapsed().as_secs_f64();
    let provider = metrics::Provider {
        provider: metrics::GOOGLE,
    };
    cx.metrics
        .registry_identity_seconds
        .get_or_create(&provider)
        .observe(seconds);
}

/// Says who acts and why, or why nobody does and what to do about it.
fn told(repo_url: &str, identity: &RegistryIdentity, error: Option<&Error>) -> Identity {
    let RegistryIdentity {
        outcome,
        identity,
        why,
        next,
    } = identity;
    let message = match (identity, error) {
        (Some(identity), _) => format!("{identity} acts, since {why}"),
        (None, Some(error)) => failed(repo_url, error, &error.hint()).message,
        (None, None) => why.clone(),
    };
    // A failure says itself what to do next.
    let next = next.as_ref().filter(|_| identity.is_some());
    Identity {
        subscription: repo_url.to_owned(),
        acts: outcome.acts(),
        reason: outcome.reason(),
        message: match next {
            Some(next) => format!("{message}; to give the Project its own: {next}"),
            None => message,
        },
    }
}
