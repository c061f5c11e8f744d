//! Who may pull and push.
//!
//! [`Credentials::find`] takes a project, a [`Kind`] and a repository URL and answers with the [`Access`] to use:
//!
//! 1. A credential is never sent over plain `http://`, except where [`PlainHttp`] says so.
//! 2. [`lookup`] finds the Secret: the project's namespace first, then the shared ones; in each an exact `repoURL`
//!    before a pattern; Secrets with the same claim in the order of their names.
//! 3. The first of [`PROVIDERS`] that answers for the request makes a login of it, or of an identity at [`google`].
//!
//! Invariant: which Secret or identity is taken depends on nothing but the normalised URL, so a crafted URL cannot be
//! shown a credential meant for another host.

pub mod google;

mod error;
mod identity;
mod lookup;
mod pattern;

use std::collections::BTreeMap;
use std::fmt;

use futures::FutureExt as _;
use futures::future::{self, BoxFuture};
use secret::Secret;
use sha2::{Digest, Sha256};

pub use error::{Error, as_whom};
pub use google::{AccessToken, Google};
pub use identity::{Doubt, Lacking, Outcome, RegistryIdentity};
pub use lookup::Credentials;

/// How a project gets at a repository.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// None means anonymously.
    pub login: Option<Login>,
    /// Who acts, where it is an identity rather than what a Secret says.
    pub identity: Option<RegistryIdentity>,
}

impl From<Option<Login>> for Access {
    fn from(login: Option<Login>) -> Self {
        Self {
            login,
            identity: None,
        }
    }
}

/// Answers how to log in somewhere.
#[derive(Debug, Clone)]
pub enum Login {
    /// A user name and a password or token, for HTTP.
    Basic {
        username: String,
        password: Secret<String>,
    },
    /// A private key in PEM or OpenSSH form, for Git over SSH.
    SshKey(Secret<String>),
    /// A token of an identity at Google, for Google's registries.
    AccessToken(AccessToken),
}

impl Login {
    /// Says whether it is a token of the simulator's, which is not for anybody beyond this machine.
    pub fn is_simulated(&self) -> bool {
        let token = match self {
            Self::AccessToken(token) => token.password(),
            Self::Basic { username, password } if username == AccessToken::USERNAME => password,
            Self::Basic { .. } | Self::SshKey(_) => return false,
        };
        token.expose().starts_with(gcp::SIMULATED_TOKENS)
    }

    /// Tells two logins apart without keeping either: 64 hexadecimal digits.
    ///
    /// Whatever is remembered on behalf of a login is kept under this, so that a rotated password starts afresh. Access
    /// tokens of one identity are one login: they change every hour.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        match self {
            Self::Basic { username, password } => {
                hash.update(format!("basic:{}:", username.len()));
                hash.update(username);
                hash.update(password.expose());
            }
            Self::SshKey(key) => {
                hash.update("ssh:");
                hash.update(key.expose());
            }
            Self::AccessToken(token) => {
                hash.update("google:");
                hash.update(token.identity());
            }
        }
        hash.finalize()
            .iter()
            .fold(String::with_capacity(64), |mut text, byte| {
                use fmt::Write as _;
                write!(text, "{byte:02x}").expect("writing to a string cannot fail");
                text
            })
    }
}

/// Names what a credential is for: the value of the label `kargo.akuity.io/cred-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Git,
    Image,
    Helm,
}

impl Kind {
    /// Gives the value of the label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::Image => "image",
            Self::Helm => "helm",
        }
    }

    /// Brings a repository URL into the one form in which URLs of this kind are compared.
    pub fn normalize(self, repo_url: &str) -> String {
        match self {
            Self::Git => resources::url::normalize_git(repo_url),
            Self::Image => resources::url::normalize_image(repo_url),
            Self::Helm => resources::url::normalize_chart(repo_url),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.label())
    }
}

/// Says over which plain `http://` URLs a credential may travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PlainHttp {
    /// Over none.
    #[default]
    Never,
    /// To this machine alone: `argosy up`.
    Loopback,
    /// Over all, as the operator asked with `--allow-credentials-over-http`.
    Anywhere,
}

