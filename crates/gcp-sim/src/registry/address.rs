//! Which repository a host and a path mean, on `pkg.dev` and on the hosts of the former Container Registry.
//!
//! Sources: <https://cloud.google.com/artifact-registry/docs/docker/names>,
//! <https://cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo>

use std::fmt;

/// The hosts of the former Container Registry and the locations of the repositories that carry their names.
const LEGACY_HOSTS: [(&str, &str); 4] = [
    ("gcr.io", "us"),
    ("us.gcr.io", "us"),
    ("eu.gcr.io", "europe"),
    ("asia.gcr.io", "asia"),
];

/// What Artifact Registry calls an image that was pushed to a repository itself.
///
/// Its challenges and upload addresses show it in the image's place.
pub(super) const NO_IMAGE: &str = "pkg";

/// A host that images are pulled from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// As clients spell it, with the port where there is one.
    pub name: String,
    /// None for names that are not Google's, such as `127.0.0.1:5000`: they serve every location.
    location: Option<String>,
    /// Whether the host is itself the repository.
    repository: Option<&'static str>,
    /// `https` for Google's names, which only a mapped or encrypted connection can carry; `http` for loopback.
    scheme: &'static str,
}

/// A repository of Artifact Registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct RepositoryName {
    pub project: String,
    pub location: String,
    pub repository: String,
}

/// An image in a repository: the path of a request to the Docker API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageName {
    pub repository: RepositoryName,
    /// Empty where the path names only a repository.
    pub image: String,
    /// The path as it was sent, such as `acme/apps/web`.
    pub path: String,
}

/// A path with fewer components than a repository needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooShort(pub usize);

impl Host {
    /// Reads a `Host` header.
    pub(super) fn of(header: &str) -> Self {
        let bare = header.rsplit_once(':').map_or(header, |(bare, _)| bare);
        let legacy = LEGACY_HOSTS.into_iter().find(|(name, _)| *name == bare);
        let location = bare
            .strip_suffix("-docker.pkg.dev")
            .filter(|location| !location.is_empty());
        let known = legacy.map(|(_, location)| location).or(location);
        Self {
            name: header.to_owned(),
            location: known.map(str::to_owned),
            repository: legacy.map(|(name, _)| name),
            scheme: if known.is_some() { "https" } else { "http" },
        }
    }

    /// `https://us-docker.pkg.dev`: what a client reached.
    pub(super) fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.name)
    }

    /// Reads `<project>/<repository>/<image…>`, or `<project>/<image…>` on the hosts that are repositories.
    ///
    /// A domain-scoped project `example.com:web` takes two components, `example.com/web`. Where the host does not say the
    /// location, `find` does, by project and repository.
    pub(super) fn image(
        &self,
        path: &str,
        find: impl Fn(&str, &str) -> String,
    ) -> Result<ImageName, TooShort> {
        let components: Vec<&str> = path.split('/').collect();
        if components.len() < 2 {
            return Err(TooShort(components.len()));
        }
        let (project, rest) = match components.as_slice() {
            [domain, project, rest @ ..] if domain.contains('.') => {
                (format!("{domain}:{project}"), rest)
            }
            [project, rest @ ..] => ((*project).to_owned(), rest),
            [] => return Err(TooShort(0)),
        };
        let (repository, image) = match (self.repository, rest) {
            (Some(repository), image) => (repository, image),
            (None, [repository, image @ ..]) => (*repository, image),
            (None, []) => return Err(TooShort(components.len())),
        };
        Ok(ImageName {
            repository: RepositoryName {
                location: self
                    .location
                    .clone()
                    .unwrap_or_else(|| find(&project, repository)),
                project,
                repository: repository.to_owned(),
            },
            image: image.join("/"),
            path: path.to_owned(),
        })
    }

    /// The path of an image on this host, the inverse of [`Self::image`]; `None` if it is served elsewhere.
    pub(super) fn path(&self, name: &RepositoryName, image: &str) -> Option<String> {
        let project = name.project.replace(':', "/");
        let here = self
            .location
            .as_ref()
            .is_none_or(|location| *location == name.location);
        match self.repository {
            Some(repository) => {
                (here && name.repository == repository).then(|| format!("{project}/{image}"))
            }
            None => here.then(|| format!("{project}/{}/{image}", name.repository)),
        }
    }
}

