//! Who may be shown a registry's login in exchange for a token.
//!
//! A registry names the place, so a registry could name any place. A login goes only over https, to a host of the same
//! registrable domain as the registry, to one that [`KNOWN`] pairs with it, or to one that the operator named; between
//! servers on this machine plain http will do.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::egress;

/// Pairs registries with the token services of their owner, where the domains differ.
const KNOWN: &[(&str, &str)] = &[
    ("index.docker.io", "auth.docker.io"),
    ("registry-1.docker.io", "auth.docker.io"),
    ("mcr.microsoft.com", "mcr.microsoft.com"),
    ("registry.redhat.io", "sso.redhat.com"),
    ("registry.connect.redhat.com", "sso.redhat.com"),
    ("nvcr.io", "authn.nvidia.com"),
    ("public.ecr.aws", "public.ecr.aws"),
];

/// Domains under which every customer has a name of their own: below these one more label tells owners apart.
const SHARED_DOMAINS: &[&str] = &[
    "amazonaws.com",
    "appspot.com",
    "azurecontainer.io",
    "azurecr.cn",
    "azurecr.io",
    "azurecr.us",
    "azurewebsites.net",
    "cloudapp.net",
    "cloudfront.net",
    "fly.dev",
    "gcr.io",
    "github.io",
    "gitlab.io",
    "herokuapp.com",
    "jfrog.io",
    "netlify.app",
    "ngrok.app",
    "ngrok.io",
    "ocir.io",
    "onrender.com",
    "pkg.dev",
    "run.app",
    "sslip.io",
    "nip.io",
    "vercel.app",
    "web.app",
    "workers.dev",
];

/// Second levels that registries of country domains hand out names under: `co.uk`, `com.au`.
const SECOND_LEVELS: &[&str] = &[
    "ac", "co", "com", "edu", "go", "gob", "gov", "ltd", "ne", "net", "or", "org", "plc",
];

/// Says why a login does not go to a realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RealmError {
    #[error("its address cannot be read")]
    Unreadable,
    #[error("its address holds a login")]
    HoldsLogin,
    #[error("it is not https")]
    PlainHttp,
    #[error("it belongs to another domain than the registry")]
    Foreign,
}

/// A host that any registry may send to for a token, with the login that a Secret holds for it: the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedRealm(String);

/// Says that a text is no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a host; write its name alone, such as login.example.com")]
pub struct TrustedRealmError {
    text: String,
}

impl FromStr for TrustedRealm {
    type Err = TrustedRealmError;

    /// Reads a name or an address, without scheme, port and path.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A name with a star is one to the standard, and would be taken for a pattern here.
        let host = Host::parse(text).ok().filter(|_| !text.contains('*'));
        let host = host.ok_or_else(|| TrustedRealmError {
            text: text.to_owned(),
        })?;
        Ok(Self(host.to_string()))
    }
}

impl fmt::Display for TrustedRealm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a realm would be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    /// What a Secret holds for this registry.
    Login,
    /// A token of Google's, which opens more than this registry, whoever it comes from.
    AccessToken,
}

/// Checks the realm of a token request to the registry at `registry`.
///
/// `registry` is the address that people know it by, wherever its connections go. Who is `trusted` is not trusted with
/// access tokens.
pub(crate) fn check(
    registry: &Url,
    realm: &str,
    shown: Shown,
    trusted: &[TrustedRealm],
) -> Result<Url, RealmError> {
    let url = Url::parse(realm).map_err(|_| RealmError::Unreadable)?;
    let (Some(from), Some(to)) = (registry.host_str(), url.host_str()) else {
        return Err(RealmError::Unreadable);
    };
    if !url.username().is_empty() || url.password().is_some() {
        return Err(RealmError::HoldsLogin);
    }
    let both_here = egress::is_loopback_name(from) && egress::is_loopback_name(to);
    match url.scheme() {
        "https" => {}
        "http" if both_here => {}
        _ => return Err(RealmError::PlainHttp),
    }
    let known = KNOWN
        .iter()
        .any(|(registry, realm)| *registry == from && *realm == to)
        || trusted.iter().any(|host| host.0 == to);
    let is_registry = from == to && registry.port_or_known_default() == url.port_or_known_default();
    let fine = match shown {
        Shown::Nothing => true,
        Shown::Login => both_here || from == to || known || same_owner(from, to),
        Shown::AccessToken => is_registry,
    };
    if fine {
        Ok(url)
    } else {
        Err(RealmError::Foreign)
    }
}

fn same_owner(one: &str, other: &str) -> bool {
    matches!((registrable(one), registrable(other)), (Some(one), Some(other)) if one == other)
}

/// Gives the part of a name that its owner registered: `example.com`, `acme.azurecr.io`, `example.co.uk`.
fn registrable(host: &str) -> Option<&str> {
    let host = host.trim_end_matches('.');
    if host.parse::<std::net::IpAddr>().is_ok() || host.starts_with('[') {
        return None;
    }
    let is_shared = SHARED_DOMAINS.iter().find(|shared| {
        host.strip_suffix(**shared)
            .is_some_and(|it| it.is_empty() || it.ends_with('.'))
    });
    let mut labels = host.rsplit('.');
    let (top, second) = (labels.next()?, labels.next()?);
    let count = match is_shared {
        Some(shared) => shared.split('.').count() + 1,
        None if top.len() == 2 && SECOND_LEVELS.contains(&second) => 3,
        None => 2,
    };
    if host.split('.').count() < count {
        return None;
    }
    let start = host
        .rmatch_indices('.')
        .nth(count - 1)
        .map_or(0, |(at, _)| at + 1);
    Some(&host[start..])
}

#[cfg(test)]
mod tests;
