//! Registries whose connections go elsewhere: what they say of themselves is led there, whom they may send to is judged
//! by the name that people know them by.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use artifacts::egress::Policy;
use artifacts::image;
use artifacts::registry::{Error, Registries, Repository};
use artifacts::{Cost, Limits};
use credentials::Login;
use resources::ImageSubscription;
use secret::Secret;
use serde_json::json;

use crate::registry_protocol::{login, page};
use crate::scripted::{Sent, Server, answer, digest, not_found, ok};
use crate::{ASKED, caller, told};

const HOST: &str = "registry.acme.example";
const BASIC: &str = "Basic bWU6aHVudGVyMi1odW50ZXIy";

/// Leads connections for a host to a server on this machine.
fn leading(host: &str, server: &Server) -> Registries {
    let limits = Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        patience: Duration::from_secs(3),
        rate: 10_000.try_into().expect("not zero"),
        ..Limits::default()
    };
    let address = format!("http://{}", server.host);
    let endpoints = HashMap::from([(host.to_owned(), address.parse().expect("a URL"))]);
    Registries::new(Arc::new(Policy::new().with_loopback()), limits).with_endpoints(endpoints)
}

/// Lists the tags of a repository with the login of a Secret, which takes any certificate.
async fn tags_of(registries: &Registries, repository: &str) -> Result<Vec<String>, Error> {
    tags_by(&login(), registries, repository).await
}

async fn tags_by(
    login: &Login,
    registries: &Registries,
    repository: &str,
) -> Result<Vec<String>, Error> {
    let repository = Repository::parse(repository).expect("a repository");
    let cost = Cost::default();
    let caller = caller("acme", Some(login), &cost);
    let reader = registries.reader(caller, &repository, true).await;
    let mut tags = Vec::new();
    let listed = reader.each_tag(&mut |tag| tags.push(tag.to_owned())).await;
    listed.map(|()| tags)
}

/// A registry that sends to this realm for its token.
async fn sending_to(realm: &str) -> Server {
    let challenge = format!(r#"Bearer realm="{realm}",service="acme""#);
    Server::start(move |sent, _| {
        if sent.target.starts_with("/token") {
            return token(sent);
        }
        match sent.authorization.as_deref() {
            Some("Bearer good") => ok(page(&["a"])),
            _ => answer(401, &[("www-authenticate", &challenge)], "{}"),
        }
    })
    .await
}

/// Gives a token to who knows the password.
fn token(sent: &Sent) -> axum::response::Response {
    match sent.authorization.as_deref() {
        Some(BASIC) => ok(r#"{"token":"good","expires_in":300}"#),
        _ => answer(401, &[], "{}"),
    }
}

#[tokio::test]
async fn a_realm_of_the_host_itself_is_asked_where_its_connections_go() {
    for realm in [
        "https://registry.acme.example/token",
        "https://registry.acme.example:443/token",
        "http://registry.acme.example/token",
    ] {
        let server = sending_to(realm).await;
        let registries = leading(HOST, &server);
        let tags = tags_of(&registries, &format!("{HOST}/web")).await;
        assert_eq!(tags.expect("the tags"), ["a"], "{realm}");
        assert_eq!(server.count("/token"), 1, "{realm}");
        assert!(server.sent().iter().all(|it| it.host == HOST), "{realm}");
    }
}

#[tokio::test]
async fn a_realm_is_judged_by_the_name_of_the_registry_and_not_by_where_it_is() {
    // It is on the machine that connections go to, and nobody said that it is the registry's.
    let other = Server::start(|sent, _| token(sent)).await;
    let server = sending_to(&format!("http://{}/token", other.host)).await;
    let tags = tags_of(&leading(HOST, &server), &format!("{HOST}/web")).await;
    let told_of = told(&tags.expect_err("another host"));
    assert!(told_of.contains("sends for a token to"), "{told_of}");
    assert!(other.sent().is_empty(), "{:?}", other.sent());

    // It is of the registry's domain: that it cannot be connected to is for the networks to say, which are asked last.
    let server = sending_to("https://kubernetes.default.svc/token").await;
    let host = "registry.default.svc";
    let tags = tags_of(&leading(host, &server), &format!("{host}/web")).await;
    let told_of = told(&tags.expect_err("no address"));
    assert!(
        told_of.contains("the token service kubernetes.default.svc did not answer"),
        "{told_of}"
    );
}

#[tokio::test]
async fn a_login_goes_to_a_host_of_another_domain_where_the_operator_trusts_it() {
    let other = Server::start_tls(|sent, _| token(sent)).await;
    let server = sending_to(&format!("https://{}/token", other.host)).await;
    let web = format!("{HOST}/web");

    let error = tags_of(&leading(HOST, &server), &web)
        .await
        .expect_err("another domain");
    let told_of = told(&error);
    assert!(told_of.contains("another domain"), "{told_of}");
    let hint = error.hint();
    assert!(hint.ends_with("--trusted-realm localhost"), "{hint}");
    assert!(other.sent().is_empty(), "{:?}", other.sent());

    let trusted = "localhost".parse().expect("a host");
    let registries = leading(HOST, &server).with_trusted_realms(vec![trusted]);
    let tags = tags_of(&registries, &web).await;
    assert_eq!(tags.expect("the tags"), ["a"]);
    assert_eq!(other.sent().len(), 1);
    assert_eq!(other.sent()[0].authorization.as_deref(), Some(BASIC));

    // Which a token of Google's is not trusted with, whoever stored it.
    let token = Login::Basic {
        username: "oauth2accesstoken".to_owned(),
        password: Secret::from("a-token"),
    };
    let tags = tags_by(&token, &registries, &web).await;
    let told_of = told(&tags.expect_err("it opens more than this registry"));
    assert!(told_of.contains("another domain"), "{told_of}");
    assert_eq!(other.sent().len(), 1);
}

#[tokio::test]
async fn a_redirect_to_the_host_itself_is_followed_to_where_its_connections_go() {
    let config =
        r#"{"created":"2026-01-02T03:04:05Z","os":"linux","architecture":"amd64"}"#.to_owned();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len()},
        "layers": [],
    });
    let manifest = manifest.to_string();
    let server = Server::start(move |sent, _| match sent.target.as_str() {
        target if target.contains("/tags/list") => ok(page(&["1.0.0"])),
        "/v2/web/manifests/1.0.0" => ok(manifest.clone()),
        target if target.contains("/blobs/") => {
            let location = format!("https://{HOST}/downloads/x?signature=y");
            answer(302, &[("location", &location)], "")
        }
        "/downloads/x?signature=y" => ok(config.clone()),
        _ => not_found(),
    })
    .await;
    let subscription = ImageSubscription {
        repo_url: format!("{HOST}/web"),
        ..ImageSubscription::default()
    };
    let cost = Cost::default();
    let asking = caller("acme", None, &cost);
    let registries = leading(HOST, &server);
    let found = image::discover(&registries, asking, &subscription, ASKED).await;
    assert_eq!(found.expect("the image")[0].tag, "1.0.0");
    let download = server.sent().pop().expect("a download");
    assert_eq!(
        (&*download.target, &*download.host),
        ("/downloads/x?signature=y", HOST)
    );
}

