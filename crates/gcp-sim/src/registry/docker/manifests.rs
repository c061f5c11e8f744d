//! Manifests by tag and by digest.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderName, Method, StatusCode};

use super::refused::Refused;
use super::{Answer, CONTENT_DIGEST, Visit, read_body};
use crate::registry::address::ImageName;
use crate::registry::digest::Digest;
use crate::registry::image::Pulled;
use crate::registry::manifest::{LARGEST, Manifest, read_config};
use crate::registry::notices::Notice;
use crate::registry::version::Stored;

/// Says that the registry knows what a manifest is about, so that clients need not keep a list themselves.
const OCI_SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

impl Visit<'_> {
    pub(super) async fn manifest(&self, image: &ImageName, reference: &str, body: Body) -> Answer {
        self.allow(image, self.action())?;
        match self.method {
            Method::GET | Method::HEAD => {
                self.registry
                    .mirror_manifest(&image.repository, &image.image, reference)
                    .await?;
                self.pull_manifest(image, reference)
            }
            Method::PUT => {
                self.push_manifest(image, reference, read_body(body).await?)
                    .await
            }
            Method::DELETE => {
                let tags = self.delete_manifest(image, reference)?;
                self.registry
                    .pass_on_deletion(&image.repository, &image.image, reference)
                    .await?;
                let digest = reference.parse().ok();
                let deleted = digest.map(|digest| Notice::Deleted { digest });
                let untagged = tags.iter().map(|tag| Notice::Untagged { tag });
                let notices: Vec<Notice<'_>> = untagged.chain(deleted).collect();
                self.registry
                    .announce(&image.repository, &image.image, &notices);
                Ok(StatusCode::ACCEPTED.into_response())
            }
            _ => Err(Refused::method_not_allowed()),
        }
    }

    fn pull_manifest(&self, image: &ImageName, reference: &str) -> Answer {
        let store = &self.registry.content.store;
        let found = store
            .read_image(&image.repository, &image.image, |image| {
                image.find(reference)
            })
            .flatten();
        found
            .map(manifest_response)
            .ok_or_else(|| Refused::no_manifest(reference))
    }

    async fn push_manifest(&self, image: &ImageName, reference: &str, bytes: Bytes) -> Answer {
        if bytes.len() > LARGEST {
            return Err(Refused::bad_manifest("the manifest is larger than 4 MiB"));
        }
        let content_type = self
            .headers
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let manifest = Manifest::parse(&bytes, content_type)
            .map_err(|error| Refused::bad_manifest(error.to_string()))?;
        let digest = Digest::of(&bytes);
        let tag = match reference.parse::<Digest>() {
            Ok(named) if named == digest => None,
            Ok(_) => return Err(Refused::bad_digest(reference)),
            Err(_) if is_tag(reference) => Some(reference),
            Err(_) => {
                return Err(Refused::bad_manifest(format!(
                    "invalid tag \"{reference}\""
                )));
            }
        };
        let subject = manifest.subject;
        let stored = self.read_content(image, manifest, bytes)?;
        let is_new = self.keep_manifest(image, digest, stored.clone(), tag)?;
        self.registry
            .pass_on(&image.repository, &image.image, reference, &stored)
            .await?;
        let pushed = is_new.then_some(Notice::Pushed { digest });
        let tagged = tag.map(|tag| Notice::Tagged { digest, tag });
        let notices: Vec<Notice<'_>> = pushed.into_iter().chain(tagged).collect();
        self.registry
            .announce(&image.repository, &image.image, &notices);
        let location = format!("/v2/{}/manifests/{digest}", image.path);
        let headers = [(LOCATION, location), (CONTENT_DIGEST, digest.to_string())];
        let mut response = (StatusCode::CREATED, headers).into_response();
        let subject = subject.and_then(|subject| subject.to_string().parse().ok());
        response
            .headers_mut()
            .extend(subject.map(|subject| (OCI_SUBJECT, subject)));
        Ok(response)
    }

    /// Makes sure of what a manifest refers to, and reads its configuration.
    fn read_content(
        &self,
        image: &ImageName,
        manifest: Manifest,
        bytes: Bytes,
    ) -> Result<Stored, Refused> {
        let store = &self.registry.content.store;
        let mut config = None;
        for blob in manifest.blobs() {
            let found = store.find_blob(&image.repository, blob.digest);
            let found = found.ok_or_else(|| Refused::missing_content(&blob.digest.to_string()))?;
            config.get_or_insert(found);
        }
        let indexed = manifest
            .manifests
            .iter()
            .map(|entry| entry.digest.to_string());
        let missing = indexed.filter(|digest| {
            let find =
                store.read_image(&image.repository, &image.image, |image| image.find(digest));
            find.flatten().is_none()
        });
        if let Some(digest) = { missing }.next() {
            return Err(Refused::missing_content(&digest));
        }
        let config = config.filter(|_| manifest.config.is_some());
        let (built, platform) = config.map_or((None, None), |config| read_config(&config));
        let now = self.registry.google.now();
        Ok(Stored {
            bytes,
            manifest,
            built,
            platform,
            uploaded: now,
            updated: now,
            tags: BTreeSet::new(),
        })
    }

    /// Stores a manifest and moves its tag; says whether it was not there before.
    fn keep_manifest(
        &self,
        image: &ImageName,
        digest: Digest,
        stored: Stored,
        tag: Option<&str>,
    ) -> Result<bool, Refused> {
        let immutable = self.registry.has_immutable_tags(&image.repository);
        self.registry
            .content
            .store
            .write_image(&image.repository, &image.image, |content| {
                let taken = tag.filter(|tag| {
                    content
                        .find_tag(tag)
                        .is_some_and(|held| immutable && held != digest)
                });
                if let Some(tag) = taken {
                    return Err(Refused::immutable(tag));
                }
                let is_new = content.find_version(digest).is_none();
                content.push(digest, stored, tag);
                Ok(is_new)
            })
    }

    /// Deletes a tag, or a manifest with its tags; gives the tags that are gone.
    fn delete_manifest(
        &self,
        image: &ImageName,
        reference: &str,
    ) -> Result<BTreeSet<String>, Refused> {
        let (now, immutable) = (
            self.registry.google.now(),
            self.registry.has_immutable_tags(&image.repository),
        );
        let deleted = self.registry.content.store.write_image(
            &image.repository,
            &image.image,
            |content| {
                let digest = reference.parse::<Digest>().ok();
                let version = digest.and_then(|digest| content.find_version(digest));
                let tags: BTreeSet<String> = match digest {
                    Some(_) => version
                        .map(|version| version.tags.into_iter().collect())
                        .unwrap_or_default(),
                    None => content
                        .find_tag(reference)
                        .map(|_| reference.to_owned())
                        .into_iter()
                        .collect(),
                };
                if let Some(tag) = tags.first().filter(|_| immutable) {
                    return Err(Refused::undeletable(tag));
                }
                let deleted = match digest {
                    Some(digest) => content.delete(digest),
                    None => content.delete_tag(reference, now),
                };
                Ok(deleted.then_some(tags))
            },
        )?;
        deleted.ok_or_else(|| Refused::no_manifest(reference))
    }
}

fn manifest_response(pulled: Pulled) -> Response {
    let headers = [
        (CONTENT_TYPE, pulled.media_type),
        (CONTENT_DIGEST, pulled.digest.to_string()),
    ];
    (headers, pulled.bytes).into_response()
}

/// Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>
fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let (first, rest) = (text.bytes().next(), text.bytes().skip(1));
    text.len() <= 128 && first.is_some_and(is_word) && { rest }
        .all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::is_tag;

    #[test]
    fn a_tag_is_a_short_word() {
        assert!(
            ["v1.2.3", "latest", "_x", &"a".repeat(128)]
                .into_iter()
                .all(is_tag)
        );
        assert!(
            !["", ".x", "-x", "a b", "a:b", &"a".repeat(129)]
                .into_iter()
                .any(is_tag)
        );
    }
}
