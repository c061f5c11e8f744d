//! Where a repository is reached: at which addresses, and where its host sends git, each under the egress policy.
//!
//! git is told the addresses that were looked at and follows no redirect. One that is met is followed here, step by step,
//! by asking git what the host answered: so the operator's proxy and certificates hold for it too.

use std::path::Path;

use url::Url;

use super::Error;
use crate::{
    child::{self, GitAccess, Launcher},
    egress::{Pin, Policy, ResolveError},
};

/// Most redirects of one repository.
const HOPS_BOUND: usize = 5;
/// How git begins a line of an answer's head, when it is asked to show them.
const HEAD: &str = "<= Recv header: ";
/// The file that git asks a host for first.
const FIRST: &str = "/info/refs";

/// Whom git connects to.
#[derive(Debug, PartialEq, Eq)]
struct Endpoint {
    scheme: String,
    host: String,
    port: u16,
}

/// Decides whether git may connect to where a URL leads.
///
/// Gives what [`Launcher::with_pin`] takes. A text that names no host is refused when git is to be started.
pub async fn admit(policy: &Policy, url: &str) -> Result<Pin, ResolveError> {
    let Some(Endpoint { scheme, host, port }) = Endpoint::of(url) else {
        return Ok(Pin::Literal);
    };
    if scheme == "ssh" {
        Pin::for_ssh(policy, &host, port).await
    } else {
        Pin::for_http(policy, &host, port).await
    }
}

/// Finds where a repository is whose host sends git elsewhere; gives the last address.
///
/// Costs one request for each step of the way. A login goes to the host it was looked up for and to no other.
///
/// # Errors
/// [`Error::Redirect`] when a step leads where git may not connect to, [`Error::NoPlace`] when none ends at a repository.
pub async fn follow(
    launcher: &Launcher,
    work_dir: &Path,
    policy: &Policy,
    access: &GitAccess,
) -> Result<String, Error> {
    let lost = |why| Error::NoPlace {
        url: child::shown(&access.url),
        why,
    };
    let mut at = access.clone();
    for _ in 0..=HOPS_BOUND {
        child::check_url(&at.url)?;
        let admitted = admit(policy, &at.url).await;
        let pin = admitted.map_err(|source| Error::Redirect {
            url: child::shown(&access.url),
            to: child::shown(&at.url),
            source,
        })?;
        let launcher = launcher.clone().with_pin(pin);
        let command = launcher
            .remote_git(work_dir, &at)?
            .env("GIT_TRACE_CURL", "2")
            .env("GIT_TRACE_CURL_NO_DATA", "1")
            .args(["ls-remote", "--quiet", "--", &at.url, "HEAD"]);
        let mut output = launcher.run(command).await?;
        if output.succeeded() {
            return Ok(at.url);
        }
        let Some(location) = find_location(&output.stderr) else {
            output.stderr = without_trace(&output.stderr);
            output.checked()?;
            return Ok(at.url);
        };
        let next = repository_at(&at.url, &location);
        let url = next.ok_or_else(|| lost("to what is no repository"))?;
        let login = access.login.clone();
        let login = login.filter(|_| is_same_host(&url, &access.url));
        at = GitAccess { url, login, ..at };
    }
    Err(lost("again and again"))
}

/// Says whether two URLs lead to the same host and port, over the same protocol.
pub(super) fn is_same_host(one: &str, other: &str) -> bool {
    let one = Endpoint::of(one);
    one.is_some() && one == Endpoint::of(other)
}

impl Endpoint {
    fn of(url: &str) -> Option<Self> {
        if !url.contains("://") {
            // `git@host:path`
            let (host, _) = url.split_once(':')?;
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            return Some(Self {
                scheme: "ssh".to_owned(),
                host: host.to_owned(),
                port: 22,
            });
        }
        let parsed = Url::parse(url).ok()?;
        let scheme = parsed.scheme();
        let usual = if scheme == "ssh" { 22 } else { 443 };
        Some(Self {
            host: parsed.host_str()?.to_owned(),
            port: parsed.port_or_known_default().unwrap_or(usual),
            scheme: scheme.to_owned(),
        })
    }
}

/// Finds where the last answer that git shows sends it, if it does.
fn find_location(trace: &str) -> Option<String> {
    let mut sends_on = false;
    let mut location = None;
    for line in trace.lines().filter_map(|line| line.split_once(HEAD)) {
        let line = line.1.trim();
        if let Some(status) = line.strip_prefix("HTTP/") {
            let code = status.split(' ').nth(1).unwrap_or_default();
            sends_on = code.starts_with('3');
            location = None;
        } else if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("location")
        {
            location = Some(value.trim().to_owned());
        }
    }
    location.filter(|_| sends_on)
}

