//! Where Google's services are: Google's own addresses, unless the operator names others.

use url::Url;

/// The addresses of all services that this crate speaks to; a path in front is kept.
///
/// Others than Google's are for Private Service Connect, for sovereign universes, and for Google on loopback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Plain http within the node; says who we are and gives tokens.
    pub metadata: Url,
    /// Security Token Service: takes a Kubernetes token, gives a federated one.
    pub sts: Url,
    /// IAM Service Account Credentials: gives tokens of service accounts.
    pub iam_credentials: Url,
    /// OAuth: takes what a service account's key signed.
    pub oauth: Url,
    pub iam: Url,
    pub artifact_registry: Url,
    pub resource_manager: Url,
    pub container: Url,
    pub service_usage: Url,
    pub org_policy: Url,
    /// Searches the policies of everything below an organisation.
    pub cloud_asset: Url,
    /// Says when accounts were last used.
    pub policy_analyzer: Url,
    pub pubsub: Url,
}

/// Why a service cannot be found elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointError {
    #[error("{service:?} is no service that is asked")]
    Service { service: String },
    #[error(
        "{url:?} is not an address such as https://HOST:PORT, without a path; http:// is for this machine only"
    )]
    Url { url: String },
}

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a host with an optional port")]
pub struct HostError {
    pub text: String,
}

impl HostError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        "write it without a scheme or a path, for example GCE_METADATA_HOST=127.0.0.1:8085"
    }
}

impl EndpointError {
    /// Says what to do next.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Service { .. } => {
                "name the first part of its host: sts, iam, iamcredentials, oauth2, artifactregistry, container, \
                 cloudresourcemanager, serviceusage, orgpolicy, cloudasset, policyanalyzer, pubsub, metadata, or all"
            }
            Self::Url { .. } => {
                "tokens go there: write https://HOST[:PORT], or http://127.0.0.1:8080 for what runs on this machine"
            }
        }
    }
}

impl Default for Endpoints {
    fn default() -> Self {
        let google = |service: &str| parse(&format!("https://{service}.googleapis.com"));
        Self {
            metadata: parse("http://metadata.google.internal"),
            sts: google("sts"),
            iam_credentials: google("iamcredentials"),
            oauth: google("oauth2"),
            iam: google("iam"),
            artifact_registry: google("artifactregistry"),
            resource_manager: google("cloudresourcemanager"),
            container: google("container"),
            service_usage: google("serviceusage"),
            org_policy: google("orgpolicy"),
            cloud_asset: google("cloudasset"),
            policy_analyzer: google("policyanalyzer"),
            pubsub: google("pubsub"),
        }
    }
}

impl Endpoints {
    /// Asks the metadata server at a host, as `GCE_METADATA_HOST` names it: `127.0.0.1:8085`, without a scheme.
    pub fn with_metadata_host(self, host: &str) -> Result<Self, HostError> {
        let refused = || HostError {
            text: host.to_owned(),
        };
        let metadata = Url::parse(&format!("http://{host}")).map_err(|_| refused())?;
        let is_host_only = metadata.path() == "/"
            && metadata.query().is_none()
            && metadata.fragment().is_none()
            && metadata.username().is_empty()
            && !host.contains(['/', '@', '?', '#']);
        if !is_host_only {
            return Err(refused());
        }
        Ok(Self { metadata, ..self })
    }

    /// Asks a service elsewhere. `service` is the first part of its host: `iamcredentials`; `all` is each but metadata.
    ///
    /// # Errors
    /// [`EndpointError::Url`] for what is no origin, and for plain http to another machine, unless it is the metadata
    /// server: tokens go to all others.
    pub fn set(&mut self, service: &str, url: &str) -> Result<(), EndpointError> {
        let parsed = guarded_origin(service, url)?;
        if service == "all" {
            for (name, endpoint) in self.named() {
                if name != "metadata" {
                    *endpoint = parsed.clone();
                }
            }
            return Ok(());
        }
        let found = self.named().into_iter().find(|(name, _)| *name == service);
        let (_, endpoint) = found.ok_or_else(|| EndpointError::Service {
            service: service.to_owned(),
        })?;
        *endpoint = parsed;
        Ok(())
    }

    fn named(&mut self) -> [(&'static str, &mut Url); 13] {
        let Self {
            metadata,
            sts,
            iam_credentials,
            oauth,
            iam,
            artifact_registry,
            resource_manager,
            container,
            service_usage,
            org_policy,
            cloud_asset,
            policy_analyzer,
            pubsub,
        } = self;
        [
            ("metadata", metadata),
            ("sts", sts),
            ("iamcredentials", iam_credentials),
            ("oauth2", oauth),
            ("iam", iam),
            ("artifactregistry", artifact_registry),
            ("cloudresourcemanager", resource_manager),
            ("container", container),
            ("serviceusage", service_usage),
            ("orgpolicy", org_policy),
            ("cloudasset", cloud_asset),
            ("policyanalyzer", policy_analyzer),
            ("pubsub", pubsub),
        ]
    }
}

/// Reads `NAME=URL`, where the URL is an origin: `https://HOST[:PORT]`, or `http://` to this machine.
pub fn named_address(text: &str) -> Result<(String, Url), String> {
    let (name, url) = text
        .split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("{text:?} is not NAME=URL"))?;
    let parsed = guarded_origin(name, url).map_err(|error| error.to_string())?;
    Ok((name.to_ascii_lowercase(), parsed))
}

