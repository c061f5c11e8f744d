//! Blobs on their way.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use rand::Rng as _;

use super::address::RepositoryName;
use super::blobs;

/// How long an upload may take.
const LIFE: SignedDuration = SignedDuration::from_hours(1);

/// The uploads that began and did not end. Whoever knows an upload's name may go on with it, as with Google's.
#[derive(Debug, Default)]
pub(super) struct Uploads {
    open: Mutex<HashMap<String, Upload>>,
}

#[derive(Debug)]
struct Upload {
    repository: RepositoryName,
    bytes: BytesMut,
    has_part: bool,
    started: Timestamp,
}

/// Why a part of a blob was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PartRefused {
    /// There is no such upload, or it was given up.
    Unknown,
    /// Artifact Registry takes a blob in one piece.
    ///
    /// Source: <https://cloud.google.com/artifact-registry/docs/docker/support-docker-api>
    Second,
    TooLarge,
}

impl Uploads {
    /// Begins an upload and gives its name.
    pub(super) fn begin(&self, repository: &RepositoryName, now: Timestamp) -> String {
        let name = hex::encode(rand::rng().random::<[u8; 24]>());
        let upload = Upload {
            repository: repository.clone(),
            bytes: BytesMut::new(),
            has_part: false,
            started: now,
        };
        let mut open = self.open.lock();
        open.retain(|_, upload| now.duration_since(upload.started) < LIFE);
        open.insert(name.clone(), upload);
        name
    }

    /// The repository that an upload is for.
    pub(super) fn repository(&self, name: &str) -> Option<RepositoryName> {
        self.open
            .lock()
            .get(name)
            .map(|upload| upload.repository.clone())
    }

    /// Takes the bytes of a `PATCH`; gives how many there are now.
    pub(super) fn add(&self, name: &str, part: &[u8]) -> Result<usize, PartRefused> {
        let mut open = self.open.lock();
        let upload = open.get_mut(name).ok_or(PartRefused::Unknown)?;
        if upload.has_part {
            return Err(PartRefused::Second);
        }
        if part.len() > blobs::LARGEST {
            return Err(PartRefused::TooLarge);
        }
        upload.has_part = true;
        upload.bytes.extend_from_slice(part);
        Ok(upload.bytes.len())
    }

    /// Ends an upload with the bytes of its last request; gives the whole blob.
    pub(super) fn end(&self, name: &str, rest: &[u8]) -> Option<Bytes> {
        let mut upload = self.open.lock().remove(name)?;
        upload.bytes.extend_from_slice(rest);
        Some(upload.bytes.freeze())
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::super::address::RepositoryName;
    use super::{PartRefused, Uploads};

    fn apps() -> RepositoryName {
        RepositoryName {
            project: "acme".to_owned(),
            location: "us".to_owned(),
            repository: "apps".to_owned(),
        }
    }

    #[test]
    fn a_blob_comes_in_one_piece() {
        let uploads = Uploads::default();
        let name = uploads.begin(&apps(), Timestamp::UNIX_EPOCH);
        assert_eq!(uploads.add(&name, b"layer"), Ok(5));
        assert_eq!(uploads.add(&name, b"more"), Err(PartRefused::Second));
        assert_eq!(uploads.end(&name, b"").unwrap().as_ref(), b"layer");
        assert_eq!(uploads.add(&name, b"layer"), Err(PartRefused::Unknown));
    }

    #[test]
    fn an_upload_that_nobody_ends_is_given_up() {
        let uploads = Uploads::default();
        let old = uploads.begin(&apps(), Timestamp::UNIX_EPOCH);
        uploads.begin(
            &apps(),
            Timestamp::UNIX_EPOCH + SignedDuration::from_mins(61),
        );
        assert_eq!(uploads.repository(&old), None);
    }
}
