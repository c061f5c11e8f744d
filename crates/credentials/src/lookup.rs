//! Finds the Secret that holds the credential for a repository.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret as KubeSecret;
use kube::api::{Api, ListParams};
use secret::Secret;
use tracing::{debug, warn};

use crate::pattern::Pattern;
use crate::{Access, Error, Google, Kind, PROVIDERS, PlainHttp, RegistryIdentity, Request};

/// Label that makes a Secret a credential; its value is a [`Kind`].
const LABEL: &str = resources::names::label::CREDENTIAL_TYPE;
/// Most Secrets of a kind read in a namespace, in pages of [`PAGE`].
const SECRETS_BOUND: usize = 10_000;
const PAGE: u32 = 500;

/// Finds credentials in the Secrets of a cluster.
#[derive(Clone)]
pub struct Credentials {
    client: kube::Client,
    shared_namespaces: Vec<String>,
    plain_http: PlainHttp,
    google: Option<Google>,
    workload_identity: bool,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            client: _,
            shared_namespaces,
            plain_http,
            google,
            workload_identity,
        } = self;
        formatter
            .debug_struct("Credentials")
            .field("shared_namespaces", shared_namespaces)
            .field("plain_http", plain_http)
            .field("google", google)
            .field("workload_identity", workload_identity)
            .finish_non_exhaustive()
    }
}

impl Credentials {
    /// Looks in a project's namespace, then in `shared_namespaces`, in that order.
    pub fn new(client: kube::Client, shared_namespaces: Vec<String>) -> Self {
        Self {
            client,
            shared_namespaces,
            plain_http: PlainHttp::default(),
            google: None,
            workload_identity: false,
        }
    }

    /// Changes which plain `http://` URLs credentials may be sent to.
    #[must_use]
    pub fn with_plain_http(self, plain_http: PlainHttp) -> Self {
        Self { plain_http, ..self }
    }

    /// Takes the keys of Google service accounts from Secrets; with `workload_identity`, Google's registries are read with
    /// identities wherever no Secret holds a login for a repository.
    #[must_use]
    pub fn with_google(self, google: Google, workload_identity: bool) -> Self {
        Self {
            google: Some(google),
            workload_identity,
            ..self
        }
    }

    /// Asks anew who may act for a project: what was refused is remembered for minutes, and somebody asks not to wait.
    pub fn forget_refusals(&self, project: &str) {
        if let Some(google) = &self.google {
            google.forget_refusals(project);
        }
    }

    pub(crate) fn google(&self) -> Option<&Google> {
        self.google.as_ref()
    }

    pub(crate) fn has_workload_identity(&self) -> bool {
        self.workload_identity && self.google.is_some()
    }

    /// Finds how `project` gets at `repo_url`.
    ///
    /// Costs one list of the labelled Secrets in each namespace it has to look in; for an identity, also a look at the
    /// Project.
    ///
    /// # Errors
    /// [`Error::Identity`] where no identity may act, or it is not known yet whether one may: then nobody is to ask the
    /// registry, not even anonymously.
    pub async fn find(&self, project: &str, kind: Kind, repo_url: &str) -> Result<Access, Error> {
        if !self.plain_http.permits(repo_url) {
            debug!(project, %kind, "no credential is looked up for a repository over plain http");
            return Ok(Access::default());
        }
        let normalized = kind.normalize(repo_url);
        if reads_as_another_host(kind, repo_url, &normalized) {
            debug!(project, %kind, "no credential is looked up for a repository whose path begins like a host");
            return Ok(Access::default());
        }
        let found = self
            .find_secret(project, kind, &normalized)
            .await?
            .unwrap_or_default();
        let request = Request {
            project,
            kind,
            repo_url: &normalized,
            secret: &found,
        };
        let provider = PROVIDERS.iter().find(|it| (it.answers)(self, &request));
        match provider {
            Some(provider) => (provider.access)(self, &request).await,
            None => Ok(Access::default()),
        }
    }

    /// Says which identity was to act at `repo_url`, of which [`find`](Self::find) gave this error; none where no identity
    /// is asked for there.
    pub fn identity_of(
        &self,
        kind: Kind,
        repo_url: &str,
        error: &Error,
    ) -> Option<RegistryIdentity> {
        let normalized = kind.normalize(repo_url);
        let is_googles = Google::serves(kind, &normalized)
            && !reads_as_another_host(kind, repo_url, &normalized);
        match error.identity() {
            Some(identity) => Some(identity.clone()),
            None => (self.has_workload_identity() && is_googles).then(|| error.unknown()),
        }
    }

    async fn find_secret(
        &self,
        project: &str,
        kind: Kind,
        repo_url: &str,
    ) -> Result<Option<BTreeMap<String, Secret<String>>>, Error> {
        let namespaces =
            std::iter::once(project).chain(self.shared_namespaces.iter().map(String::as_str));
        for namespace in namespaces {
            let secrets = self.list(namespace, kind).await?;
            if let Some(taken) = choose(&secrets, kind, repo_url) {
                return Ok(Some(taken.values.clone()));
            }
        }
        Ok(None)
    }

    /// Lists the credentials of a namespace in the order of their names.
    async fn list(&self, namespace: &str, kind: Kind) -> Result<Vec<Candidate>, Error> {
        let api: Api<KubeSecret> = Api::namespaced(self.client.clone(), namespace);
        let mut params = ListParams::default()
            .labels(&format!("{LABEL}={kind}"))
            .limit(PAGE);
        let mut found = Vec::new();
        loop {
            let page = api.list(&params).await.map_err(|source| Error::List {
                kind,
                namespace: namespace.to_owned(),
                source,
            })?;
            found.extend(page.items.into_iter().filter_map(Candidate::read));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                None => break,
                Some(_) if found.len() >= SECRETS_BOUND => {
                    return Err(Error::TooMany {
                        kind,
                        namespace: namespace.to_owned(),
                        bound: SECRETS_BOUND,
                    });
                }
                Some(token) => params = params.continue_token(&token),
            }
        }
        found.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(found)
    }
}

