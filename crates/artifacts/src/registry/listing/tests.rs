//! What is asked of Artifact Registry's API, and what never is.

use std::sync::Arc;

use axum::Router;
use credentials::Login;
use credentials::google::ImageAddress;
use http::StatusCode;
use jiff::Timestamp;
use tokio::net::TcpListener;
use url::Url;

use super::versions::Versions;
use super::{Listing, Said, Wish};
use crate::egress::Policy;
use crate::registry::{Registries, Repository};
use crate::{Boundless, Caller, Cost, Limits};

const IMAGE: &str = "us-docker.pkg.dev/acme-prod/apps/web";

/// A login that the API takes.
fn login() -> Login {
    Login::Basic {
        username: "oauth2accesstoken".to_owned(),
        password: "a-token".to_owned().into(),
    }
}

fn registries(api: Url) -> Registries {
    Registries::new(Arc::new(Policy::new().with_loopback()), Limits::default())
        .with_artifact_registry(api)
}

/// Asks the API of an image by this name; says in how many requests.
async fn asked(digest: &str) -> (Said, u64) {
    let login = login();
    let cost = Cost::default();
    let caller = Caller {
        project: "acme",
        login: Some(&login),
        cost: &cost,
        room: &Boundless,
    };
    // Nobody listens there.
    let registries = registries("http://127.0.0.1:1".parse().expect("a URL"));
    let repository = Repository::parse(IMAGE).expect("a repository");
    let reader = registries.reader(caller, &repository, false).await;
    let wish = Wish {
        rules: "",
        newest_first: false,
        now: Timestamp::UNIX_EPOCH,
    };
    let listing = Listing::new(&reader, wish);
    let said = listing.ask_built_at(digest).await;
    (said, cost.spent().total())
}

#[tokio::test]
async fn what_is_no_digest_becomes_no_part_of_a_url() {
    let proper = format!("sha256:{:064}", 1);
    assert_eq!(asked(&proper).await, (Said::Nothing, 1));
    for digest in [
        "",
        "..",
        "../../../v1/projects/x",
        &format!("{proper}/../../x"),
        &format!("{proper}?alt=media"),
    ] {
        assert_eq!(asked(digest).await, (Said::Nothing, 0), "{digest}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_api_says_why_as_google_names_it() {
    let body = r#"{"error":{"code":403,"status":"PERMISSION_DENIED","message":"Request had insufficient authentication scopes."}}"#;
    let refuse = move || std::future::ready((StatusCode::FORBIDDEN, body));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let server = axum::serve(listener, Router::new().fallback(refuse));
    let serving = tokio::spawn(server.into_future());
    let (login, cost) = (login(), Cost::default());
    let caller = Caller {
        project: "acme",
        login: Some(&login),
        cost: &cost,
        room: &Boundless,
    };
    let registries = registries(format!("http://{address}").parse().expect("a URL"));
    let repository = Repository::parse(IMAGE).expect("a repository");
    let reader = registries.reader(caller, &repository, false).await;
    let image = ImageAddress::parse(IMAGE).expect("an image");
    let versions = Versions::start(&reader, &image).expect("there is a token");
    let refusal = versions
        .newest()
        .await
        .expect_err("it is refused")
        .to_string();
    assert_eq!(
        refusal,
        "the API answered 403 Forbidden: ACCESS_TOKEN_SCOPE_INSUFFICIENT"
    );
    serving.abort();
}