/// Leaves what git says in its own words.
fn without_trace(printed: &str) -> String {
    let lines = printed.lines().filter(|line| !line.contains(" http.c:"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Gives the repository whose first file is at `location`, as the host of the one at `from` has it.
fn repository_at(from: &str, location: &str) -> Option<String> {
    let mut asked = Url::parse(from).ok()?;
    asked.set_path(&format!("{}{FIRST}", asked.path().trim_end_matches('/')));
    let mut to = asked.join(location).ok()?;
    let path = to.path().strip_suffix(FIRST)?.to_owned();
    to.set_path(&path);
    to.set_query(None);
    to.set_fragment(None);
    to.set_username("").ok()?;
    to.set_password(None).ok()?;
    Some(to.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_a_repository_names_its_host() {
        let check = |url: &str, expected: Option<(&str, u16)>| {
            let found = Endpoint::of(url).map(|it| (it.host, it.port));
            let expected = expected.map(|(host, port)| (host.to_owned(), port));
            assert_eq!(found, expected, "{url}");
        };
        check("https://github.com/acme/app.git", Some(("github.com", 443)));
        check("http://127.0.0.1:8080/app.git", Some(("127.0.0.1", 8080)));
        check("http://localhost/app.git", Some(("localhost", 80)));
        check(
            "ssh://git@github.com/acme/app.git",
            Some(("github.com", 22)),
        );
        check("ssh://git@[::1]:2222/app", Some(("[::1]", 2222)));
        check("git@github.com:acme/app.git", Some(("github.com", 22)));
        check("nothing", None);
    }

    #[test]
    fn a_host_is_the_same_on_one_port_over_one_protocol() {
        let app = "https://github.com/acme/app";
        assert!(is_same_host(app, "https://me@github.com:443/acme/lib"));
        for other in [
            "http://github.com/acme/lib",
            "https://github.com:8443/acme/lib",
            "https://github.com.evil.test/acme/lib",
            "git@github.com:acme/lib",
            "nothing",
        ] {
            assert!(!is_same_host(app, other), "{other}");
        }
        assert!(is_same_host(
            "git@github.com:acme/app",
            "ssh://git@github.com/acme/lib"
        ));
    }

    #[tokio::test]
    async fn git_is_held_to_the_addresses_of_a_name() {
        let policy = Policy::new().with_loopback();
        let over_http = admit(&policy, "http://localhost:8080/app").await;
        let setting = over_http.unwrap().setting().unwrap();
        let begin = "http.curloptResolve=localhost:8080:";
        assert!(setting.starts_with(begin), "{setting}");
        for (url, known_as) in [
            ("git@localhost:app", "localhost"),
            ("ssh://git@localhost:2222/app", "[localhost]:2222"),
        ] {
            let pin = admit(&policy, url).await.unwrap();
            assert_eq!(pin.host().unwrap().known_as, known_as, "{url}");
        }
        for url in ["http://127.0.0.1:8080/app", "ssh://git@[::1]/app", "app"] {
            assert_eq!(admit(&policy, url).await.unwrap(), Pin::Literal, "{url}");
        }
        for url in ["https://169.254.169.254/app", "git@metadata:app"] {
            assert!(admit(&policy, url).await.is_err(), "{url}");
        }
    }

    #[test]
    fn the_last_answer_says_where_git_is_sent() {
        let line = |text: &str| format!("17:00:59.1 http.c:684   {HEAD}{text}\n");
        let asks = "17:00:59.1 http.c:684   => Send header: GET /a HTTP/1.1\n";
        let moved = [line("HTTP/1.1 301 Moved"), line("Location: https://b/c ")].concat();
        let found = find_location(&format!("{asks}{moved}fatal: unable to access"));
        assert_eq!(found.as_deref(), Some("https://b/c"));
        let of_two = [line("HTTP/2 308"), line("location: /d/info/refs")].concat();
        let found = find_location(&(moved.clone() + &of_two));
        assert_eq!(found.as_deref(), Some("/d/info/refs"));
        let refused = line("HTTP/1.1 404 Not Found");
        assert_eq!(find_location(&(moved.clone() + &refused)), None);
        assert_eq!(find_location("fatal: Location: nowhere"), None);
        assert_eq!(without_trace(&format!("{moved}fatal: no")), "fatal: no");
    }

    #[test]
    fn a_repository_is_known_by_its_first_file() {
        let check = |location: &str, expected: Option<&str>| {
            let found = repository_at("https://a.test/x/app/", location);
            assert_eq!(found.as_deref(), expected, "{location}");
        };
        let query = "info/refs?service=git-upload-pack";
        check(
            &format!("https://me:pw@b.test/app.git/{query}"),
            Some("https://b.test/app.git"),
        );
        check(
            &format!("/x/app.git/{query}"),
            Some("https://a.test/x/app.git"),
        );
        check("https://a.test/login", None);
        check("mailto:info/refs", None);
    }
}
