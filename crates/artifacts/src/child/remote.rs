//! Why git could not work with a repository elsewhere, read from what it prints and sorted by what helps.

use super::Error;
use crate::shell::{git_ls_remote, quote};

/// A repository elsewhere, as a git command was given it.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    /// Without user and password.
    url: String,
    with_login: bool,
}

/// Says why git could not work with a repository elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("the name of its host cannot be resolved")]
    NameNotResolved,
    #[error("its host cannot be reached")]
    HostUnreachable,
    #[error("the certificate of its host is not trusted")]
    CertificateNotTrusted,
    #[error("the SSH key of its host is not an accepted one")]
    HostKeyNotAccepted,
    #[error("it wants a login, and there is none")]
    LoginMissing,
    #[error("its host refuses the login")]
    LoginRefused,
    #[error("there is no such repository, or the login may not see it")]
    RepositoryNotFound,
    #[error("it has no such branch, tag or commit")]
    BranchNotFound,
    #[error("its host sends git elsewhere")]
    Redirected,
    #[error("its host breaks off")]
    Other,
}

/// What git, curl and ssh write in each case, in lower case; the first sign that is found decides.
///
/// Source: <https://github.com/git/git/blob/v2.39.5/remote-curl.c>,
/// <https://github.com/curl/curl/blob/master/lib/strerror.c>,
/// <https://github.com/openssh/openssh-portable/blob/master/sshconnect.c>
const SIGNS: &[(&str, Trouble)] = &[
    ("could not resolve", Trouble::NameNotResolved),
    ("certificate problem", Trouble::CertificateNotTrusted),
    ("certificate verif", Trouble::CertificateNotTrusted),
    ("certificate subject name", Trouble::CertificateNotTrusted),
    ("error setting certificate", Trouble::CertificateNotTrusted),
    ("host key verification failed", Trouble::HostKeyNotAccepted),
    ("could not read username for", Trouble::LoginMissing),
    ("could not read password for", Trouble::LoginMissing),
    ("authentication failed", Trouble::LoginRefused),
    ("permission denied (", Trouble::LoginRefused),
    ("returned error: 401", Trouble::LoginRefused),
    ("returned error: 403", Trouble::LoginRefused),
    ("' not found", Trouble::RepositoryNotFound),
    ("error: repository not found", Trouble::RepositoryNotFound),
    (
        "does not appear to be a git repository",
        Trouble::RepositoryNotFound,
    ),
    ("couldn't find remote ref", Trouble::BranchNotFound),
    ("remote branch", Trouble::BranchNotFound),
    ("returned error: 301", Trouble::Redirected),
    ("returned error: 302", Trouble::Redirected),
    ("returned error: 303", Trouble::Redirected),
    ("returned error: 307", Trouble::Redirected),
    ("returned error: 308", Trouble::Redirected),
    ("failed to connect", Trouble::HostUnreachable),
    ("couldn't connect", Trouble::HostUnreachable),
    ("connection refused", Trouble::HostUnreachable),
    ("timed out", Trouble::HostUnreachable),
    ("operation too slow", Trouble::HostUnreachable),
    ("no route to host", Trouble::HostUnreachable),
    ("network is unreachable", Trouble::HostUnreachable),
    ("connection reset", Trouble::HostUnreachable),
    ("connection closed by", Trouble::HostUnreachable),
    ("empty reply from server", Trouble::HostUnreachable),
    ("unable to access '", Trouble::Other),
    ("could not read from remote repository", Trouble::Other),
    ("remote end hung up", Trouble::Other),
    ("rpc failed", Trouble::Other),
];

/// What servers say through git begins so. They could say anything, and git itself says what it came to.
const SAID_BY_SERVER: &str = "remote:";

impl Remote {
    pub(super) fn new(url: &str, with_login: bool) -> Self {
        Self {
            url: shown(url),
            with_login,
        }
    }

    /// Makes an error of what git printed; none when that is not about the repository.
    pub(super) fn error(&self, program: &str, stderr: &str) -> Option<Error> {
        let (trouble, line) = find_trouble(stderr)?;
        let trouble = match trouble {
            Trouble::LoginRefused if !self.with_login => Trouble::LoginMissing,
            Trouble::LoginMissing if self.with_login => Trouble::LoginRefused,
            trouble => trouble,
        };
        Some(Error::Remote {
            program: program.to_owned(),
            url: self.named_in(line),
            trouble,
            said: line.to_owned(),
        })
    }

