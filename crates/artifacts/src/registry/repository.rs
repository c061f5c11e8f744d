//! The name of an image repository, and where its registry is.

use std::fmt;

use url::Host;

use crate::egress;

/// The host that serves images whose name has no host.
const DOCKER_HUB: &str = "index.docker.io";

/// Where it answers, and all names that it goes by.
const DOCKER_HUB_ENDPOINT: &str = "registry-1.docker.io";
const DOCKER_HUB_NAMES: [&str; 3] = ["docker.io", DOCKER_HUB, DOCKER_HUB_ENDPOINT];

/// Names a repository: `europe-docker.pkg.dev/acme/apps/web`, `nginx`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Repository {
    /// With the port; `index.docker.io` where the name has none.
    pub host: String,
    /// The path at the registry: `acme/apps/web`, `library/nginx`.
    pub path: String,
}

/// Says why a text names no repository.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} does not name an image repository: {why}")]
pub struct RepositoryError {
    name: String,
    why: &'static str,
}

impl Repository {
    /// Reads the `repoURL` of a subscription, which has no scheme, tag or digest.
    ///
    /// As upstream's registry client has it, the first part is a host if it has a dot or a colon.
    pub fn parse(name: &str) -> Result<Self, RepositoryError> {
        let error = |why| RepositoryError {
            name: name.to_owned(),
            why,
        };
        if name.len() > 512 {
            return Err(error("it is longer than 512 bytes"));
        }
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) => (host.to_ascii_lowercase(), path),
            Some(_) | None => (DOCKER_HUB.to_owned(), name),
        };
        if !is_host(&host) {
            return Err(error("its host has characters that a host cannot have"));
        }
        if !path.split('/').all(is_component) {
            return Err(error(
                "a part of its path is not lower-case letters, digits and single separators",
            ));
        }
        let is_hub = is_docker_hub(&host);
        // It would be read as a repository at that host wherever Docker Hub's own name is left out.
        if is_hub
            && path
                .split_once('/')
                .is_some_and(|(first, _)| first.contains('.'))
        {
            return Err(error(
                "its path begins like a host, which Docker Hub has no name for: leave docker.io/ out, or correct the path",
            ));
        }
        let path = if is_hub && !path.contains('/') {
            format!("library/{path}")
        } else {
            path.to_owned()
        };
        Ok(Self {
            host: if is_hub { DOCKER_HUB.to_owned() } else { host },
            path,
        })
    }

    /// Gives the host that answers for the registry.
    pub(crate) fn endpoint(&self) -> &str {
        endpoint_of(&self.host)
    }

    /// Gives host and path of what a tag names.
    pub(crate) fn address_of_tag(&self, tag: &str) -> String {
        format!("{}/v2/{}/manifests/{tag}", self.endpoint(), self.path)
    }

    /// Says whether the registry is on this machine, where plain http is fine.
    pub(crate) fn is_loopback(&self) -> bool {
        egress::is_loopback_name(without_port(&self.host))
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.host, self.path)
    }
}

/// Gives the host that answers for the registry of this name.
pub(super) fn endpoint_of(host: &str) -> &str {
    if is_docker_hub(host) {
        DOCKER_HUB_ENDPOINT
    } else {
        host
    }
}

fn is_docker_hub(host: &str) -> bool {
    DOCKER_HUB_NAMES.contains(&host)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|it| it.is_ascii_digit()) && !name.is_empty() => {
            name
        }
        Some(_) | None => host,
    }
}

fn is_host(host: &str) -> bool {
    let bare = without_port(host);
    let port_fits = host.len() == bare.len() || host[bare.len() + 1..].parse::<u16>().is_ok();
    let name_fits = bare.split('.').all(|label| {
        !label.is_empty()
            && label
                .bytes()
                .all(|it| it.is_ascii_alphanumeric() || it == b'-' || it == b'_')
    });
    // What is asked has to be what was written: `0x7f.1` is another spelling of an address, and `a.0` of none.
    let fits = match Host::parse(bare) {
        Ok(Host::Domain(name)) => name_fits && name == bare,
        Ok(Host::Ipv4(address)) => address.to_string() == bare,
        Ok(Host::Ipv6(_)) => true,
        Err(_) => false,
    };
    port_fits && fits
}

