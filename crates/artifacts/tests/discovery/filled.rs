//! A registry with many images in it, put there one by one over HTTP.

use std::time::Duration;

use serde_json::{Value, json};
use testkit::proxy::{Asked, Proxy, Twist};
use testkit::servers::{Access, Registry};
use testkit::{Pushed, fill};

/// Debian's docker-registry, and a way to fill it fast.
pub(crate) struct Filled {
    pub(crate) registry: Registry,
}

/// What is pushed.
#[derive(Clone, Copy)]
pub(crate) struct Push<'a> {
    pub(crate) tag: &'a str,
    /// Minutes after the beginning of the year that the image says it was built.
    pub(crate) minute: usize,
    /// Whether the manifest says so, rather than the config alone.
    pub(crate) is_annotated: bool,
}

impl Filled {
    pub(crate) fn start() -> Self {
        Self {
            registry: Registry::start(Access::Open).expect("a registry"),
        }
    }

    /// Puts a proxy in front, at which things go wrong as `script` says.
    pub(crate) async fn behind(
        &self,
        script: impl Fn(&Asked) -> Twist + Send + Sync + 'static,
    ) -> Proxy {
        let proxy = Proxy::start(&self.registry.host(), Duration::ZERO, script).await;
        proxy.expect("a proxy")
    }

    /// Pushes an image into `web`, and gives its digest.
    pub(crate) async fn push(&self, push: Push<'_>) -> String {
        let mut digests = self.push_into("web", vec![pushed(push)]).await;
        digests.remove(0)
    }

    /// Pushes so many images into `web`, tagged `t0` and so on, each built a minute after the one before.
    pub(crate) async fn push_many(&self, count: usize) {
        let images = (0..count).map(|minute| {
            pushed(Push {
                tag: &format!("t{minute}"),
                minute,
                is_annotated: false,
            })
        });
        self.push_into("web", images.collect()).await;
    }

    /// Pushes images, and gives their digests.
    pub(crate) async fn push_into(&self, repository: &str, images: Vec<Pushed>) -> Vec<String> {
        let host = self.registry.host();
        fill(&host, repository, images).await.expect("pushed")
    }

    /// Deletes the manifest of a digest, and the tags that name it.
    pub(crate) async fn delete(&self, digest: &str) {
        // Another test may have installed it.
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        let host = self.registry.host();
        let url = format!("http://{host}/v2/web/manifests/{digest}");
        let deleted = reqwest::Client::new().delete(url).send().await;
        assert_eq!(deleted.expect("an answer").status(), 202);
    }
}

/// Makes the image of a push.
pub(crate) fn pushed(push: Push<'_>) -> Pushed {
    let Push {
        tag,
        minute,
        is_annotated,
    } = push;
    let (hour, minute) = (minute / 60, minute % 60);
    let created = format!(
        "2026-01-{:02}T{:02}:{minute:02}:00Z",
        1 + hour / 24,
        hour % 24
    );
    let more = if is_annotated {
        json!({"annotations": {"org.opencontainers.image.created": created}})
    } else {
        Value::Null
    };
    Pushed {
        tag: tag.to_owned(),
        created,
        more,
    }
}
