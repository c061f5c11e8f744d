//! Images of an index whose times Artifact Registry's API is asked for, by their digests.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use artifacts::egress::Policy;
use artifacts::image;
use artifacts::registry::Registries;
use artifacts::{Cost, Limits, Spent};
use axum::response::Response;
use credentials::Login;
use domain::selection::Selected;
use resources::ImageSubscription;
use resources::subscription::ImageSelectionStrategy;
use secret::Secret;
use serde_json::{Value, json};

use crate::scripted::{Sent, Server, answer, digest, not_found, ok};
use crate::{ASKED, caller};

const HOST: &str = "us-docker.pkg.dev";
const VERSIONS: &str =
    "/v1/projects/acme-prod/locations/us/repositories/apps/packages/web/versions/";

/// An index whose images were built at these seconds of 2026, as their configs say.
struct Built {
    index: String,
    /// Manifests and configs, by their digests.
    contents: HashMap<String, String>,
    /// The images, in their order.
    images: Vec<String>,
}

fn built(seconds: &[u32]) -> Built {
    let (mut contents, mut images) = (HashMap::new(), Vec::new());
    for (number, second) in seconds.iter().enumerate() {
        let created = format!("2026-01-01T00:00:{second:02}Z");
        let config =
            json!({"created": created, "os": "linux", "architecture": format!("a{number}")});
        let config = config.to_string();
        let manifest =
            json!({"schemaVersion": 2, "config": {"digest": digest(&config)}}).to_string();
        images.push(digest(&manifest));
        contents.insert(digest(&config), config);
        contents.insert(digest(&manifest), manifest);
    }
    let children = images.iter().enumerate().map(|(number, it)| {
        json!({"digest": it, "platform": {"os": "linux", "architecture": format!("a{number}")}})
    });
    let index = json!({"schemaVersion": 2, "manifests": children.collect::<Vec<Value>>()});
    Built {
        index: index.to_string(),
        contents,
        images,
    }
}

/// A server of one tag, where `tell` answers what the API is asked of the image of a number.
async fn google(built: Built, tell: impl Fn(usize) -> Response + Send + Sync + 'static) -> Server {
    Server::start(move |sent: &Sent, _| {
        let target = sent.target.as_str();
        let end = target.rsplit('/').next().unwrap_or_default();
        if let Some(version) = target.strip_prefix(VERSIONS) {
            let asked = version.split('?').next();
            let number = built
                .images
                .iter()
                .position(|it| Some(it.as_str()) == asked);
            return number.map_or_else(not_found, &tell);
        }
        match built.contents.get(end) {
            Some(content) => ok(content.clone()),
            None if end == "latest" => ok(built.index.clone()),
            None => not_found(),
        }
    })
    .await
}

/// A version as the API tells it, with this metadata.
fn version(metadata: &Value) -> Response {
    let version = json!({
        "name": "projects/acme-prod/locations/us/repositories/apps/packages/web/versions/x",
        "createTime": "2026-01-02T00:00:00Z",
        "updateTime": "2026-01-02T00:00:00Z",
        "metadata": metadata,
    });
    ok(version.to_string())
}

fn registries(server: &Server) -> Registries {
    let limits = Limits {
        pauses: (Duration::from_millis(1), Duration::from_millis(5)),
        patience: Duration::from_secs(3),
        rate: 10_000.try_into().expect("not zero"),
        ..Limits::default()
    };
    let address: url::Url = format!("http://{}", server.host).parse().expect("a URL");
    Registries::new(Arc::new(Policy::new().with_loopback()), limits)
        .with_endpoints(HashMap::from([(HOST.to_owned(), address.clone())]))
        .with_artifact_registry(address)
}

/// Looks at the tag, with an access token that somebody had for this.
async fn latest(registries: &Registries) -> (Selected, Spent) {
    let subscription = ImageSubscription {
        repo_url: format!("{HOST}/acme-prod/apps/web"),
        image_selection_strategy: ImageSelectionStrategy::Digest,
        constraint: "latest".to_owned(),
        ..ImageSubscription::default()
    };
    let login = Login::Basic {
        username: "oauth2accesstoken".to_owned(),
        password: Secret::from("a-token"),
    };
    let cost = Cost::default();
    let asking = caller("acme", Some(&login), &cost);
    let selected = image::select(registries, asking, &subscription, ASKED).await;
    (selected.expect("the tag"), cost.spent())
}

fn created_at(selected: &Selected) -> Option<String> {
    let taken = selected.taken.first().expect("the tag is taken");
    taken.created_at.map(|it| it.to_string())
}

#[tokio::test]
async fn an_image_of_which_no_time_is_told_is_read() {
    for metadata in [
        json!({}),
        json!({"buildTime": ""}),
        json!({"buildTime": "soon"}),
        json!({"buildTime": "0001-01-01T00:00:00Z"}),
    ] {
        let what = metadata.to_string();
        let server = google(built(&[3, 2, 1]), move |_| version(&metadata)).await;
        let registries = registries(&server);
        let (found, spent) = latest(&registries).await;
        let last = Some("2026-01-01T00:00:03Z".to_owned());
        assert_eq!(created_at(&found), last, "{what}");
        // The index; and of each image what the API says, its manifest and its config.
        assert_eq!(spent.total(), 1 + 3 * (1 + 2), "{what}");
    }
}

#[tokio::test]
async fn one_image_that_is_not_told_of_does_not_silence_the_others() {
    // More than are asked for at a time, so that the first answer comes before the last question.
    let seconds: Vec<u32> = (0..20).collect();
    for (status, asked) in [(404, 20), (429, 20), (403, 16), (503, 16)] {
        let server = google(built(&seconds), move |number| match number {
            0 => answer(status, &[], "{}"),
            _ => version(&json!({"buildTime": format!("2026-01-01T00:00:{number:02}Z")})),
        })
        .await;
        let (found, _) = latest(&registries(&server)).await;
        let last = Some("2026-01-01T00:00:19Z".to_owned());
        assert_eq!(created_at(&found), last, "{status}");
        assert_eq!(server.count(VERSIONS), asked, "{status}");
    }
}
