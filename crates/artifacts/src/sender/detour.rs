//! Connections for a host that go elsewhere, because the operator says so.

use http::HeaderValue;
use url::Url;

/// Where connections for a host go instead of to the host itself.
///
/// Whatever a server says of its own address has to be led this way too, or it would be looked for where it is not: the
/// realm of its tokens, its redirects. Whom to trust is judged by the host all the same.
#[derive(Debug, Clone)]
pub(crate) struct Detour {
    /// With its port, if it has one: `europe-docker.pkg.dev`.
    host: String,
    address: Url,
    /// What a server on plain http is called, whose address says nothing of it. Over TLS its certificate has to say the
    /// name of the address, and so does the request.
    name: Option<HeaderValue>,
}

impl Detour {
    /// `address` is an origin: it has no path.
    pub(crate) fn new(host: &str, address: Url) -> Self {
        let name = HeaderValue::from_str(host).ok();
        Self {
            host: host.to_owned(),
            name: name.filter(|_| address.scheme() == "http"),
            address,
        }
    }

    pub(crate) fn address(&self) -> &Url {
        &self.address
    }

    /// Gives the place of a URL that is the host's, or the address's own; none for any other, or where it holds a login.
    pub(crate) fn lead(&self, url: &Url) -> Option<Url> {
        if !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        if url.origin() == self.address.origin() {
            return Some(url.clone());
        }
        let is_fit = match url.scheme() {
            "https" => true,
            // Who is asked in plain http may not know that others ask by https.
            "http" => self.address.scheme() == "http",
            _ => false,
        };
        let own = Url::parse(&format!("{}://{}", url.scheme(), self.host)).ok()?;
        if !is_fit || url.origin() != own.origin() {
            return None;
        }
        let mut here = self.address.clone();
        here.set_path(url.path());
        here.set_query(url.query());
        Some(here)
    }

    /// Gives the `Host` of a request to this URL, if it is not the URL's own.
    pub(super) fn name_at(&self, url: &Url) -> Option<HeaderValue> {
        let name = self.name.clone();
        name.filter(|_| self.address.origin() == url.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, address: &str, url: &str, expected: Option<&str>) {
        let parse = |text: &str| Url::parse(text).expect("a URL");
        let led = Detour::new(host, parse(address)).lead(&parse(url));
        let case = format!("{host}={address} {url}");
        assert_eq!(led.as_ref().map(Url::as_str), expected, "{case}");
    }

    #[test]
    fn what_a_server_says_of_itself_is_led_to_where_it_is() {
        let (host, there) = ("europe-docker.pkg.dev", "https://10.0.0.5");
        let blob = "https://10.0.0.5/downloads/x?signature=y";
        for url in [
            "https://europe-docker.pkg.dev/downloads/x?signature=y",
            "https://europe-docker.pkg.dev:443/downloads/x?signature=y",
            "https://Europe-Docker.pkg.dev/downloads/x?signature=y",
            blob,
        ] {
            check(host, there, url, Some(blob));
        }
        let plain = "http://127.0.0.1:5000";
        for url in [
            "https://europe-docker.pkg.dev/v2/token",
            "http://europe-docker.pkg.dev/v2/token",
        ] {
            check(host, plain, url, Some("http://127.0.0.1:5000/v2/token"));
        }
        let port = "registry.example.com:5000";
        let url = "https://registry.example.com:5000/token";
        check(port, there, url, Some("https://10.0.0.5/token"));
    }

    #[test]
    fn what_is_another_hosts_goes_its_own_way() {
        for (host, url) in [
            ("europe-docker.pkg.dev", "https://us-docker.pkg.dev/x"),
            (
                "europe-docker.pkg.dev",
                "https://europe-docker.pkg.dev.evil.test/x",
            ),
            (
                "europe-docker.pkg.dev",
                "https://europe-docker.pkg.dev:444/x",
            ),
            ("europe-docker.pkg.dev", "http://europe-docker.pkg.dev/x"),
            (
                "europe-docker.pkg.dev",
                "https://me:pw@europe-docker.pkg.dev/x",
            ),
            ("europe-docker.pkg.dev", "https://me@10.0.0.5/x"),
            ("europe-docker.pkg.dev", "https://10.0.0.5:444/x"),
            ("europe-docker.pkg.dev", "http://10.0.0.5/x"),
            ("europe-docker.pkg.dev", "file:///etc/passwd"),
            (
                "registry.example.com:5000",
                "https://registry.example.com/x",
            ),
        ] {
            check(host, "https://10.0.0.5", url, None);
        }
    }
}