    /// Gives the URL in git's own words where it is about another repository, such as a submodule.
    fn named_in(&self, line: &str) -> String {
        let quoted = line.split('\'').nth(1).unwrap_or_default();
        let quoted = shown(quoted.trim_end_matches('/'));
        let is_ours = self.url.starts_with(&quoted) || quoted.starts_with(&self.url);
        if quoted.contains("://") && !is_ours {
            quoted
        } else {
            self.url.clone()
        }
    }
}

/// Finds the first sign, and the line it is in.
fn find_trouble(stderr: &str) -> Option<(Trouble, &str)> {
    SIGNS.iter().find_map(|(sign, trouble)| {
        let mut lines = stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.starts_with(SAID_BY_SERVER));
        let line = lines.find(|line| line.to_ascii_lowercase().contains(sign))?;
        Some((*trouble, line))
    })
}

impl Trouble {
    /// Names the next thing to try for the repository at `url`.
    pub(super) fn hint(self, url: &str) -> String {
        match self {
            Self::NameNotResolved => {
                format!(
                    "check the spelling of {url} and DNS: {} from where argosy runs",
                    git_ls_remote(&[], url)
                )
            }
            Self::HostUnreachable => format!(
                "check port, firewall and HTTPS_PROXY: {} from where argosy runs",
                git_ls_remote(&[], url)
            ),
            Self::CertificateNotTrusted => {
                "name the certificates (PEM) to trust: --ca-file FILE".to_owned()
            }
            Self::HostKeyNotAccepted => format!(
                "add the host's key to the file of --known-hosts: ssh-keyscan {} >> FILE",
                host_to_scan(url)
            ),
            Self::LoginMissing => secret_to_create(url),
            Self::LoginRefused => {
                format!("see whether the Secret for {url} is current, and may read and push")
            }
            Self::RepositoryNotFound => {
                format!(
                    "correct repoURL, or let the Secret for {url} see it: {}",
                    git_ls_remote(&[], url)
                )
            }
            Self::BranchNotFound => format!("see what there is: {}", git_ls_remote(&[], url)),
            Self::Redirected => format!(
                "write the address that it is sent to, which this prints: {}",
                git_ls_remote(&[], url)
            ),
            Self::Other => {
                format!(
                    "see whether it is there: {} from where argosy runs",
                    git_ls_remote(&[], url)
                )
            }
        }
    }
}

/// Says which Secret would be found for a Git repository.
pub(crate) fn secret_to_create(url: &str) -> String {
    let keys = if url.starts_with("http") {
        "username, password"
    } else {
        "sshPrivateKey"
    };
    format!(
        "create a Secret with label kargo.akuity.io/cred-type=git in the project's namespace, holding {keys} and repoURL {url}"
    )
}

/// Leaves out of a URL what may be secret: user, password and query. The user of `ssh://` is none, it is mostly `git`.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (user_info, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user = user_info.split(':').next().unwrap_or(user_info);
    if scheme == "ssh" && !user.is_empty() {
        format!("{scheme}://{user}@{host}{path}")
    } else {
        format!("{scheme}://{host}{path}")
    }
}

