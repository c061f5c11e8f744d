//! Names of images, without insisting on a tag or digest.

use std::fmt;

use super::location::Location;

const DOCKER_HUB: &str = "index.docker.io";
const DOCKER_HUB_MIRROR: &str = "registry-1.docker.io";
const DOCKER_HUB_ALIAS: &str = "docker.io";
const DIGEST: &str = "sha256:";
const DIGEST_LEN: usize = 64;

/// An image repository; a tag and a digest are read and forgotten.
pub(super) struct Repository {
    registry: String,
    path: String,
}

impl Repository {
    /// Parses `[registry/]path[:tag]` or `[registry/]path[:tag]@digest`.
    pub(super) fn parse(reference: &str) -> Option<Self> {
        Self::parse_tagged(reference).or_else(|| Self::parse_digested(reference))
    }

    fn parse_tagged(reference: &str) -> Option<Self> {
        match reference.rsplit_once(':') {
            // With a slash after it, the colon belongs to a port.
            Some((repository, tag)) if !tag.contains('/') => {
                is_tag(tag).then(|| Self::parse_bare(repository))?
            }
            _ => Self::parse_bare(reference),
        }
    }

    fn parse_digested(reference: &str) -> Option<Self> {
        let (repository, digest) = reference.split_once('@')?;
        let digits = digest.strip_prefix(DIGEST)?;
        let is_hex = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != DIGEST_LEN || !digits.bytes().all(is_hex) {
            return None;
        }
        Self::parse_tagged(repository).or_else(|| Self::parse_bare(repository))
    }

    fn parse_bare(repository: &str) -> Option<Self> {
        let (registry, path) = match repository.split_once('/') {
            Some((host, path)) if host == "localhost" || host.contains(['.', ':']) => (host, path),
            _ => ("", repository),
        };
        let is_allowed =
            |it: u8| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'.' | b'/');
        if !(2..=255).contains(&path.len()) || !path.bytes().all(is_allowed) {
            return None;
        }
        let is_authority = Location::parse(&format!("//{registry}"))?.is_host(registry);
        is_authority.then(|| Self {
            registry: match registry {
                "" | DOCKER_HUB_ALIAS => DOCKER_HUB.to_owned(),
                other => other.to_owned(),
            },
            path: path.to_owned(),
        })
    }
}

fn is_tag(tag: &str) -> bool {
    let is_allowed = |it: u8| it.is_ascii_alphanumeric() || b"_-.".contains(&it);
    (1..=128).contains(&tag.len()) && tag.bytes().all(is_allowed)
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { registry, path } = self;
        match registry.as_str() {
            DOCKER_HUB | DOCKER_HUB_MIRROR => {
                f.write_str(path.strip_prefix("library/").unwrap_or(path))
            }
            _ => write!(f, "{registry}/{path}"),
        }
    }
}
