//! Realms that a login goes to, and realms that it does not.

use super::*;

fn outcome(registry: &str, realm: &str, shown: Shown) -> Result<(), RealmError> {
    let registry = Url::parse(registry).expect("a URL");
    let trusted = "login.corp.test".parse().expect("a host");
    check(&registry, realm, shown, &[trusted]).map(drop)
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

#[test]
fn the_operators_list_holds_hosts_and_nothing_else() {
    for (text, host) in [
        ("login.example.com", "login.example.com"),
        ("Login.Example.COM", "login.example.com"),
        ("10.0.0.5", "10.0.0.5"),
        ("[::1]", "[::1]"),
    ] {
        let parsed = text.parse::<TrustedRealm>().map(|it| it.to_string());
        assert_eq!(parsed.as_deref(), Ok(host), "{text}");
    }
    for text in [
        "",
        "https://login.example.com",
        "login.example.com/token",
        "login.example.com:8443",
        "me@login.example.com",
        "*.example.com",
        "login example com",
        "::1",
    ] {
        let refused = text.parse::<TrustedRealm>().expect_err(text).to_string();
        assert!(refused.ends_with("such as login.example.com"), "{refused}");
    }
}
