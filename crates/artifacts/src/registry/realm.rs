//! Who may be shown a registry's login in exchange for a token.
//!
//! A registry names the place, so a registry could name any place. A login goes only over https, to a host of the same
//! registrable domain as the registry, to one that [`KNOWN`] pairs with it, or to one that the operator named; between
//! servers on this machine plain http will do.

use url::Url;

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

/// What a realm would be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Nothing,
    /// What a Secret holds for this registry.
    Login,
    /// A token that opens more than this registry.
    AccessToken,
}

/// Checks the realm of a token request to the registry at `registry`.
///
/// `trusted` holds the hosts that the operator named; they are not trusted with access tokens.
pub(crate) fn check(
    registry: &Url,
    realm: &str,
    shown: Shown,
    trusted: &[String],
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
        || trusted.iter().any(|host| host == to);
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
mod tests {
    use super::*;

    fn outcome(registry: &str, realm: &str, shown: Shown) -> Result<(), RealmError> {
        let registry = Url::parse(registry).expect("a URL");
        check(&registry, realm, shown, &["login.corp.test".to_owned()]).map(drop)
    }

    #[test]
    fn a_login_goes_to_the_owner_of_the_registry() {
        for (registry, realm) in [
            (
                "https://registry-1.docker.io",
                "https://auth.docker.io/token",
            ),
            ("https://ghcr.io", "https://ghcr.io/token"),
            ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth"),
            (
                "https://registry.git.example.com:5050",
                "https://git.example.com/jwt/auth",
            ),
            (
                "https://registry.example.co.uk",
                "https://auth.example.co.uk/token",
            ),
            (
                "https://acme.azurecr.io",
                "https://acme.azurecr.io/oauth2/token",
            ),
            (
                "https://europe-docker.pkg.dev",
                "https://europe-docker.pkg.dev/v2/token",
            ),
            ("https://10.0.0.1:5000", "https://10.0.0.1:5001/token"),
            (
                "https://registry.example.com",
                "https://login.corp.test/token",
            ),
            ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token"),
            ("http://localhost:5000", "http://127.0.0.1:5001/token"),
        ] {
            assert_eq!(
                outcome(registry, realm, Shown::Login),
                Ok(()),
                "{registry} {realm}"
            );
        }
    }

    #[test]
    fn a_login_goes_nowhere_else() {
        for (registry, realm, why) in [
            (
                "https://registry.example.com",
                "https://evil.test/token",
                RealmError::Foreign,
            ),
            (
                "https://registry.example.com",
                "https://example.com.evil.test/token",
                RealmError::Foreign,
            ),
            (
                "https://registry.example.com",
                "https://evilexample.com/token",
                RealmError::Foreign,
            ),
            (
                "https://registry.example.co.uk",
                "https://evil.co.uk/token",
                RealmError::Foreign,
            ),
            (
                "https://acme.azurecr.io",
                "https://evil.azurecr.io/token",
                RealmError::Foreign,
            ),
            (
                "https://europe-docker.pkg.dev",
                "https://evil.pkg.dev/token",
                RealmError::Foreign,
            ),
            (
                "https://acme.run.app",
                "https://evil.run.app/token",
                RealmError::Foreign,
            ),
            (
                "https://10.0.0.1:5000",
                "https://10.0.0.2/token",
                RealmError::Foreign,
            ),
            (
                "https://10.0.0.1:5000",
                "https://evil.0.1/token",
                RealmError::Unreadable,
            ),
            (
                "https://registry",
                "https://evil/token",
                RealmError::Foreign,
            ),
            (
                "https://registry.example.com",
                "http://registry.example.com/token",
                RealmError::PlainHttp,
            ),
            (
                "https://registry.example.com",
                "http://127.0.0.1/token",
                RealmError::PlainHttp,
            ),
            (
                "http://127.0.0.1:5000",
                "http://registry.example.com/token",
                RealmError::PlainHttp,
            ),
            (
                "http://127.0.0.1:5000",
                "https://evil.test/token",
                RealmError::Foreign,
            ),
            (
                "https://registry.example.com",
                "file:///etc/passwd",
                RealmError::Unreadable,
            ),
            (
                "https://registry.example.com",
                "/token",
                RealmError::Unreadable,
            ),
            (
                "https://registry.example.com",
                "https://registry.example.com@evil.test/token",
                RealmError::HoldsLogin,
            ),
            (
                "https://registry.example.com",
                r"https://evil.test\@registry.example.com/token",
                RealmError::Foreign,
            ),
        ] {
            assert_eq!(
                outcome(registry, realm, Shown::Login),
                Err(why),
                "{registry} {realm}"
            );
        }
    }

    #[test]
    fn without_a_login_any_https_realm_will_do() {
        assert_eq!(
            outcome(
                "https://registry.example.com",
                "https://auth.other.test/token",
                Shown::Nothing
            ),
            Ok(())
        );
        assert_eq!(
            outcome(
                "https://registry.example.com",
                "http://auth.other.test/token",
                Shown::Nothing
            ),
            Err(RealmError::PlainHttp)
        );
    }

    #[test]
    fn an_access_token_goes_to_the_registry_itself() {
        let own = "https://europe-docker.pkg.dev";
        for (registry, realm, expected) in [
            (own, "https://europe-docker.pkg.dev/v2/token", Ok(())),
            (
                "http://127.0.0.1:5000",
                "http://127.0.0.1:5000/v2/token",
                Ok(()),
            ),
            (
                "http://127.0.0.1:5000",
                "http://127.0.0.1:5001/v2/token",
                Err(RealmError::Foreign),
            ),
            (
                own,
                "https://europe-docker.pkg.dev:444/v2/token",
                Err(RealmError::Foreign),
            ),
            (
                own,
                "https://us-docker.pkg.dev/v2/token",
                Err(RealmError::Foreign),
            ),
            (own, "https://pkg.dev/v2/token", Err(RealmError::Foreign)),
            (
                own,
                "https://login.corp.test/token",
                Err(RealmError::Foreign),
            ),
            (
                own,
                "http://europe-docker.pkg.dev/v2/token",
                Err(RealmError::PlainHttp),
            ),
        ] {
            let outcome = outcome(registry, realm, Shown::AccessToken);
            assert_eq!(outcome, expected, "{registry} {realm}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_realm_is_judged_without_panic(host in "[a-z0-9.:\\[\\]-]{1,30}", realm in "(https?://)?[ -~]{0,60}") {
            if let Ok(registry) = Url::parse(&format!("https://{host}/")) {
                check(&registry, &realm, Shown::Login, &[]).ok();
            }
        }
    }
}
