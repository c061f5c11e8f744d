//! A key of a service account, kept in a Secret: `gcpServiceAccountKey`, the base64 form of the JSON file.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use gcp::ServiceAccountKey;
use gcp::setup::shell::quote;
use resources::names::label::CREDENTIAL_TYPE;

use super::{Actor, Google, unavailable};
use crate::identity::with_causes;
use crate::{Access, Error, Kind, Outcome, RegistryIdentity, Request};

/// Name of the value in the Secret.
pub(crate) const VALUE: &str = "gcpServiceAccountKey";

/// Why the key in a Secret cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{VALUE} is not base64")]
    Base64,
    #[error("{VALUE} is no key of a service account")]
    Json(#[from] gcp::KeyError),
}

impl KeyError {
    /// Says what to do next: where the value itself is wrong, how the Secret is written.
    ///
    /// The key does not become an argument, which everybody on the machine can read.
    pub(crate) fn hint(&self, project: &str, kind: Kind, repo_url: &str) -> String {
        match self {
            Self::Base64 => format!(
                "kubectl create secret generic NAME --namespace {} --from-literal=repoURL={} \
                 --from-file={VALUE}=<(base64 -w0 key.json) --dry-run=client -o yaml | \
                 kubectl label --local -f - {CREDENTIAL_TYPE}={kind} -o yaml | kubectl apply -f -",
                quote(project),
                quote(repo_url),
            ),
            Self::Json(error) => error.hint().to_owned(),
        }
    }
}

impl Google {
    /// Acts with the key that the request's Secret holds; where that key asks for its tokens is not the Secret's to say.
    pub(crate) async fn access_with_key(&self, request: &Request<'_>) -> Result<Access, Error> {
        let text = request
            .value(VALUE)
            .expect("a Secret without the value is not for this provider");
        let key = parse(text.expose()).map_err(|source| unusable(request, source))?;
        let actor = Actor::Key(key);
        let token = self
            .token(&actor)
            .await
            .map_err(|error| unavailable("the key in the Secret gives no token", error))?;
        let why = "a Secret holds its key; a key can be copied, an identity cannot";
        Ok(self.act(actor, token, why))
    }
}

/// Nobody acts: whoever stored the key did not mean anybody else.
fn unusable(request: &Request<'_>, source: KeyError) -> Error {
    let Request {
        project,
        kind,
        repo_url,
        secret: _,
    } = request;
    let why = "a Secret holds a key that cannot be used".to_owned();
    let next = source.hint(project, *kind, repo_url);
    Error::Key {
        project: (*project).to_owned(),
        identity: Box::new(RegistryIdentity {
            cause: Some(with_causes(&source)),
            ..RegistryIdentity::nobody(Outcome::UnusableKey, why, next)
        }),
        source,
    }
}

fn parse(text: &str) -> Result<ServiceAccountKey, KeyError> {
    let text: String = text.split_whitespace().collect();
    let json = BASE64_STANDARD.decode(text).map_err(|_| KeyError::Base64)?;
    Ok(ServiceAccountKey::parse(&json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_stores_a_key_runs_nothing_else() {
        let hint = KeyError::Base64.hint("acme", Kind::Image, "x.example/$(reboot)");
        assert!(
            hint.contains(" --from-literal=repoURL='x.example/$(reboot)' "),
            "{hint}"
        );
    }
}