impl ImageName {
    /// The path that a challenge asks for.
    pub(super) fn path_in_challenge(&self) -> String {
        if self.image.is_empty() {
            format!("{}/{NO_IMAGE}", self.path)
        } else {
            self.path.clone()
        }
    }
}

impl RepositoryName {
    /// Where images of this repository are pulled from, such as `us-docker.pkg.dev/acme/apps`.
    pub(super) fn registry_uri(&self) -> String {
        let project = self.project.replace(':', "/");
        if LEGACY_HOSTS.contains(&(self.repository.as_str(), self.location.as_str())) {
            return format!("{}/{project}", self.repository);
        }
        format!(
            "{}-docker.pkg.dev/{project}/{}",
            self.location, self.repository
        )
    }
}

impl RepositoryName {
    /// An image by the repository's own name, also where its repository is called `gcr.io`.
    pub(super) fn pkg_dev_uri(&self, image: &str) -> String {
        format!(
            "{}-docker.pkg.dev/{}/{}/{image}",
            self.location,
            self.project.replace(':', "/"),
            self.repository
        )
    }
}

impl fmt::Display for RepositoryName {
    /// The full resource name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            project,
            location,
            repository,
        } = self;
        write!(
            f,
            "projects/{project}/locations/{location}/repositories/{repository}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Host, TooShort};

    fn nowhere(_: &str, _: &str) -> String {
        "europe-west1".to_owned()
    }

    fn check(host: &str, path: &str, resource: &str, image: &str) {
        let host = Host::of(host);
        let name = host.image(path, nowhere).unwrap();
        assert_eq!(
            (name.repository.to_string().as_str(), name.image.as_str()),
            (resource, image),
            "{path}"
        );
        if !image.is_empty() {
            assert_eq!(host.path(&name.repository, image).as_deref(), Some(path));
        }
    }

    #[test]
    fn host_and_path_name_a_repository() {
        let apps = "projects/acme/locations/us/repositories/apps";
        check("us-docker.pkg.dev", "acme/apps/web", apps, "web");
        check(
            "us-docker.pkg.dev:443",
            "acme/apps/web/front",
            apps,
            "web/front",
        );
        check("us-docker.pkg.dev", "acme/apps", apps, "");
        let here = "projects/acme/locations/europe-west1/repositories/apps";
        check("127.0.0.1:5000", "acme/apps/web", here, "web");
        let domain = "projects/example.com:web/locations/us/repositories/apps";
        check(
            "us-docker.pkg.dev",
            "example.com/web/apps/front",
            domain,
            "front",
        );
    }

    #[test]
    fn hosts_of_container_registry_are_repositories() {
        check(
            "gcr.io",
            "acme/web",
            "projects/acme/locations/us/repositories/gcr.io",
            "web",
        );
        check(
            "eu.gcr.io",
            "acme/a/b",
            "projects/acme/locations/europe/repositories/eu.gcr.io",
            "a/b",
        );
        let gcr = Host::of("gcr.io").image("acme/web", nowhere).unwrap();
        assert_eq!(gcr.repository.registry_uri(), "gcr.io/acme");
        let other = Host::of("us-docker.pkg.dev")
            .image("acme/apps/web", nowhere)
            .unwrap();
        assert_eq!(Host::of("gcr.io").path(&other.repository, "web"), None);
    }

    #[test]
    fn one_component_is_no_repository() {
        let host = Host::of("us-docker.pkg.dev");
        assert_eq!(host.image("acme", nowhere), Err(TooShort(1)));
        assert_eq!(host.image("example.com/web", nowhere), Err(TooShort(2)));
    }

    #[test]
    fn a_google_host_is_encrypted_and_loopback_is_not() {
        assert_eq!(
            Host::of("us-docker.pkg.dev").origin(),
            "https://us-docker.pkg.dev"
        );
        assert_eq!(Host::of("127.0.0.1:80").origin(), "http://127.0.0.1:80");
    }
}
