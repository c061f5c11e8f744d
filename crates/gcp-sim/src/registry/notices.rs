//! What is announced on the topic `gcr` of a project: every push to its Docker repositories, and every deletion.
//!
//! Source: <https://cloud.google.com/artifact-registry/docs/configure-notifications>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Registry;
use super::address::RepositoryName;
use super::digest::Digest;
use crate::pubsub::Draft;
use crate::resource::ResourceName;
use crate::service::Service;

/// The topic that somebody must have made, or nothing is announced.
const TOPIC: &str = "gcr";

/// What happened to an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice<'a> {
    Pushed { digest: Digest },
    Tagged { digest: Digest, tag: &'a str },
    Untagged { tag: &'a str },
    Deleted { digest: Digest },
}

impl Registry {
    /// Announces what happened to an image, one message for each.
    pub(super) fn announce(&self, name: &RepositoryName, image: &str, notices: &[Notice<'_>]) {
        let is_heard = self.google.read(|world| {
            let project = world.project(&name.project)?;
            let topic = project.topics.iter().any(|topic| topic.name == TOPIC);
            let repository = world.repository(&name.project, &name.location, &name.repository)?;
            let enabled = project.services.contains(Service::PubSub.host());
            Some(topic && enabled && repository.format == "DOCKER")
        });
        if is_heard != Some(true) {
            return;
        }
        let image = name.pkg_dev_uri(image);
        let drafts = notices
            .iter()
            .map(|notice| {
                let data = STANDARD.encode(notice.to_json(&image).to_string());
                Draft::of_data(data)
            })
            .collect();
        let topic = ResourceName::topic(&name.project, TOPIC);
        self.google.publish(&topic, drafts);
    }
}

impl Notice<'_> {
    /// `image` is `europe-docker.pkg.dev/acme/apps/web`.
    fn to_json(self, image: &str) -> serde_json::Value {
        match self {
            Self::Pushed { digest } => {
                json!({ "action": "INSERT", "digest": format!("{image}@{digest}") })
            }
            Self::Tagged { digest, tag } => json!({
                "action": "INSERT", "digest": format!("{image}@{digest}"), "tag": format!("{image}:{tag}"),
            }),
            Self::Untagged { tag } => {
                json!({ "action": "DELETE", "tag": format!("{image}:{tag}") })
            }
            Self::Deleted { digest } => {
                json!({ "action": "DELETE", "digest": format!("{image}@{digest}") })
            }
        }
    }
}
