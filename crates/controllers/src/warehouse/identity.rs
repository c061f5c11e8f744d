//! How a subscription gets at its repository, and what is said of the identity that acts there.

use std::time::Instant;

use credentials::{Doubt, Error, Kind, Login, RegistryIdentity};
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
    /// Whose identity acts or should; none where the way is a Secret's, or everybody's.
    pub(super) acting: Option<Identity>,
}

/// Looks for the login of a project at a repository, and counts the identity it came with.
pub(super) async fn enter(cx: &Context, project: &str, kind: Kind, repo_url: &str) -> Entrance {
    let started = Instant::now();
    let found = cx.credentials.find(project, kind, repo_url).await;
    let identity = match &found {
        Ok(access) => access.identity.clone(),
        Err(error) => cx.credentials.identity_of(kind, repo_url, error),
    };
    if let Some(identity) = &identity {
        count(cx, identity, started);
    }
    let acting = identity.map(|it| told(repo_url, it, found.as_ref().err()));
    let login = found
        .map(|it| it.login)
        .map_err(|error| failed(repo_url, &error, &error.hint()));
    Entrance { login, acting }
}

fn count(cx: &Context, identity: &RegistryIdentity, started: Instant) {
    let (acting, outcome) = identity.labels();
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
fn told(repo_url: &str, identity: RegistryIdentity, error: Option<&Error>) -> Identity {
    let (tone, gist) = (tone_of(&identity), identity.gist());
    let RegistryIdentity {
        outcome,
        identity: member,
        why,
        next,
        lack: _,
        doubt,
        cause: _,
    } = identity;
    let message = match (&member, error) {
        // A failure says itself what to do next.
        (None, Some(error)) => failed(repo_url, error, &error.hint()).message,
        (None, None) => why.clone(),
        (Some(member), _) => {
            let own = next
                .as_ref()
                .map(|next| format!("; to give the Project its own: {next}"));
            let acts = format!("{member} acts, since {why}{}", own.unwrap_or_default());
            match &doubt {
                Some(Doubt { why, next, .. }) => {
                    message::with_next(format!("{acts}; renewal failed: {why}"), next)
                }
                None => acts,
            }
        }
    };
    let why = match (error, &doubt) {
        (Some(error), _) => message::in_one_line(error),
        (None, Some(doubt)) => format!("{why}; renewal failed: {}", doubt.why),
        (None, None) => why,
    };
    Identity {
        subscription: repo_url.to_owned(),
        member,
        reason: outcome.reason(),
        why,
        next: doubt.map(|it| it.next).or(next),
        tone,
        message,
        gist,
    }
}

fn tone_of(identity: &RegistryIdentity) -> Tone {
    if identity.is_troubled() {
        Tone::Warning
    } else {
        Tone::Normal
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
    let message = match tone {
        Tone::Normal => "the identity at registries changed",
        Tone::Warning if identities.iter().all(|it| it.member.is_some()) => {
            "an identity acts at registries, and something is to be mended"
        }
        Tone::Warning => "no identity acts at a registry",
    };
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
                "{message}"
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
                "{message}"
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