/// Says whether a part of a path is one: `app`, `my-app`, `a__b`.
fn is_component(part: &str) -> bool {
    let alphanumeric =
        |it: Option<u8>| it.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    let bytes = part.as_bytes();
    alphanumeric(bytes.first().copied())
        && alphanumeric(bytes.last().copied())
        && bytes
            .iter()
            .all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || b"._-".contains(it))
        && !part.contains("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_host_and_a_path() {
        for (name, expected) in [
            ("nginx", "index.docker.io/library/nginx"),
            ("acme/web", "index.docker.io/acme/web"),
            ("docker.io/nginx", "index.docker.io/library/nginx"),
            ("ghcr.io/acme/web", "ghcr.io/acme/web"),
            ("GHCR.io/acme/web", "ghcr.io/acme/web"),
            ("127.0.0.1:5000/acme/web", "127.0.0.1:5000/acme/web"),
            ("[::1]:5000/web", "[::1]:5000/web"),
            ("localhost:5000/web", "localhost:5000/web"),
            (
                "europe-docker.pkg.dev/acme/apps/web",
                "europe-docker.pkg.dev/acme/apps/web",
            ),
        ] {
            assert_eq!(
                Repository::parse(name).map(|it| it.to_string()).as_deref(),
                Ok(expected),
                "{name}"
            );
        }
    }

    #[test]
    fn what_a_tag_names_is_asked_for_at_its_registry() {
        for (name, expected) in [
            (
                "nginx",
                "registry-1.docker.io/v2/library/nginx/manifests/1.0",
            ),
            ("[::1]:5000/web", "[::1]:5000/v2/web/manifests/1.0"),
        ] {
            let repository = Repository::parse(name).expect(name);
            assert_eq!(repository.address_of_tag("1.0"), expected);
        }
    }

    #[test]
    fn what_begins_like_another_host_is_not_at_docker_hub() {
        for name in [
            "docker.io/ghcr.io/acme/web",
            "index.docker.io/europe-docker.pkg.dev/acme/apps/web",
            "registry-1.docker.io/acme.example/web",
        ] {
            let refused = Repository::parse(name).map_err(|error| error.to_string());
            let begins = refused.is_err_and(|it| it.contains("its path begins like a host"));
            assert!(begins, "{name:?}");
        }
        for name in [
            "docker.io/acme/web.v2",
            "docker.io/web.v2",
            "ghcr.io/acme.example/web",
        ] {
            assert!(Repository::parse(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn a_crafted_name_is_refused() {
        for name in [
            "",
            "/",
            "ghcr.io/",
            "ghcr.io//web",
            "ghcr.io/../web",
            "ghcr.io/a/../../v2",
            "ghcr.io/web?x=y",
            "ghcr.io/web#x",
            "ghcr.io/web:tag",
            "ghcr.io/web@sha256:00",
            "user@ghcr.io/web",
            "user:pass@ghcr.io/web",
            "https://ghcr.io/web",
            "ghcr.io:x/web",
            "ghcr.io:99999/web",
            "ghcr.io\\evil.test/web",
            "ghcr.io/we b",
            "ghcr.io/web\n",
            "ghcr.io/Web",
            "ghcr..io/web",
            ".ghcr.io/web",
            "ghcr.io%2f/web",
            // No URL can be made of these, or one of another host.
            "ghcr.256/web",
            "1.2.3.4.5/web",
            "1.2.3.256:5000/web",
            "127.1/web",
            "0x7f.0.0.1/web",
            "0177.0.0.1/web",
            "xn--a.example/web",
        ] {
            assert!(Repository::parse(name).is_err(), "{name:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn every_host_makes_a_url_of_itself(host in "[a-z0-9x:.-]{1,20}|([0-9a-fx]{1,4}[.]){1,5}[0-9]{1,3}(:[0-9]{1,6})?") {
            if let Ok(repository) = Repository::parse(&format!("{host}/web")) {
                let url = url::Url::parse(&format!("https://{}/", repository.endpoint()));
                let found = url.ok().and_then(|it| Some(it.host_str()?.to_owned()));
                let expected = without_port(repository.endpoint());
                proptest::prop_assert_eq!(found.as_deref(), Some(expected));
            }
        }
    }
}
