//! A digest of an image repository, with all that a listing tells about it.

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::Timestamp;

use super::digest::Digest;
use super::generated::Made;
use super::manifest::{IMAGE, Manifest, Platform};

/// A manifest that was pushed.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub bytes: Bytes,
    pub manifest: Manifest,
    pub built: Option<Timestamp>,
    pub platform: Option<Platform>,
    pub uploaded: Timestamp,
    /// When it was pushed or a tag of it last moved.
    pub updated: Timestamp,
    pub tags: BTreeSet<String>,
}

/// What a listing says of a digest; Artifact Registry calls it a version of the package.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub digest: Digest,
    pub media_type: String,
    pub artifact_type: Option<String>,
    pub size: u64,
    pub built: Option<Timestamp>,
    pub uploaded: Timestamp,
    pub updated: Timestamp,
    pub tags: Vec<String>,
    /// The images of an index with what they run on; for an image itself only that.
    pub platforms: Vec<(Digest, String, Platform)>,
}

impl Stored {
    pub(super) fn version(&self, digest: Digest) -> Version {
        let indexed = self.manifest.manifests.iter().map(|entry| {
            (
                entry.digest,
                entry.media_type.clone(),
                entry.platform.clone().unwrap_or_default(),
            )
        });
        let own = self
            .platform
            .iter()
            .map(|platform| (digest, self.manifest.media_type.clone(), platform.clone()));
        Version {
            digest,
            media_type: self.manifest.media_type.clone(),
            artifact_type: self.manifest.referrer_type().map(str::to_owned),
            size: self.manifest.image_size(self.bytes.len()),
            built: self.built,
            uploaded: self.uploaded,
            updated: self.updated,
            tags: self.tags.iter().cloned().collect(),
            platforms: indexed.chain(own).collect(),
        }
    }
}

impl Made {
    pub(super) fn version(self) -> Version {
        let platform = Platform {
            architecture: "amd64".to_owned(),
            os: "linux".to_owned(),
            ..Platform::default()
        };
        Version {
            size: self.image_size(),
            digest: self.digest,
            media_type: IMAGE.to_owned(),
            artifact_type: Some("application/vnd.oci.image.config.v1+json".to_owned()),
            built: Some(self.built),
            uploaded: self.uploaded,
            updated: self.uploaded,
            tags: vec![self.tag],
            platforms: vec![(self.digest, IMAGE.to_owned(), platform)],
        }
    }
}
