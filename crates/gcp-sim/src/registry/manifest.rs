//! What a manifest says: enough of it to list an image without reading anything else.
//!
//! Source: <https://github.com/opencontainers/image-spec/blob/main/manifest.md>

use jiff::Timestamp;
use serde::Deserialize;

use super::digest::Digest;

/// The largest manifest that is taken.
///
/// Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-manifests>
pub(super) const LARGEST: usize = 4 * 1024 * 1024;

/// The media type of an image index, which is how the Referrers API answers.
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The media type of an image's manifest.
pub(super) const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";

/// A manifest or an index, read once when it was pushed.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub media_type: String,
    pub artifact_type: Option<String>,
    pub config: Option<Descriptor>,
    pub layers: Vec<Descriptor>,
    /// The manifests of an index.
    pub manifests: Vec<Descriptor>,
    /// The manifest that this one is about.
    pub subject: Option<Digest>,
    /// As they stand in the manifest.
    pub annotations: Option<serde_json::Value>,
}

/// A reference to content.
#[derive(Debug, Clone)]
pub(super) struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    pub platform: Option<Platform>,
}

/// What an image of an index runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(super) struct Platform {
    pub architecture: String,
    pub os: String,
    pub variant: Option<String>,
    #[serde(rename = "os.version")]
    pub os_version: Option<String>,
    #[serde(rename = "os.features")]
    pub os_features: Vec<String>,
}

/// Why bytes are no manifest.
#[derive(Debug, thiserror::Error)]
pub(super) enum ManifestError {
    #[error("failed to read the manifest")]
    Json(#[source] serde_json::Error),
    #[error("invalid digest in the manifest: {0}")]
    Digest(String),
    #[error("the manifest has no media type")]
    NoMediaType,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<WrittenDescriptor>,
    #[serde(default)]
    layers: Vec<WrittenDescriptor>,
    #[serde(default)]
    manifests: Vec<WrittenDescriptor>,
    subject: Option<WrittenDescriptor>,
    annotations: Option<serde_json::Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WrittenDescriptor {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    size: u64,
    platform: Option<Platform>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    created: Option<Timestamp>,
    #[serde(flatten)]
    platform: Platform,
}

impl Manifest {
    /// Reads a manifest that was sent with `content_type`, which counts where the manifest names no media type itself.
    ///
    /// # Errors
    /// When it is not JSON, refers to something by no SHA-256 digest, or has no media type at all.
    pub(super) fn parse(bytes: &[u8], content_type: Option<&str>) -> Result<Self, ManifestError> {
        let written: Written = serde_json::from_slice(bytes).map_err(ManifestError::Json)?;
        Ok(Self {
            media_type: written
                .media_type
                .or_else(|| content_type.map(str::to_owned))
                .ok_or(ManifestError::NoMediaType)?,
            artifact_type: written.artifact_type,
            config: written.config.map(WrittenDescriptor::read).transpose()?,
            layers: read_all(written.layers)?,
            manifests: read_all(written.manifests)?,
            subject: written
                .subject
                .map(WrittenDescriptor::read)
                .transpose()?
                .map(|subject| subject.digest),
            annotations: written.annotations,
        })
    }

    /// What `imageSizeBytes` says: layers and configuration.
    ///
    /// For an index it is the index itself, which is an assumption.
    pub(super) fn image_size(&self, own: usize) -> u64 {
        if !self.manifests.is_empty() {
            return own as u64;
        }
        self.blobs().map(|blob| blob.size).sum()
    }

    /// The blobs that must have been pushed before.
    pub(super) fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers)
    }

    /// What kind of artifact it is, as the Referrers API filters: its own type, else that of its configuration.
    pub(super) fn referrer_type(&self) -> Option<&str> {
        let config = || {
            self.config
                .as_ref()
                .map(|config| config.media_type.as_str())
        };
        self.artifact_type.as_deref().or_else(config)
    }
}

/// Reads when an image was built and what it runs on; both may be missing, and anything may be in a configuration.
pub(super) fn read_config(bytes: &[u8]) -> (Option<Timestamp>, Option<Platform>) {
    let config: Config = serde_json::from_slice(bytes).unwrap_or_default();
    let platform = (!config.platform.os.is_empty()).then_some(config.platform);
    (config.created, platform)
}

fn read_all(written: Vec<WrittenDescriptor>) -> Result<Vec<Descriptor>, ManifestError> {
    written.into_iter().map(WrittenDescriptor::read).collect()
}

impl WrittenDescriptor {
    fn read(self) -> Result<Descriptor, ManifestError> {
        Ok(Descriptor {
            digest: self
                .digest
                .parse()
                .map_err(|_| ManifestError::Digest(self.digest))?,
            media_type: self.media_type,
            size: self.size,
            platform: self.platform,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::digest::Digest;
    use super::{IMAGE, INDEX, Manifest, ManifestError, read_config};

    #[test]
    fn an_image_is_as_large_as_its_layers_and_its_configuration() {
        let digest = Digest::of(b"x").to_string();
        let text = json!({"config": {"digest": digest, "size": 7}, "layers": [{"digest": digest, "size": 100}, {"digest": digest, "size": 30}]});
        let manifest = Manifest::parse(text.to_string().as_bytes(), Some(IMAGE)).unwrap();
        assert_eq!(manifest.image_size(9999), 137);
        assert_eq!(manifest.media_type, IMAGE);
    }

    #[test]
    fn an_index_tells_platforms() {
        let text = json!({"mediaType": INDEX, "manifests": [{"mediaType": IMAGE, "digest": Digest::of(b"x").to_string(), "size": 9,
            "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}}]});
        let manifest = Manifest::parse(text.to_string().as_bytes(), None).unwrap();
        let platform = manifest.manifests[0].platform.clone().unwrap();
        assert_eq!(
            (platform.os.as_str(), platform.variant.as_deref()),
            ("linux", Some("v7"))
        );
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        assert!(matches!(
            Manifest::parse(b"[", None),
            Err(ManifestError::Json(_))
        ));
        assert!(matches!(
            Manifest::parse(b"{}", None),
            Err(ManifestError::NoMediaType)
        ));
        let text = json!({"mediaType": IMAGE, "layers": [{"digest": "md5:0"}]}).to_string();
        assert!(matches!(
            Manifest::parse(text.as_bytes(), None),
            Err(ManifestError::Digest(_))
        ));
    }

    #[test]
    fn a_configuration_may_be_anything() {
        assert_eq!(read_config(b"not json"), (None, None));
        let (created, platform) = read_config(
            br#"{"created":"2026-01-01T00:00:00Z","os":"linux","architecture":"amd64"}"#,
        );
        assert_eq!(created.unwrap().as_second(), 1_767_225_600);
        assert_eq!(platform.unwrap().architecture, "amd64");
    }
}