#[tokio::test]
async fn docker_hub_is_led_elsewhere_by_any_of_its_names() {
    for host in ["docker.io", "index.docker.io", "registry-1.docker.io"] {
        let server = Server::start(|_, _| ok(page(&["a"]))).await;
        let registries = leading(host, &server);
        for repository in ["nginx", "docker.io/nginx", "index.docker.io/library/nginx"] {
            let tags = tags_of(&registries, repository).await;
            assert_eq!(tags.expect("the tags"), ["a"], "{host} {repository}");
        }
        assert_eq!(server.count("/v2/library/nginx/tags/list"), 3, "{host}");
    }
}

/// In a cluster nothing on this machine is open but what the operator named.
#[tokio::test]
async fn an_endpoint_on_this_machine_is_open_for_its_registry_alone() {
    let other = Server::start(|_, _| ok(page(&["secret"]))).await;
    let elsewhere = format!("http://{}/v2/web/tags/list", other.host);
    let registry = Server::start(move |sent, _| match sent.target.as_str() {
        it if it.contains("/moved/") => answer(302, &[("location", &elsewhere)], ""),
        _ => ok(page(&["a"])),
    })
    .await;
    let closed = Arc::new(Policy::new());
    let address = format!("http://{}", registry.host);
    let endpoints = HashMap::from([(HOST.to_owned(), address.parse().expect("a URL"))]);
    let limits = Limits {
        patience: Duration::from_secs(3),
        ..Limits::default()
    };
    let registries = Registries::new(closed, limits).with_endpoints(endpoints);
    let tags = tags_of(&registries, &format!("{HOST}/web")).await;
    assert_eq!(tags.expect("it is the operator's"), ["a"]);
    for repository in [
        format!("{HOST}/moved/web"),
        format!("{}/web", registry.host),
        format!("{}/web", other.host),
    ] {
        let refused = tags_of(&registries, &repository).await;
        let error = refused.expect_err(&repository);
        assert!(
            format!("{error:?}").contains("Loopback"),
            "{repository}: {error:?}"
        );
    }
    assert_eq!(other.sent().len(), 0, "nobody asked there");
}
