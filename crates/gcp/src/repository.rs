//! Repositories of Artifact Registry, and which of them the address of an image leads to.

use std::fmt;

use crate::principal::ProjectId;

/// A repository of Artifact Registry; prints as its resource name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RepositoryName {
    pub project: ProjectId,
    pub location: String,
    pub repository: String,
}

impl RepositoryName {
    /// Reads a resource name, as it is printed.
    pub fn parse(name: &str) -> Option<Self> {
        let parts: Vec<_> = name.split('/').collect();
        let [
            "projects",
            project,
            "locations",
            location,
            "repositories",
            repository,
        ] = parts.as_slice()
        else {
            return None;
        };
        Some(Self {
            project: ProjectId::parse(project).ok()?,
            location: (*location).to_owned(),
            repository: (*repository).to_owned(),
        })
    }
}

impl fmt::Display for RepositoryName {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            project,
            location,
            repository,
        } = self;
        write!(
            out,
            "projects/{project}/locations/{location}/repositories/{repository}"
        )
    }
}

/// An image or chart on a host of Google's: which repository holds it, and its name in there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageAddress {
    pub host: String,
    pub repository: RepositoryName,
    pub image: String,
}

/// Why an address leads to no repository of Artifact Registry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("{address:?} is not on a host of Google's")]
    OtherHost { address: String },
    #[error("{address:?} names no image: it has to be HOST/PROJECT/REPOSITORY/IMAGE")]
    Short { address: String },
    #[error("{address:?} names no Google Cloud project after its host")]
    Project { address: String },
    #[error("{part:?} in {address:?} is no name of a repository or image")]
    Name { address: String, part: String },
}

impl AddressError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::OtherHost { .. } => {
                "hosts are LOCATION-docker.pkg.dev and gcr.io; others need a Secret"
            }
            Self::Short { .. } | Self::Project { .. } => {
                "copy the address that `gcloud artifacts docker images list` prints"
            }
            Self::Name { .. } => {
                "a name is of lowercase letters and digits, with one of . _ __ or some - between them"
            }
        }
    }
}

impl ImageAddress {
    /// Reads the address of an image or chart, without tag or digest.
    ///
    /// A domain-scoped project takes two parts of the path: `europe-docker.pkg.dev/example.com/acme/apps/web`.
    /// The hosts of the former Container Registry lead to repositories that carry the host's name.
    ///
    /// Tenants write addresses, and people paste them from commands: nothing but names gets through.
    ///
    /// Source: <https://cloud.google.com/artifact-registry/docs/docker/names>,
    /// <https://cloud.google.com/artifact-registry/docs/transition/setup-gcr-repo>,
    /// <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
    pub fn parse(address: &str) -> Result<Self, AddressError> {
        let text = address.strip_prefix("oci://").unwrap_or(address);
        let (host, path) = text.split_once('/').unwrap_or((text, ""));
        let kind = HostKind::of(host).ok_or_else(|| AddressError::OtherHost {
            address: address.to_owned(),
        })?;
        let short = || AddressError::Short {
            address: address.to_owned(),
        };
        let (project, rest) = split_project(path).ok_or_else(short)?;
        let project = ProjectId::parse(&project).map_err(|_| AddressError::Project {
            address: address.to_owned(),
        })?;
        let (location, repository, image) = match kind {
            HostKind::Registry { location } => {
                let (repository, image) = rest.split_once('/').ok_or_else(short)?;
                (location, repository, image)
            }
            HostKind::Former { location } => (location, host, rest),
        };
        if repository.is_empty() || image.split('/').any(str::is_empty) {
            return Err(short());
        }
        let mut parts = std::iter::once(repository).chain(image.split('/'));
        if let Some(part) = parts.find(|it| !is_name(it)) {
            return Err(AddressError::Name {
                address: address.to_owned(),
                part: part.to_owned(),
            });
        }
        Ok(Self {
            host: host.to_owned(),
            image: image.to_owned(),
            repository: RepositoryName {
                project,
                location: location.to_owned(),
                repository: repository.to_owned(),
            },
        })
    }

    /// Spells what stands between the host and the tag; the former hosts leave the repository out.
    pub fn path(&self) -> String {
        let project = self.repository.project.registry_path();
        if self.is_former() {
            format!("{project}/{}", self.image)
        } else {
            format!("{project}/{}/{}", self.repository.repository, self.image)
        }
    }

    /// Says whether the address is one of the former Container Registry's.
    pub fn is_former(&self) -> bool {
        matches!(HostKind::of(&self.host), Some(HostKind::Former { .. }))
    }
}

