//! Repositories whose content lies in another registry: what is asked for is fetched first, what is pushed is passed on.
//!
//! Times of upload are of what was pushed through here; of everything else, when it was first seen.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::Registry;
use super::address::RepositoryName;
use super::backend::{Backend, BackendError};
use super::digest::Digest;
use super::manifest::{Manifest, read_config};
use super::version::Stored;

impl Registry {
    /// Fetches a manifest that the repository's registry has; forgets a tag that it has no longer.
    pub(super) async fn mirror_manifest(
        &self,
        name: &RepositoryName,
        image: &str,
        reference: &str,
    ) -> Result<(), BackendError> {
        match self.backend(name)? {
            Some(backend) => self.mirror_from(&backend, name, image, reference).await,
            None => Ok(()),
        }
    }

    /// Fetches a blob.
    pub(super) async fn mirror_blob(
        &self,
        name: &RepositoryName,
        image: &str,
        digest: Digest,
    ) -> Result<(), BackendError> {
        let Some(backend) = self.backend(name)? else {
            return Ok(());
        };
        if self.content.store.find_blob(name, digest).is_none()
            && let Some(bytes) = backend.fetch_blob(image, digest).await?
        {
            self.content.store.put_blob(name, bytes);
        }
        Ok(())
    }

    /// Fetches what all tags of an image point to.
    pub(super) async fn mirror_tags(
        &self,
        name: &RepositoryName,
        image: &str,
    ) -> Result<(), BackendError> {
        let Some(backend) = self.backend(name)? else {
            return Ok(());
        };
        let held = self.content.store.read_image(name, image, |image| {
            image.tag_names().collect::<BTreeSet<_>>()
        });
        let mut tags = held.unwrap_or_default();
        tags.extend(backend.list_tags(image).await?);
        for tag in tags {
            self.mirror_from(&backend, name, image, &tag).await?;
        }
        Ok(())
    }

    /// Fetches what all tags of all images of a repository point to.
    pub(super) async fn mirror_all(&self, name: &RepositoryName) -> Result<(), BackendError> {
        let Some(backend) = self.backend(name)? else {
            return Ok(());
        };
        for image in backend.list_images().await? {
            self.mirror_tags(name, &image).await?;
        }
        Ok(())
    }

    /// Passes a manifest on with the blobs it refers to.
    pub(super) async fn pass_on(
        &self,
        name: &RepositoryName,
        image: &str,
        reference: &str,
        stored: &Stored,
    ) -> Result<(), BackendError> {
        let Some(backend) = self.backend(name)? else {
            return Ok(());
        };
        for blob in stored.manifest.blobs() {
            if let Some(bytes) = self.content.store.find_blob(name, blob.digest) {
                backend.push_blob(image, blob.digest, bytes).await?;
            }
        }
        backend
            .push_manifest(
                image,
                reference,
                &stored.manifest.media_type,
                stored.bytes.clone(),
            )
            .await
    }

    /// Deletes a manifest there too.
    pub(super) async fn pass_on_deletion(
        &self,
        name: &RepositoryName,
        image: &str,
        reference: &str,
    ) -> Result<(), BackendError> {
        match self.backend(name)? {
            Some(backend) => backend.delete_manifest(image, reference).await,
            None => Ok(()),
        }
    }

    pub(super) fn backend(&self, name: &RepositoryName) -> Result<Option<Backend>, BackendError> {
        let url = self
            .repository(name, |repository| repository.backend.clone())
            .flatten();
        url.map(|url| Backend::new(&url)).transpose()
    }

    async fn mirror_from(
        &self,
        backend: &Backend,
        name: &RepositoryName,
        image: &str,
        reference: &str,
    ) -> Result<(), BackendError> {
        let Some((bytes, media_type)) = backend.fetch_manifest(image, reference).await? else {
            let now = self.google.now();
            self.content
                .store
                .write_image(name, image, |image| image.delete_tag(reference, now));
            return Ok(());
        };
        let digest = Digest::of(&bytes);
        let tag = reference.parse::<Digest>().is_err().then_some(reference);
        let held = self
            .content
            .store
            .read_image(name, image, |image| image.find_version(digest))
            .flatten();
        let is_up_to_date =
            held.is_some_and(|held| tag.is_none_or(|tag| held.tags.iter().any(|held| held == tag)));
        if is_up_to_date {
            return Ok(());
        }
        if let Some(stored) = self
            .read_mirrored(backend, name, image, bytes, &media_type)
            .await?
        {
            self.content
                .store
                .write_image(name, image, |image| image.push(digest, stored, tag));
        }
        Ok(())
    }

    /// Reads a manifest of the other registry; what the simulator cannot read counts as not there.
    async fn read_mirrored(
        &self,
        backend: &Backend,
        name: &RepositoryName,
        image: &str,
        bytes: Bytes,
        media_type: &str,
    ) -> Result<Option<Stored>, BackendError> {
        let Ok(manifest) = Manifest::parse(&bytes, Some(media_type)) else {
            return Ok(None);
        };
        let config = match &manifest.config {
            Some(config) => backend.fetch_blob(image, config.digest).await?,
            None => None,
        };
        let (built, platform) = config
            .as_ref()
            .map_or((None, None), |config| read_config(config));
        if let Some(config) = config {
            self.content.store.put_blob(name, config);
        }
        let now = self.google.now();
        Ok(Some(Stored {
            bytes,
            manifest,
            built,
            platform,
            uploaded: now,
            updated: now,
            tags: BTreeSet::new(),
        }))
    }
}
