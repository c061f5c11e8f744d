//! How a subscription gets at its repository, and what is said of the identity that acts there.

use std::time::Instant;

use credentials::{Error, Kind, Login, RegistryIdentity};
use domain::event::Tone;
use domain::message;
use domain::warehouse::{Failure, Identity};

use super::discovery::failed;
use crate::queue::Key;
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
    let message = match (identity, error, next) {
        (Some(identity), _, Some(next)) => {
            format!("{identity} acts, since {why}; to give the Project its own: {next}")
        }
        (Some(identity), _, None) => format!("{identity} acts, since {why}"),
        // A failure says itself what to do next.
        (None, Some(error), _) => failed(repo_url, error, &error.hint()).message,
        (None, None, _) => why.clone(),
    };
    Identity {
        subscription: repo_url.to_owned(),
        member: identity.clone(),
        reason: outcome.reason(),
        why: error.map_or_else(|| why.clone(), |error| message::in_one_line(error)),
        next: next.clone(),
        message,
    }
}

/// Logs that who acts for a Warehouse has changed: one line, however many subscriptions there are.
pub(super) fn log(key: &Key, tone: Tone, identities: &[Identity]) {
    let provider = metrics::GOOGLE;
    let (project, warehouse) = (&*key.namespace, &*key.name);
    let of_each = |look: fn(&Identity) -> &str| each(identities.iter().map(look));
    let identity = of_each(|it| it.member.as_deref().unwrap_or("none"));
    let outcome = of_each(|it| it.reason);
    let why = of_each(|it| &it.why);
    let next = each(identities.iter().filter_map(|it| it.next.as_deref()));
    let next = Some(next.as_str()).filter(|it| !it.is_empty());
    match tone {
        Tone::Normal => {
            tracing::info!(
                provider,
                project,
                warehouse,
                identity,
                outcome,
                why,
                next,
                "the identity at registries changed"
            );
        }
        Tone::Warning => {
            tracing::warn!(
                provider,
                project,
                warehouse,
                identity,
                outcome,
                why,
                next,
                "no identity acts at a registry"
            );
        }
    }
}

/// Writes down what is said, and what is said by several once.
fn each<'a>(all: impl Iterator<Item = &'a str>) -> String {
    let mut said: Vec<&str> = Vec::new();
    for it in all {
        if !said.contains(&it) {
            said.push(it);
        }
    }
    said.join("; ")
}
