//! A registry with many images in it, put there one by one over HTTP.

use serde_json::json;
use testkit::servers::{Access, Registry};

use crate::scripted::digest;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Debian's docker-registry, and a way to fill it fast.
pub(crate) struct Filled {
    pub(crate) registry: Registry,
    client: reqwest::Client,
}

/// What is pushed.
#[derive(Clone, Copy)]
pub(crate) struct Push<'a> {
    pub(crate) tag: &'a str,
    /// Minutes after the beginning of the year that the image says it was built.
    pub(crate) minute: usize,
    /// Whether the manifest says so, rather than the config.
    pub(crate) is_annotated: bool,
}

impl Filled {
    pub(crate) fn start() -> Self {
        // Another test may have installed it.
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        Self {
            registry: Registry::start(Access::Open).expect("a registry"),
            client: reqwest::Client::new(),
        }
    }

    /// Pushes an image into `web`, and gives its digest.
    pub(crate) async fn push(&self, push: Push<'_>) -> String {
        let Push {
            tag,
            minute,
            is_annotated,
        } = push;
        let (hour, minute) = (minute / 60, minute % 60);
        let built = format!(
            "2026-01-{:02}T{:02}:{minute:02}:00Z",
            1 + hour / 24,
            hour % 24
        );
        let config = json!({
            "created": built, "os": "linux", "architecture": "amd64", "config": {}, "tag": tag,
            "rootfs": {"type": "layers", "diff_ids": []},
        })
        .to_string();
        let layer = "no layer";
        self.put_blob(layer).await;
        self.put_blob(&config).await;
        let mut manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest(&config), "size": config.len()},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest(layer), "size": layer.len()}],
        });
        if is_annotated {
            manifest["annotations"] = json!({"org.opencontainers.image.created": built});
        }
        let manifest = manifest.to_string();
        let url = self.url(&format!("manifests/{tag}"));
        let put = self.client.put(url).header("content-type", MANIFEST);
        expect(put.body(manifest.clone()), 201).await;
        digest(&manifest)
    }

    /// Pushes so many images, tagged `t0` and so on, each built a minute after the one before.
    pub(crate) async fn push_many(&self, count: usize) {
        for minute in 0..count {
            let tag = format!("t{minute}");
            let push = Push {
                tag: &tag,
                minute,
                is_annotated: false,
            };
            self.push(push).await;
        }
    }

    /// Deletes the manifest of a digest, and the tags that name it.
    pub(crate) async fn delete(&self, digest: &str) {
        let url = self.url(&format!("manifests/{digest}"));
        expect(self.client.delete(url), 202).await;
    }

    async fn put_blob(&self, body: &str) {
        let url = self.url(&format!("blobs/{}", digest(body)));
        let known = self.client.head(url).send().await.expect("an answer");
        if known.status() == 200 {
            return;
        }
        let begun = expect(self.client.post(self.url("blobs/uploads/")), 202).await;
        let place = begun.headers()["location"].to_str().expect("an address");
        let place = if place.starts_with('/') {
            format!("http://{}{place}", self.registry.host())
        } else {
            place.to_owned()
        };
        let mut place: url::Url = place.parse().expect("an address");
        place.query_pairs_mut().append_pair("digest", &digest(body));
        expect(self.client.put(place).body(body.to_owned()), 201).await;
    }

    fn url(&self, rest: &str) -> String {
        format!("http://{}/v2/web/{rest}", self.registry.host())
    }
}

async fn expect(request: reqwest::RequestBuilder, status: u16) -> reqwest::Response {
    let answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), status, "{}", answer.url());
    answer
}