impl PlainHttp {
    /// Says whether a credential may be sent to `repo_url`.
    fn permits(self, repo_url: &str) -> bool {
        let Some((scheme, rest)) = repo_url.trim().split_once("://") else {
            return true;
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return true;
        }
        match self {
            Self::Never => false,
            Self::Anywhere => true,
            Self::Loopback => {
                url::Url::parse(&format!("http://{rest}")).is_ok_and(|url| match url.host() {
                    Some(url::Host::Domain(name)) => {
                        name == "localhost" || name.ends_with(".localhost")
                    }
                    Some(url::Host::Ipv4(address)) => address.is_loopback(),
                    Some(url::Host::Ipv6(address)) => address.is_loopback(),
                    None => false,
                })
            }
        }
    }
}

/// Holds what a provider may use to answer.
#[derive(Debug)]
pub struct Request<'a> {
    /// The Kargo project, which is also a namespace.
    pub project: &'a str,
    pub kind: Kind,
    /// The normalised URL.
    pub repo_url: &'a str,
    /// What the Secret that was found holds; empty where none was, for providers that need none.
    pub secret: &'a BTreeMap<String, Secret<String>>,
}

impl Request<'_> {
    /// Finds a value of the Secret that is not empty.
    fn value(&self, key: &str) -> Option<&Secret<String>> {
        self.secret
            .get(key)
            .filter(|value| !value.expose().is_empty())
    }
}

/// Makes a login of what a Secret holds or of an identity that the controller has.
pub struct Provider {
    pub name: &'static str,
    /// Says that this provider, and none after it, answers the request.
    pub answers: fn(&Credentials, &Request<'_>) -> bool,
    pub access: for<'a> fn(&'a Credentials, &'a Request<'a>) -> Answer<'a>,
}

/// What a provider says, which may take a while.
pub type Answer<'a> = BoxFuture<'a, Result<Access, Error>>;

impl fmt::Debug for Provider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Provider").field(&self.name).finish()
    }
}

/// Lists the providers in the order they are asked. The first that answers decides, be it by giving no login.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "basic",
        answers: |_, request| basic_answers(request),
        access: |_, request| at_once(basic_login(request)),
    },
    Provider {
        name: "ssh",
        answers: |_, request| ssh_answers(request),
        access: |_, request| at_once(ssh_login(request)),
    },
    Provider {
        name: "google-service-account-key",
        answers: |credentials, request| {
            let holds_key = request.value(google::KEY_VALUE).is_some();
            credentials.google().is_some()
                && holds_key
                && Google::serves(request.kind, request.repo_url)
        },
        access: |credentials, request| match credentials.google() {
            Some(google) => google.access_with_key(request).boxed(),
            None => at_once(None),
        },
    },
    Provider {
        name: "google-workload-identity",
        answers: |credentials, request| {
            // Upstream passes a Secret over that holds nothing of use, too; here that is said.
            credentials.has_workload_identity() && Google::serves(request.kind, request.repo_url)
        },
        access: |credentials, request| match credentials.google() {
            Some(google) => google.access(request).boxed(),
            None => at_once(None),
        },
    },
];

fn at_once<'a>(login: Option<Login>) -> Answer<'a> {
    future::ready(Ok(login.into())).boxed()
}

fn basic_answers(request: &Request<'_>) -> bool {
    let has_both = request.value("username").is_some() && request.value("password").is_some();
    // A password is of no use over SSH: where the Secret holds a key as well, the key is meant.
    has_both && !(request.repo_url.starts_with("ssh://") && ssh_answers(request))
}

fn basic_login(request: &Request<'_>) -> Option<Login> {
    let username = request.value("username")?.expose().clone();
    let password = request.value("password")?.clone();
    Some(Login::Basic { username, password })
}

fn ssh_answers(request: &Request<'_>) -> bool {
    request.kind == Kind::Git && request.value("sshPrivateKey").is_some()
}

fn ssh_login(request: &Request<'_>) -> Option<Login> {
    request.value("sshPrivateKey").cloned().map(Login::SshKey)
}

#[cfg(test)]
mod tests;