enum HostKind<'host> {
    Registry { location: &'host str },
    Former { location: &'static str },
}

impl<'host> HostKind<'host> {
    fn of(host: &'host str) -> Option<Self> {
        let former = |location| Some(Self::Former { location });
        match host {
            "gcr.io" | "us.gcr.io" => former("us"),
            "eu.gcr.io" => former("europe"),
            "asia.gcr.io" => former("asia"),
            _ => {
                let location = host.strip_suffix("-docker.pkg.dev")?;
                let plain = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
                (!location.is_empty() && location.bytes().all(plain))
                    .then_some(Self::Registry { location })
            }
        }
    }
}

/// Says whether a part of a path is one of a name: `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`.
fn is_name(part: &str) -> bool {
    let is_plain = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_separator =
        |it: &str| matches!(it, "" | "." | "_" | "__") || it.bytes().all(|byte| byte == b'-');
    part.starts_with(is_plain) && part.ends_with(is_plain) && part.split(is_plain).all(is_separator)
}

/// Takes the project off the front of a path; a first part with a dot is the domain of the second.
fn split_project(path: &str) -> Option<(String, &str)> {
    let (first, rest) = path.split_once('/')?;
    if !first.contains('.') {
        return Some((first.to_owned(), rest));
    }
    let (second, rest) = rest.split_once('/')?;
    Some((format!("{first}:{second}"), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(address: &str) -> (String, String) {
        let it = ImageAddress::parse(address).expect("an address");
        (it.repository.to_string(), it.image)
    }

    #[test]
    fn an_address_leads_to_its_repository() {
        for (address, repository, image) in [
            (
                "europe-west1-docker.pkg.dev/acme-art/apps/team/web",
                "projects/acme-art/locations/europe-west1/repositories/apps",
                "team/web",
            ),
            (
                "oci://us-docker.pkg.dev/example.com/acme/charts/web",
                "projects/example.com:acme/locations/us/repositories/charts",
                "web",
            ),
            (
                "eu.gcr.io/acme-art/web",
                "projects/acme-art/locations/europe/repositories/eu.gcr.io",
                "web",
            ),
            (
                "us-docker.pkg.dev/acme-art/gcr.io/a.b_c__d---e/1",
                "projects/acme-art/locations/us/repositories/gcr.io",
                "a.b_c__d---e/1",
            ),
        ] {
            assert_eq!(
                parsed(address),
                (repository.to_owned(), image.to_owned()),
                "{address}"
            );
        }
    }

    #[test]
    fn an_address_without_an_image_is_too_short() {
        for address in [
            "europe-docker.pkg.dev",
            "europe-docker.pkg.dev/acme-art",
            "europe-docker.pkg.dev/acme-art/apps",
            "europe-docker.pkg.dev/acme-art/apps/",
            "gcr.io/acme-art/",
        ] {
            assert!(
                matches!(
                    ImageAddress::parse(address),
                    Err(AddressError::Short { .. })
                ),
                "{address}"
            );
        }
    }

    #[test]
    fn what_a_shell_would_read_is_no_name() {
        for part in [
            "$(curl${IFS}evil)",
            "`id`",
            "a;b",
            "a b",
            "a\nb",
            "a'b",
            "Web",
            "-a",
            "a-",
            "a..b",
            "a___b",
            "a:1",
            "a@sha256",
        ] {
            for address in [
                format!("oci://europe-docker.pkg.dev/acme-art/{part}/web"),
                format!("oci://europe-docker.pkg.dev/acme-art/apps/team/{part}"),
                format!("gcr.io/acme-art/{part}"),
            ] {
                let refused = ImageAddress::parse(&address).expect_err(&address);
                let named = matches!(&refused, AddressError::Name { part: it, .. } if it == part);
                assert!(named, "{refused:?}");
            }
        }
    }

    #[test]
    fn other_hosts_are_not_googles_however_they_look() {
        for address in [
            "ghcr.io/acme/web",
            "evil.dev/europe-docker.pkg.dev/acme-art/apps/web",
            "europe.docker.pkg.dev/acme-art/apps/web",
            "a.b-docker.pkg.dev/acme-art/apps/web",
            "-docker.pkg.dev/acme-art/apps/web",
            "fr.gcr.io/acme-art/web",
        ] {
            assert!(
                matches!(
                    ImageAddress::parse(address),
                    Err(AddressError::OtherHost { .. })
                ),
                "{address}"
            );
        }
    }
}