/// The host of an SSH URL in either spelling, as ssh-keyscan is told it: `-p PORT HOST`, or the host alone.
fn host_to_scan(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(parsed) if url.contains("://") => {
            let host = parsed.host_str().unwrap_or_default();
            let host = quote(host.trim_matches(['[', ']']));
            match parsed.port() {
                Some(port) => format!("-p {port} {host}"),
                None => host,
            }
        }
        Ok(_) | Err(_) => {
            let host = url.split(':').next().unwrap_or(url);
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            quote(host)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://git.example.com/acme/app.git";

    #[track_caller]
    fn check(stderr: &str, with_login: bool, expected: Option<Trouble>) {
        let found = Remote::new(URL, with_login).error("git clone", stderr);
        let found = found.map(|error| match error {
            Error::Remote { trouble, url, .. } => (trouble, url),
            other => panic!("{other}"),
        });
        assert_eq!(found, expected.map(|it| (it, URL.to_owned())), "{stderr}");
    }

    #[test]
    fn what_git_curl_and_ssh_write_is_understood() {
        for (stderr, with_login, expected) in [
            (
                "fatal: unable to access 'https://git.example.com/acme/app.git/': Could not resolve host: git.example.com",
                false,
                Trouble::NameNotResolved,
            ),
            (
                "ssh: Could not resolve hostname nowhere.invalid: Name or service not known\nfatal: Could not read from remote repository.",
                true,
                Trouble::NameNotResolved,
            ),
            (
                "ssh: connect to host 127.0.0.1 port 22: Connection refused\nfatal: Could not read from remote repository.",
                true,
                Trouble::HostUnreachable,
            ),
            (
                "fatal: unable to access 'https://git.example.com/acme/app.git/': Failed to connect to git.example.com port 443 after 1 ms: Couldn't connect to server",
                false,
                Trouble::HostUnreachable,
            ),
            (
                "fatal: unable to access 'https://git.example.com/acme/app.git/': server certificate verification failed. CAfile: none CRLfile: none",
                false,
                Trouble::CertificateNotTrusted,
            ),
            (
                "fatal: unable to access 'https://git.example.com/acme/app.git/': SSL certificate problem: self-signed certificate",
                false,
                Trouble::CertificateNotTrusted,
            ),
            (
                "No ED25519 host key is known for git.example.com and you have requested strict checking.\nHost key verification failed.\nfatal: Could not read from remote repository.",
                true,
                Trouble::HostKeyNotAccepted,
            ),
            (
                "fatal: could not read Username for 'https://git.example.com': terminal prompts disabled",
                false,
                Trouble::LoginMissing,
            ),
            (
                "remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://git.example.com/acme/app.git/'",
                true,
                Trouble::LoginRefused,
            ),
            (
                "git@git.example.com: Permission denied (publickey).\nfatal: Could not read from remote repository.",
                false,
                Trouble::LoginMissing,
            ),
            (
                "remote: Permission to acme/app.git denied to me.\nfatal: unable to access 'https://git.example.com/acme/app.git/': The requested URL returned error: 403",
                true,
                Trouble::LoginRefused,
            ),
            (
                "remote: Repository not found.\nfatal: repository 'https://git.example.com/acme/app.git/' not found",
                true,
                Trouble::RepositoryNotFound,
            ),
            (
                "ERROR: Repository not found.\nfatal: Could not read from remote repository.",
                true,
                Trouble::RepositoryNotFound,
            ),
            (
                "fatal: couldn't find remote ref refs/heads/gone",
                true,
                Trouble::BranchNotFound,
            ),
            (
                "fatal: unable to access 'https://git.example.com/acme/app.git/': The requested URL returned error: 301",
                true,
                Trouble::Redirected,
            ),
            (
                "fatal: unable to access 'https://git.example.com/acme/app.git/': The requested URL returned error: 502",
                true,
                Trouble::Other,
            ),
        ] {
            check(stderr, with_login, Some(expected));
        }
    }

    #[test]
    fn what_is_not_about_the_remote_is_left_alone() {
        check(
            "fatal: could not create work tree dir 'x': No space left on device",
            true,
            None,
        );
        check("remote: could not resolve the quota", true, None);
    }

    #[test]
    fn a_submodule_elsewhere_is_named_rather_than_its_parent() {
        let stderr = "fatal: unable to access 'https://other.example.com/lib.git/': Could not resolve host: other.example.com";
        let error = Remote::new(URL, true).error("git submodule", stderr);
        let text = error.map(|it| it.to_string()).unwrap_or_default();
        assert!(
            text.contains(r#"repository "https://other.example.com/lib.git""#),
            "{text}"
        );
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        for (url, expected) in [
            ("https://me:pw@host/a.git?token=x#y", "https://host/a.git"),
            ("https://token@host:1/a", "https://host:1/a"),
            ("ssh://git@host:22/a", "ssh://git@host:22/a"),
            ("ssh://git:pw@host/a", "ssh://git@host/a"),
            ("git@host:a", "git@host:a"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn the_host_of_a_key_is_named() {
        for (url, host) in [
            (
                "ssh://git@git.example.com:2222/app.git",
                "-p 2222 git.example.com",
            ),
            ("ssh://git@git.example.com/app.git", "git.example.com"),
            ("ssh://git@[::1]:2222/app.git", "-p 2222 ::1"),
            ("git@git.example.com:app.git", "git.example.com"),
            ("git@$(reboot):app.git", "'$(reboot)'"),
        ] {
            let hint = Trouble::HostKeyNotAccepted.hint(url);
            let expected = format!("ssh-keyscan {host} >> FILE");
            assert!(hint.ends_with(&expected), "{hint}");
        }
    }
}
