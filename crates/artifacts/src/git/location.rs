//! Where a repository is: over HTTP, or over SSH in either of its spellings.

use url::{Host, Url};

use crate::egress::{Pin, Policy, ResolveError, is_loopback_name};

/// Holds the address of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Location {
    /// Without user, password, query and fragment, and without a slash at the end.
    Http(Url),
    Ssh {
        url: String,
        host: String,
        port: u16,
    },
}

impl Location {
    /// Reads the `repoURL` of a subscription.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let text = text.trim();
        if text.len() > 2048
            || text
                .chars()
                .any(|it| it.is_control() || it.is_whitespace() || it == '\\')
        {
            return Err("it is too long or has spaces, backslashes or control characters");
        }
        if text.starts_with('-') {
            return Err("it starts with a dash");
        }
        if !text.contains("://") {
            return Self::scp(text).ok_or("it is neither https:// nor ssh:// nor user@host:path");
        }
        let mut url = Url::parse(text).map_err(|_| "it is no URL")?;
        if url
            .host_str()
            .is_none_or(|host| host.is_empty() || host.starts_with('-'))
        {
            return Err("it has no host");
        }
        let is_here = url.host_str().is_some_and(is_loopback_name);
        match url.scheme() {
            "http" if !is_here => Err("plain http is only for this machine"),
            "https" | "http" => {
                let is_cleared = url.set_username("").is_ok() && url.set_password(None).is_ok();
                debug_assert!(is_cleared, "an http URL with a host can lose its user");
                url.set_query(None);
                url.set_fragment(None);
                let path = url.path().trim_end_matches('/').to_owned();
                url.set_path(&path);
                Ok(Self::Http(url))
            }
            "ssh" => {
                let host = url.host_str().unwrap_or_default().to_owned();
                Ok(Self::Ssh {
                    url: text.to_owned(),
                    host,
                    port: url.port().unwrap_or(22),
                })
            }
            _ => Err("its scheme is not https or ssh"),
        }
    }

    /// Reads `user@host:path`.
    fn scp(text: &str) -> Option<Self> {
        let (authority, path) = text.split_once(':')?;
        let (user, host) = authority.split_once('@')?;
        let plain = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it))
        };
        let fits = plain(user)
            && plain(host)
            && !user.starts_with('-')
            && !host.starts_with('-')
            && !path.is_empty()
            && !path.starts_with(':');
        fits.then(|| Self::Ssh {
            url: text.to_owned(),
            host: host.to_owned(),
            port: 22,
        })
    }

    /// Gives the address as git takes it.
    pub(crate) fn url(&self) -> &str {
        match self {
            Self::Http(url) => url.as_str(),
            Self::Ssh { url, .. } => url,
        }
    }

    /// Gives the host, for counting.
    pub(crate) fn host(&self) -> &str {
        match self {
            Self::Http(url) => url.host_str().unwrap_or_default(),
            Self::Ssh { host, .. } => host,
        }
    }

    /// Decides whether the address may be connected to, and gives what holds git to what was seen.
    pub(crate) async fn check(&self, policy: &Policy) -> Result<Pin, ResolveError> {
        match self {
            Self::Http(url) => {
                policy.check_url(url)?;
                let Some(Host::Domain(name)) = url.host() else {
                    return Ok(Pin::Literal);
                };
                let port = url.port_or_known_default().unwrap_or_default();
                Pin::for_http(policy, name, port).await
            }
            Self::Ssh { host, port, .. } => Pin::for_ssh(policy, host, *port).await,
        }
    }
}

/// Says whether a branch name is one that means nothing else to git; none stands for the default branch.
pub(crate) fn is_branch(name: &str) -> bool {
    let fits = |it: char| !it.is_control() && !it.is_whitespace() && !"~^:?*[\\@{".contains(it);
    name.is_empty()
        || (name.len() <= 255
            && name.chars().all(fits)
            && !name.starts_with(['-', '/', '.'])
            && !name.ends_with(['/', '.'])
            && !name.contains("..")
            && !name.contains("//"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(
            Location::parse(text)
                .ok()
                .map(|it| it.url().to_owned())
                .as_deref(),
            expected,
            "{text}"
        );
    }

    #[test]
    fn a_location_is_read_without_its_login() {
        check(
            "https://github.com/acme/app.git",
            Some("https://github.com/acme/app.git"),
        );
        check(
            "https://me:pw@github.com/acme/app/",
            Some("https://github.com/acme/app"),
        );
        check(
            "http://127.0.0.1:8080/app.git?x=y#z",
            Some("http://127.0.0.1:8080/app.git"),
        );
        check(
            "ssh://git@github.com:22/acme/app.git",
            Some("ssh://git@github.com:22/acme/app.git"),
        );
        check(
            "git@github.com:acme/app.git",
            Some("git@github.com:acme/app.git"),
        );
    }

    #[test]
    fn a_crafted_location_is_refused() {
        for text in [
            "",
            "acme/app",
            "/etc/passwd",
            "file:///etc/passwd",
            "ext::sh -c id",
            "-oProxyCommand=id",
            "ssh://-oProxyCommand=id/x",
            "git@-host:x",
            "-git@host:x",
            "git@host:",
            "git@host::x",
            "git://github.com/a",
            "http://github.com/acme/app",
            "https://github.com\\@evil.test/a",
            "https://a b/c",
            "ssh://",
        ] {
            check(text, None);
        }
    }

    #[tokio::test]
    async fn git_is_held_to_what_the_policy_has_seen() {
        let policy = Policy::new().with_loopback();
        let pin = async |text: &str| {
            let location = Location::parse(text).expect("a location");
            location.check(&policy).await.expect("it may be reached")
        };
        for text in [
            "http://127.0.0.1/app.git",
            "ssh://git@127.0.0.1:2222/app.git",
            "ssh://git@[::1]/app.git",
            "git@127.0.0.1:app.git",
        ] {
            assert_eq!(pin(text).await, Pin::Literal, "{text}");
        }
        let setting = pin("http://localhost:8080/app.git").await.setting();
        let setting = setting.expect("git is told");
        let begin = "http.curloptResolve=localhost:8080:";
        assert!(setting.starts_with(begin), "{setting}");
        for (text, known_as) in [
            ("git@localhost:app.git", "localhost"),
            ("ssh://git@LocalHost:22/app.git", "localhost"),
            ("ssh://git@localhost:2222/app.git", "[localhost]:2222"),
        ] {
            let pin = pin(text).await;
            let host = pin.host().expect("ssh is told");
            assert_eq!(host.known_as, known_as, "{text}");
            assert!(host.address.is_loopback(), "{text}");
        }
    }

    #[test]
    fn a_branch_means_nothing_else_to_git() {
        for name in ["", "main", "release/1.2", "feature_x-y", "ünï"] {
            assert!(is_branch(name), "{name}");
        }
        for name in [
            "-x", "a..b", "a b", "a:b", "a^", "a~1", "@{-1}", "/a", "a/", "a//b", ".a", "a*",
            "a\nb",
        ] {
            assert!(!is_branch(name), "{name}");
        }
    }
}
