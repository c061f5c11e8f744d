//! Blobs: pulled through an address that needs no credential.

use axum::response::IntoResponse as _;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{Method, StatusCode};

use super::refused::Refused;
use super::{Answer, CONTENT_DIGEST, Visit};
use crate::registry::address::ImageName;
use crate::registry::digest::Digest;

impl Visit<'_> {
    pub(super) async fn blob(&self, image: &ImageName, digest: &str) -> Answer {
        self.allow(image, self.action())?;
        let digest: Digest = digest.parse().map_err(|_| Refused::bad_digest(digest))?;
        self.registry
            .mirror_blob(&image.repository, &image.image, digest)
            .await?;
        match self.method {
            Method::GET => self.send_to_blob(image, digest),
            Method::HEAD => self.describe_blob(image, digest),
            Method::DELETE => self.delete_blob(image, digest),
            _ => Err(Refused::method_not_allowed()),
        }
    }

    /// `/artifacts-downloads/…`: what a pull was sent to.
    pub(super) fn download(&self, ticket: &str) -> Answer {
        self.must_read()?;
        let allowed = self
            .registry
            .content
            .signer
            .check(ticket, self.registry.google.now());
        let (repository, digest) =
            allowed.ok_or_else(|| Refused::denied_because("Invalid download token."))?;
        let bytes = self.registry.content.store.find_blob(&repository, digest);
        let bytes = bytes.ok_or_else(|| Refused::no_blob(&digest.to_string()))?;
        let headers = [
            (CONTENT_TYPE, "application/octet-stream".to_owned()),
            (CONTENT_DIGEST, digest.to_string()),
        ];
        Ok((headers, bytes).into_response())
    }

    fn send_to_blob(&self, image: &ImageName, digest: Digest) -> Answer {
        let found = self
            .registry
            .content
            .store
            .find_blob(&image.repository, digest);
        found.ok_or_else(|| Refused::no_blob(&digest.to_string()))?;
        let address = self.registry.content.signer.address(
            &image.repository,
            digest,
            self.registry.google.now(),
        );
        let address =
            address.ok_or_else(|| Refused::broken("failed to sign the address of the blob"))?;
        Ok((StatusCode::FOUND, [(LOCATION, address)]).into_response())
    }

    fn describe_blob(&self, image: &ImageName, digest: Digest) -> Answer {
        let found = self
            .registry
            .content
            .store
            .find_blob(&image.repository, digest);
        let bytes = found.ok_or_else(|| Refused::no_blob(&digest.to_string()))?;
        let headers = [
            (CONTENT_LENGTH, bytes.len().to_string()),
            (CONTENT_DIGEST, digest.to_string()),
        ];
        Ok(headers.into_response())
    }

    fn delete_blob(&self, image: &ImageName, digest: Digest) -> Answer {
        if self
            .registry
            .content
            .store
            .delete_blob(&image.repository, digest)
        {
            Ok(StatusCode::ACCEPTED.into_response())
        } else {
            Err(Refused::no_blob(&digest.to_string()))
        }
    }
}
