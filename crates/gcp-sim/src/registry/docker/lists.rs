//! Lists: the tags of an image, the images of a host, what refers to a manifest.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONTENT_TYPE, HeaderName, LINK};
use serde::Deserialize;
use serde_json::{Value, json};

use super::listing::{Listing, Paging};
use super::refused::{Action, Refused};
use super::{Answer, Visit};
use crate::faults::Effect;
use crate::registry::address::ImageName;
use crate::registry::digest::Digest;
use crate::registry::manifest::INDEX;
use crate::registry::version::Stored;

const FILTERS_APPLIED: HeaderName = HeaderName::from_static("oci-filters-applied");

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ReferrersQuery {
    artifact_type: Option<String>,
}

impl Visit<'_> {
    /// `tags/list`, with what Google adds.
    pub(super) async fn tags(&self, image: &ImageName) -> Answer {
        self.must_read()?;
        self.allow(image, Action::Pull)?;
        self.registry
            .mirror_tags(&image.repository, &image.image)
            .await?;
        let paging: Paging = self.query();
        let list = |contents: &_| Listing::of(contents, &image.image, &image.path, &paging);
        let listing = self
            .registry
            .content
            .store
            .read(&image.repository, list)
            .flatten();
        let mut listing = listing.ok_or_else(|| Refused::no_image(&image.image))?;
        let link = listing
            .next
            .take()
            .filter(|_| !self.strikes(|effect| matches!(effect, Effect::TagsWithoutLink)));
        if self.strikes(|effect| matches!(effect, Effect::TagsWithoutExtension)) {
            return Ok(with_link(Json(listing.plain()).into_response(), link));
        }
        Ok(with_link(Json(listing).into_response(), link))
    }

    /// `_catalog`: all images of the host that the caller may pull.
    pub(super) async fn catalog(&self) -> Answer {
        self.must_read()?;
        self.must_be_known()?;
        self.be_slow().await;
        let paging: Paging = self.query();
        let mut paths: Vec<String> = Vec::new();
        for repository in self.registry.repositories_of_world() {
            if !self.may_pull(&repository) {
                continue;
            }
            self.registry.mirror_all(&repository).await?;
            let images = self.registry.content.store.read(&repository, |contents| {
                contents.images.keys().cloned().collect::<Vec<_>>()
            });
            paths.extend(
                images
                    .unwrap_or_default()
                    .iter()
                    .filter_map(|image| self.host.path(&repository, image)),
            );
        }
        paths.sort();
        let mut page: Vec<&String> = paths
            .iter()
            .filter(|path| path.as_str() > paging.last())
            .collect();
        let more = page.len() > paging.size();
        page.truncate(paging.size());
        let link = page
            .last()
            .filter(|_| more)
            .map(|last| paging.link("_catalog", last));
        Ok(with_link(
            Json(json!({ "repositories": page })).into_response(),
            link,
        ))
    }

    /// `referrers/<digest>`: signatures, attestations and the like.
    pub(super) fn referrers(&self, image: &ImageName, digest: &str) -> Answer {
        self.must_read()?;
        self.allow(image, Action::Pull)?;
        let subject: Digest = digest.parse().map_err(|_| Refused::bad_digest(digest))?;
        let wanted = self.query::<ReferrersQuery>().artifact_type;
        let fits = |stored: &Stored| {
            wanted.is_none() || stored.manifest.referrer_type() == wanted.as_deref()
        };
        let manifests =
            self.registry
                .content
                .store
                .read_image(&image.repository, &image.image, |image| {
                    let about = image
                        .referrers(subject)
                        .into_iter()
                        .filter(|(_, stored)| fits(stored));
                    about
                        .map(|(digest, stored)| descriptor(digest, stored))
                        .collect::<Vec<Value>>()
                });
        let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests.unwrap_or_default()});
        let mut response = ([(CONTENT_TYPE, INDEX)], index.to_string()).into_response();
        if wanted.is_some() {
            response.headers_mut().insert(
                FILTERS_APPLIED,
                http::HeaderValue::from_static("artifactType"),
            );
        }
        Ok(response)
    }

    /// Lets a fault make the list of a whole host as slow as it can be.
    async fn be_slow(&self) {
        let principal = self.principal();
        let is_slow = |effect: &Effect| matches!(effect, Effect::RegistrySlowCatalog { .. });
        let google = &self.registry.google;
        let struck = google.fault(&self.occasion(principal.as_deref()), is_slow);
        if let Some(Effect::RegistrySlowCatalog { milliseconds }) = struck {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    fn strikes(&self, wanted: impl Fn(&Effect) -> bool) -> bool {
        self.registry
            .google
            .fault(&self.occasion(self.principal().as_deref()), wanted)
            .is_some()
    }
}

fn descriptor(digest: Digest, stored: &Stored) -> Value {
    let manifest = &stored.manifest;
    let mut descriptor =
        json!({"mediaType": manifest.media_type, "digest": digest, "size": stored.bytes.len()});
    if let Some(artifact_type) = manifest.referrer_type() {
        descriptor["artifactType"] = json!(artifact_type);
    }
    if let Some(annotations) = &manifest.annotations {
        descriptor["annotations"] = annotations.clone();
    }
    descriptor
}

fn with_link(mut response: Response, link: Option<String>) -> Response {
    let link = link.and_then(|link| link.parse().ok());
    response.headers_mut().extend(link.map(|link| (LINK, link)));
    response
}
