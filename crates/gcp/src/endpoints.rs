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
    fn an_endpoint_keeps_the_path_in_front() {
        let endpoint = Url::parse("http://127.0.0.1:9000/iam/").expect("a URL");
        assert_eq!(
            at(&endpoint, "/v1/a@b.com:generateAccessToken").as_str(),
            "http://127.0.0.1:9000/iam/v1/a@b.com:generateAccessToken"
        );
    }
}