/// Says whether what is left of a URL begins with a host that the URL itself did not begin with.
///
/// Docker Hub's own host is left out of a normal form: `docker.io/ghcr.io/acme/web` is a repository at Docker Hub, and
/// reads as one at `ghcr.io` then.
fn reads_as_another_host(kind: Kind, repo_url: &str, normalized: &str) -> bool {
    if kind == Kind::Git || normalized.contains("://") {
        return false;
    }
    let Some((host, _)) = normalized.split_once('/') else {
        return false;
    };
    let written = repo_url.trim().to_ascii_lowercase();
    let written = written.strip_prefix("oci://").unwrap_or(&written);
    let written_host = written.split_once('/').map(|(host, _)| host);
    (host == "localhost" || host.contains(['.', ':'])) && written_host != Some(host)
}

/// Holds a Secret that claims a repository or many.
#[derive(Debug)]
struct Candidate {
    name: String,
    repo_url: String,
    is_pattern: bool,
    values: BTreeMap<String, Secret<String>>,
}

impl Candidate {
    /// Returns nothing for a Secret without a `repoURL`. Values that are not text are left out.
    fn read(object: KubeSecret) -> Option<Self> {
        let name = object.metadata.name?;
        let mut values = BTreeMap::new();
        for (key, bytes) in object.data? {
            if let Ok(text) = String::from_utf8(bytes.0) {
                values.insert(key, Secret::new(text));
            }
        }
        let text = |key: &str| values.get(key).map(|value| value.expose().clone());
        let repo_url = text("repoURL").filter(|url| !url.is_empty())?;
        let is_pattern = text("repoURLIsRegex").as_deref() == Some("true");
        Some(Self {
            name,
            repo_url,
            is_pattern,
            values,
        })
    }
}

/// Takes the first that names the repository exactly, else the first whose pattern covers it.
fn choose<'a>(candidates: &'a [Candidate], kind: Kind, repo_url: &str) -> Option<&'a Candidate> {
    let exact = candidates
        .iter()
        .find(|it| !it.is_pattern && kind.normalize(&it.repo_url) == repo_url);
    exact.or_else(|| {
        candidates
            .iter()
            .filter(|it| it.is_pattern)
            .find(|it| covers(it, repo_url))
    })
}

fn covers(candidate: &Candidate, repo_url: &str) -> bool {
    match Pattern::parse(&candidate.repo_url) {
        Ok(pattern) => pattern.covers(repo_url),
        Err(error) => {
            warn!(secret = candidate.name, %error, "a credential's repoURL is not a usable pattern, it is skipped");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(name: &str, repo_url: &str, is_pattern: bool) -> Candidate {
        Candidate {
            name: name.to_owned(),
            repo_url: repo_url.to_owned(),
            is_pattern,
            values: BTreeMap::new(),
        }
    }

    /// Checks which of the candidates, given in the order of their names, is taken.
    fn check(kind: Kind, repo_url: &str, candidates: &[(&str, bool)], taken: Option<usize>) {
        let all: Vec<_> = candidates
            .iter()
            .enumerate()
            .map(|(at, (url, is))| candidate(&at.to_string(), url, *is))
            .collect();
        let found = choose(&all, kind, &kind.normalize(repo_url)).map(|it| it.name.clone());
        assert_eq!(
            found,
            taken.map(|at| at.to_string()),
            "{repo_url} {candidates:?}"
        );
    }

    #[test]
    fn an_exact_url_goes_before_a_pattern() {
        let git = "https://github.com/acme/app";
        check(
            Kind::Git,
            git,
            &[
                ("https://github.com/.*", true),
                ("https://github.com/acme/app.git", false),
            ],
            Some(1),
        );
        check(
            Kind::Git,
            git,
            &[
                ("https://github.com/.*", true),
                ("https://github.com/acme/.*", true),
            ],
            Some(0),
        );
        check(
            Kind::Git,
            git,
            &[("https://github.com/acme/other", false)],
            None,
        );
        check(
            Kind::Git,
            git,
            &[("(", true), ("https://github.com/acme/.*", true)],
            Some(1),
        );
    }

    #[test]
    fn urls_are_compared_in_their_normal_form() {
        check(
            Kind::Git,
            "https://GitHub.com/acme/app.git",
            &[("https://github.com/acme/app/", false)],
            Some(0),
        );
        check(
            Kind::Git,
            "git@github.com:acme/app.git",
            &[("ssh://git@github.com/acme/app", false)],
            Some(0),
        );
        check(
            Kind::Git,
            "git@github.com:acme/app.git",
            &[("https://github.com/acme/app", false)],
            None,
        );
        check(
            Kind::Image,
            "nginx",
            &[
                ("docker.io/library/nginx", false),
                ("index.docker.io/library/nginx", false),
            ],
            Some(0),
        );
        check(
            Kind::Helm,
            "oci://ghcr.io/Acme/chart",
            &[("oci://ghcr.io/acme/chart", false)],
            Some(0),
        );
        // A pattern is not an exact URL, whatever it looks like.
        check(
            Kind::Image,
            "ghcr.io/acme/app",
            &[("ghcr.io/acme/app", true)],
            Some(0),
        );
    }
}