/// Reads an origin to which tokens may go.
fn guarded_origin(name: &str, text: &str) -> Result<Url, EndpointError> {
    let refused = || EndpointError::Url {
        url: text.to_owned(),
    };
    let parsed = Url::parse(text).map_err(|_| refused())?;
    let is_origin = parsed.path() == "/"
        && parsed.query().is_none()
        && parsed.fragment().is_none()
        && parsed.username().is_empty()
        && parsed.password().is_none();
    // Tokens go there; the metadata server alone speaks plain http by nature.
    let is_guarded = match parsed.scheme() {
        "https" => true,
        "http" => name == "metadata" || is_on_this_machine(&parsed),
        _ => false,
    };
    if is_origin && is_guarded {
        Ok(parsed)
    } else {
        Err(refused())
    }
}

/// Says whether requests to the address stay on this machine.
pub fn is_on_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Appends `path`, which begins with a slash, to an endpoint.
pub(crate) fn at(endpoint: &Url, path: &str) -> Url {
    let mut url = endpoint.clone();
    url.set_path(&format!("{}{path}", endpoint.path().trim_end_matches('/')));
    url
}

/// Gives the host and port of an address, for messages: a path or a query may hold more than is to be shown.
pub(crate) fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port()
        .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn parse(text: &str) -> Url {
    Url::parse(text).expect("Google's addresses are URLs")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_name_and_an_origin() {
        let metadata = "metadata=http://169.254.169.254";
        assert!(named_address(metadata).is_ok(), "{metadata}");
        let (name, url) =
            named_address("europe-docker.pkg.dev=http://127.0.0.1:5000").expect("an address");
        assert_eq!(
            (name.as_str(), url.as_str()),
            ("europe-docker.pkg.dev", "http://127.0.0.1:5000/")
        );
        for text in [
            "https://x.test",
            "=https://x.test",
            "sts=x.test",
            "sts=https://x.test/path",
            "sts=https://me@x.test",
            "sts=file:///etc",
            "sts=http://sts.example.com",
            "europe-docker.pkg.dev=http://10.0.0.1",
        ] {
            assert!(named_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn unless_told_otherwise_google_is_asked() {
        let endpoints = Endpoints::default();
        assert_eq!(
            at(&endpoints.sts, "/v1/token").as_str(),
            "https://sts.googleapis.com/v1/token"
        );
        assert_eq!(host_of(&endpoints.metadata), "metadata.google.internal");
    }

    #[test]
    fn a_metadata_host_has_a_port_at_most() {
        for (host, url) in [
            ("127.0.0.1:8085", "http://127.0.0.1:8085/"),
            ("[::1]:8085", "http://[::1]:8085/"),
            ("metadata.internal", "http://metadata.internal/"),
        ] {
            let endpoints = Endpoints::default().with_metadata_host(host);
            assert_eq!(endpoints.expect("a host").metadata.as_str(), url);
        }
        for host in [
            "",
            "http://127.0.0.1",
            "127.0.0.1/computeMetadata",
            "user@host",
            "host:port",
            "host?query",
        ] {
            let refused = Endpoints::default().with_metadata_host(host);
            assert!(refused.is_err(), "{host}");
        }
    }

    #[test]
    fn services_are_moved_by_the_first_part_of_their_host() {
        let mut endpoints = Endpoints::default();
        endpoints.set("all", "http://127.0.0.1:9000").expect("all");
        endpoints.set("iam", "http://127.0.0.1:9001").expect("one");
        assert_eq!(endpoints.sts.as_str(), "http://127.0.0.1:9000/");
        assert_eq!(endpoints.iam.as_str(), "http://127.0.0.1:9001/");
        assert_eq!(host_of(&endpoints.metadata), "metadata.google.internal");
        assert!(endpoints.set("compute", "http://127.0.0.1:9000").is_err());
        assert!(endpoints.set("iam", "127.0.0.1:9000").is_err());
    }

    #[test]
    fn tokens_go_to_another_machine_by_https_only() {
        for (service, url, is_taken) in [
            ("all", "https://google.example", true),
            ("all", "http://localhost:9000", true),
            ("iam", "http://[::1]:9000", true),
            ("metadata", "http://169.254.169.254", true),
            ("all", "http://google.example", false),
            ("all", "http://127.0.0.1.example", false),
            ("iam", "http://10.0.0.1:9000", false),
            ("iam", "http://127.0.0.1@google.example", false),
            ("iam", "https://google.example/path", false),
            ("iam", "file:///etc", false),
        ] {
            let mut endpoints = Endpoints::default();
            let set = endpoints.set(service, url);
            assert_eq!(set.is_ok(), is_taken, "{service}={url}: {set:?}");
            assert_eq!(endpoints == Endpoints::default(), !is_taken, "{url}");
        }
    }

    #[test]
    fn an_endpoint_keeps_the_path_in_front() {
        let endpoint = Url::parse("http://127.0.0.1:9000/iam/").expect("a URL");
        assert_eq!(
            at(&endpoint, "/v1/a@b.com:generateAccessToken").as_str(),
            "http://127.0.0.1:9000/iam/v1/a@b.com:generateAccessToken"
        );
    }
}
