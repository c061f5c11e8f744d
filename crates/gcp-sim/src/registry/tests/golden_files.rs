//! One golden file per refusal of the Docker API, as it is answered to a request.

use super::*;
use crate::faults::Effect;
use crate::golden::{self, Row, row};
use crate::refusal::ConsumerReason;
use crate::registry::REGISTRY;

const RECORDED: &str = "seen: https://github.com/e6qu/sockerless-cloud";
const CLIENT: &str = "seen: https://github.com/google/go-containerregistry";

const MANIFEST: &str = "/v2/acme/apps/web/manifests/v1";

/// What a request is answered.
async fn ask(front: &Front, method: Method, path: &str, authorization: Option<String>) -> Seen {
    front.send(method, path, authorization, Bytes::new()).await
}

fn answered(name: &'static str, evidence: &'static str, seen: Seen) -> Row {
    let mut response = axum::response::Response::new(Body::from(seen.body));
    *response.status_mut() = seen.status;
    *response.headers_mut() = seen.headers;
    row(name, evidence, response)
}

/// A token of the token service that stands for nobody.
async fn nobody(front: &Front) -> String {
    let seen = ask(front, Method::GET, "/v2/token", None).await;
    format!("Bearer {}", seen.json()["token"].as_str().unwrap())
}

async fn of_credentials(front: &Front) -> Vec<Row> {
    let token = "/v2/token?service=europe-west1-docker.pkg.dev&scope=repository:acme/apps/web:pull";
    let bad = || Some(basic("oauth2accesstoken", "bogus"));
    let get = Method::GET;
    vec![
        answered(
            "base-without-credential",
            RECORDED,
            ask(front, get.clone(), "/v2/", None).await,
        ),
        answered(
            "read-without-credential",
            RECORDED,
            ask(front, get.clone(), MANIFEST, None).await,
        ),
        answered(
            "write-without-credential",
            RECORDED,
            ask(front, Method::PUT, MANIFEST, None).await,
        ),
        answered(
            "no-image-without-credential",
            RECORDED,
            ask(front, get.clone(), "/v2/acme/apps/manifests/v1", None).await,
        ),
        answered(
            "bad-credential",
            RECORDED,
            ask(front, get.clone(), MANIFEST, bad()).await,
        ),
        answered(
            "one-component",
            RECORDED,
            ask(front, get.clone(), "/v2/acme/manifests/v1", None).await,
        ),
        answered(
            "token-by-post",
            RECORDED,
            ask(front, Method::POST, "/v2/token", None).await,
        ),
        answered(
            "token-bad-credential",
            RECORDED,
            ask(front, get.clone(), token, bad()).await,
        ),
        answered(
            "token-for-nobody",
            RECORDED,
            ask(front, get, token, None).await,
        ),
    ]
}

async fn of_contents(front: &Front) -> Vec<Row> {
    let get = async |path: &str, name: &str| front.get(path, name).await;
    let missing_blob = format!("/v2/acme/apps/web/blobs/sha256:{}", "0".repeat(64));
    let nobody = nobody(front).await;
    vec![
        answered("denied", RECORDED, get(MANIFEST, "stranger").await),
        answered(
            "denied-to-nobody",
            RECORDED,
            ask(front, Method::GET, MANIFEST, Some(nobody)).await,
        ),
        answered(
            "no-repository",
            RECORDED,
            get("/v2/acme/missing/web/manifests/v1", "admin").await,
        ),
        answered(
            "no-manifest",
            RECORDED,
            get("/v2/acme/apps/web/manifests/v9", "reader").await,
        ),
        answered(
            "no-blob",
            "assumed: missing-blob",
            get(&missing_blob, "reader").await,
        ),
        answered(
            "no-image",
            "assumed: missing-image",
            get("/v2/acme/apps/missing/tags/list", "reader").await,
        ),
    ]
}

#[tokio::test]
async fn every_refusal_is_as_its_golden_file_says() {
    let front = Front::new();
    let mut rows = of_credentials(&front).await;
    rows.extend(of_contents(&front).await);
    let burst = Effect::TooManyRequests { retry_after: None };
    front.google.inject(burst.on(REGISTRY).times(1));
    rows.push(answered(
        "too-many",
        CLIENT,
        front.get(MANIFEST, "reader").await,
    ));
    for (name, effect) in [
        ("internal", Effect::Internal),
        ("deadline-exceeded", Effect::DeadlineExceeded),
        (
            "consumer-refused",
            Effect::ConsumerRefused {
                reason: ConsumerReason::BillingDisabled,
            },
        ),
        (
            "policy-violated",
            Effect::Vpcsc {
                uid: "u-1".to_owned(),
            },
        ),
    ] {
        front.google.inject(effect.on(REGISTRY).times(1));
        let evidence = "assumed: errors-of-google-at-the-registry";
        rows.push(answered(
            name,
            evidence,
            front.get(MANIFEST, "reader").await,
        ));
    }
    front
        .google
        .inject(Effect::RegistryNoChallenge.on(REGISTRY).times(1));
    rows.push(answered(
        "expired-within",
        RECORDED,
        front.get(MANIFEST, "reader").await,
    ));
    let disabled = front.google.disable_api("acme", REGISTRY);
    assert_eq!(disabled, Ok(()));
    rows.push(answered(
        "service-disabled",
        "documented: https://cloud.google.com/artifact-registry/docs/docker/troubleshoot",
        front.get(MANIFEST, "reader").await,
    ));
    golden::check("docker", rows).await;
}
