//! What a provider makes of a Secret, and what never travels in the clear.

use super::*;

fn secret(rows: &[(&str, &str)]) -> BTreeMap<String, Secret<String>> {
    rows.iter()
        .map(|(key, value)| ((*key).to_owned(), Secret::from(*value)))
        .collect()
}

/// A client of an API that is not there.
fn nowhere() -> kube::Client {
    let config = kube::Config::new("http://127.0.0.1:1".parse().expect("a URL"));
    kube::Client::try_from(config).expect("a client")
}

async fn check(kind: Kind, repo_url: &str, rows: &[(&str, &str)], expected: &str) {
    let secret = secret(rows);
    let repo_url = kind.normalize(repo_url);
    let request = Request {
        project: "acme",
        kind,
        repo_url: &repo_url,
        secret: &secret,
    };
    let credentials = Credentials::new(nowhere(), Vec::new());
    let provider = PROVIDERS
        .iter()
        .find(|provider| (provider.answers)(&credentials, &request));
    let login = match provider {
        Some(provider) => (provider.access)(&credentials, &request).await,
        None => Ok(Access::default()),
    };
    let found = match &login.expect("nothing outside is asked").login {
        None => "anonymous".to_owned(),
        Some(Login::Basic { username, password }) => format!("{username}:{}", password.expose()),
        Some(Login::SshKey(key)) => format!("key {}", key.expose()),
        Some(Login::AccessToken(token)) => token.identity(),
    };
    assert_eq!(found, expected, "{kind} {repo_url} {rows:?}");
}

#[tokio::test]
async fn the_first_provider_that_answers_decides() {
    let basic = [("username", "u"), ("password", "p")];
    check(Kind::Image, "ghcr.io/acme/app", &basic, "u:p").await;
    check(Kind::Helm, "oci://ghcr.io/acme/chart", &basic, "u:p").await;
    check(Kind::Git, "https://github.com/acme/app", &basic, "u:p").await;
    check(
        Kind::Git,
        "git@github.com:acme/app",
        &[("sshPrivateKey", "k")],
        "key k",
    )
    .await;
    check(
        Kind::Image,
        "ghcr.io/acme/app",
        &[("sshPrivateKey", "k")],
        "anonymous",
    )
    .await;
    check(
        Kind::Image,
        "ghcr.io/acme/app",
        &[("username", "u"), ("password", "")],
        "anonymous",
    )
    .await;
    check(Kind::Image, "ghcr.io/acme/app", &[], "anonymous").await;
    let both = [("username", "u"), ("password", "p"), ("sshPrivateKey", "k")];
    check(Kind::Git, "https://github.com/acme/app", &both, "u:p").await;
    check(Kind::Git, "git@github.com:acme/app", &both, "key k").await;
}

#[test]
fn a_credential_never_travels_in_the_clear_unless_allowed() {
    for (url, never, loopback, anywhere) in [
        ("https://github.com/acme/app", true, true, true),
        ("ssh://git@github.com/acme/app", true, true, true),
        ("git@github.com:acme/app", true, true, true),
        ("ghcr.io/acme/app", true, true, true),
        ("http://github.com/acme/app", false, false, true),
        ("HTTP://github.com/acme/app", false, false, true),
        (" http://github.com/acme/app", false, false, true),
        ("http://localhost:3000/acme/app", false, true, true),
        ("http://127.0.0.1:3000/acme/app", false, true, true),
        ("http://[::1]:3000/acme/app", false, true, true),
        ("http://git.localhost/acme/app", false, true, true),
        ("http://localhost.evil.test/acme/app", false, false, true),
        ("http://localhost@evil.test/acme/app", false, false, true),
        ("http://127.0.0.1.evil.test/acme/app", false, false, true),
    ] {
        let found =
            [PlainHttp::Never, PlainHttp::Loopback, PlainHttp::Anywhere].map(|it| it.permits(url));
        assert_eq!(found, [never, loopback, anywhere], "{url}");
    }
}

#[test]
fn a_fingerprint_tells_logins_apart_and_shows_none() {
    let basic = |username: &str, password: &str| Login::Basic {
        username: username.to_owned(),
        password: Secret::from(password),
    };
    let one = basic("ab", "c");
    assert_eq!(one.fingerprint(), basic("ab", "c").fingerprint());
    assert_ne!(one.fingerprint(), basic("a", "bc").fingerprint());
    assert_ne!(
        one.fingerprint(),
        Login::SshKey(Secret::from("abc")).fingerprint()
    );
    assert_eq!(one.fingerprint().len(), 64);
    assert_eq!(
        format!("{one:?}"),
        r#"Basic { username: "ab", password: **** }"#
    );
}
