//! Blobs on their way in: `POST`, at most one `PATCH`, `PUT`.
//!
//! An upload begins at the repository and goes on at `/artifacts-uploads/…`; after the `PATCH` it is back below `/v2/`,
//! where the image is called `pkg`. Its name is all that it takes to go on.

use axum::body::Body;
use axum::response::IntoResponse as _;
use bytes::Bytes;
use http::header::{HeaderName, LOCATION, RANGE};
use http::{Method, StatusCode};
use serde::Deserialize;

use super::refused::{Action, Refused};
use super::{Answer, CONTENT_DIGEST, Visit, read_body};
use crate::registry::address::{ImageName, NO_IMAGE, RepositoryName};
use crate::registry::digest::Digest;
use crate::registry::uploads::PartRefused;

const UPLOAD_UUID: HeaderName = HeaderName::from_static("docker-upload-uuid");

/// What a client asks for when it begins or ends an upload.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct UploadQuery {
    digest: Option<String>,
    mount: Option<String>,
    from: Option<String>,
}

impl Visit<'_> {
    /// `POST …/blobs/uploads/`: begins, or is done at once where the blob came along or lies in another repository.
    pub(super) async fn begin_upload(&self, image: &ImageName, body: Body) -> Answer {
        if self.method != Method::POST {
            return Err(Refused::method_not_allowed());
        }
        self.allow(image, Action::Push)?;
        let query: UploadQuery = self.query();
        if let Some(digest) = &query.digest {
            return self.keep_blob(
                &image.repository,
                &image.path,
                digest,
                read_body(body).await?,
            );
        }
        if let Some(mounted) = self.mount(image, &query)? {
            return Ok(mounted);
        }
        let name = self
            .registry
            .content
            .uploads
            .begin(&image.repository, self.registry.google.now());
        let RepositoryName {
            project,
            repository,
            ..
        } = &image.repository;
        let address = format!(
            "/artifacts-uploads/namespaces/{project}/repositories/{repository}/uploads/{name}"
        );
        let headers = [
            (LOCATION, address),
            (RANGE, "0-0".to_owned()),
            (UPLOAD_UUID, name),
        ];
        Ok((StatusCode::ACCEPTED, headers).into_response())
    }

    /// What follows a beginning.
    pub(super) async fn go_on(&self, upload: &str, body: Body) -> Answer {
        let uploads = &self.registry.content.uploads;
        let repository = uploads.repository(upload).ok_or_else(Refused::no_upload)?;
        let path = self.host.path(&repository, NO_IMAGE).unwrap_or_default();
        match self.method {
            Method::PATCH => {
                let length = uploads
                    .add(upload, &read_body(body).await?)
                    .map_err(refuse_part)?;
                let headers = [
                    (LOCATION, format!("/v2/{path}/blobs/uploads/{upload}")),
                    (RANGE, format!("0-{}", length.saturating_sub(1))),
                    (UPLOAD_UUID, upload.to_owned()),
                ];
                Ok((StatusCode::ACCEPTED, headers).into_response())
            }
            Method::PUT => {
                let digest = self.query::<UploadQuery>().digest;
                let digest = digest.ok_or_else(|| Refused::bad_digest(""))?;
                let rest = read_body(body).await?;
                let bytes = uploads.end(upload, &rest).ok_or_else(Refused::no_upload)?;
                self.keep_blob(&repository, &path, &digest, bytes)
            }
            Method::DELETE => {
                uploads.end(upload, &[]);
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            _ => Err(Refused::method_not_allowed()),
        }
    }

    /// Takes a blob over from a repository that the caller may pull from; `None` if that cannot be.
    fn mount(
        &self,
        image: &ImageName,
        query: &UploadQuery,
    ) -> Result<Option<axum::response::Response>, Refused> {
        let (Some(digest), Some(from)) = (&query.mount, &query.from) else {
            return Ok(None);
        };
        let digest: Digest = digest.parse().map_err(|_| Refused::bad_digest(digest))?;
        let from = self.image(from)?.repository;
        if !self.may_pull(&from) {
            return Ok(None);
        }
        let Some(bytes) = self.registry.content.store.find_blob(&from, digest) else {
            return Ok(None);
        };
        self.keep_blob(&image.repository, &image.path, &digest.to_string(), bytes)
            .map(Some)
    }

    fn keep_blob(
        &self,
        repository: &RepositoryName,
        path: &str,
        digest: &str,
        bytes: Bytes,
    ) -> Answer {
        if digest.parse().ok() != Some(Digest::of(&bytes)) {
            return Err(Refused::bad_digest(digest));
        }
        let digest = self.registry.content.store.put_blob(repository, bytes);
        let headers = [
            (LOCATION, format!("/v2/{path}/blobs/{digest}")),
            (CONTENT_DIGEST, digest.to_string()),
        ];
        Ok((StatusCode::CREATED, headers).into_response())
    }
}

fn refuse_part(refused: PartRefused) -> Refused {
    match refused {
        PartRefused::Unknown => Refused::no_upload(),
        PartRefused::Second => Refused::bad_upload("chunked uploads are not supported"),
        PartRefused::TooLarge => Refused::bad_upload("the blob is larger than 1 GiB"),
    }
}
