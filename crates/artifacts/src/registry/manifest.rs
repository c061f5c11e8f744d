//! Manifests, indexes and configs: what a tag or digest stands for.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{HeaderValue, Method, StatusCode};
use moka::future::Cache;
use serde::Deserialize;
use sha2::{Digest as _, Sha256, Sha512};

use super::error::refused;
use super::{Client, Error, Problem, Repository};
use crate::sender::{Answer, Call};

pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
                        application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// Most bytes of a manifest, a config and an error.
const MANIFEST_BOUND: usize = 4 << 20;
const CONFIG_BOUND: usize = 8 << 20;
pub(crate) const ERROR_BOUND: usize = 64 << 10;
/// Most bytes of manifests and configs that one client remembers.
const MEMORY_BOUND: u64 = 4 << 20;
/// Most tags whose digest one client remembers.
const TAGS_BOUND: u64 = 10_000;

/// Remembers what was shown to one credential.
#[derive(Debug)]
pub(crate) struct Memory {
    /// Manifests and configs by their digests: they can never change.
    bodies: Cache<(Repository, String), Bytes>,
    /// The digest each tag had when it was last seen: worth asking whether it still has.
    tags: Cache<(Repository, String), String>,
}

impl Default for Memory {
    fn default() -> Self {
        let weight = |(repository, digest): &(Repository, String), body: &Bytes| {
            let bytes = repository.path.len() + digest.len() + body.len() + 200;
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            bodies: Cache::builder()
                .max_capacity(MEMORY_BOUND)
                .weigher(weight)
                .build(),
            tags: Cache::new(TAGS_BOUND),
        }
    }
}

/// Holds what a manifest's digest stands for.
#[derive(Debug, Clone)]
pub enum Manifest {
    /// One image.
    Single(Single),
    /// Images for several platforms.
    Index(Index),
}

/// Describes one image by what it is made of.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Single {
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub config: Descriptor,
}

/// Lists the images of several platforms, attestations and other attachments included.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub manifests: Vec<Descriptor>,
}

/// Points at a manifest or a blob.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: String,
    #[serde(default)]
    pub platform: Option<Platform>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Names what an image runs on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Platform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub variant: String,
}

/// Holds what we read of an image's config.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub created: Option<String>,
    #[serde(flatten)]
    pub platform: Platform,
    #[serde(default)]
    pub config: Option<Labels>,
}

/// Holds the labels of an image's config.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Labels {
    #[serde(default, rename = "Labels")]
    pub labels: Option<BTreeMap<String, String>>,
}

/// Says that content is not what its digest says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    #[error("{text:?} is not a digest")]
    Malformed { text: String },
    #[error("the content is {found}, not {expected}")]
    Mismatch { expected: String, found: String },
}

impl Client {
    /// Asks which digest a tag stands for, with one HEAD; none where the registry does not say or has no such tag.
    pub async fn digest(
        &self,
        repository: &Repository,
        tag: &str,
    ) -> Result<Option<String>, Error> {
        let url = self.url(repository, &format!("manifests/{tag}")).await;
        let call = Call {
            method: Method::HEAD,
            ..Call::get(url, ERROR_BOUND).header(ACCEPT, HeaderValue::from_static(ACCEPTED))
        };
        let answer = self.send(repository, call.clone()).await?;
        if answer.status == StatusCode::NOT_FOUND || answer.status == StatusCode::METHOD_NOT_ALLOWED
        {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(Error::new(
                repository,
                &call,
                refused(&answer, self.login.is_some()),
            ));
        }
        Ok(answer
            .header(DIGEST)
            .filter(|digest| check_digest(digest).is_ok())
            .map(str::to_owned))
    }

    /// Fetches the manifest of a tag, and its digest.
    pub async fn manifest_of_tag(
        &self,
        repository: &Repository,
        tag: &str,
    ) -> Result<(String, Manifest), Error> {
        // What was shown to this very credential may be remembered; the HEAD proves that it still may see the tag.
        let key = (repository.clone(), tag.to_owned());
        if self.memory.tags.contains_key(&key)
            && let Some(digest) = self.digest(repository, tag).await?
            && let Some(body) = self
                .memory
                .bodies
                .get(&(repository.clone(), digest.clone()))
                .await
            && let Ok(manifest) = parse(&body, "")
        {
            return Ok((digest, manifest));
        }
        let (digest, manifest) = self.fetch_manifest(repository, tag).await?;
        self.memory.tags.insert(key, digest.clone()).await;
        Ok((digest, manifest))
    }

    /// Fetches the manifest of a digest, or remembers it.
    pub async fn manifest_of_digest(
        &self,
        repository: &Repository,
        digest: &str,
    ) -> Result<Manifest, Error> {
        let remembered = self
            .memory
            .bodies
            .get(&(repository.clone(), digest.to_owned()))
            .await;
        if let Some(manifest) = remembered.and_then(|body| parse(&body, "").ok()) {
            return Ok(manifest);
        }
        Ok(self.fetch_manifest(repository, digest).await?.1)
    }

    async fn fetch_manifest(
        &self,
        repository: &Repository,
        reference: &str,
    ) -> Result<(String, Manifest), Error> {
        let url = self
            .url(repository, &format!("manifests/{reference}"))
            .await;
        let call =
            Call::get(url, MANIFEST_BOUND).header(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let fail = |problem| Error::new(repository, &call, problem);
        let is_digest = reference.contains(':');
        if is_digest {
            check_digest(reference).map_err(|error| fail(error.into()))?;
        }
        let answer = self.send(repository, call.clone()).await?;
        if !answer.status.is_success() {
            return Err(fail(refused(&answer, self.login.is_some())));
        }
        let expected = if is_digest {
            Some(reference)
        } else {
            answer.header(DIGEST)
        };
        let digest = verify(&answer.body, expected).map_err(|error| fail(error.into()))?;
        let manifest = parse(&answer.body, content_type(&answer)).map_err(fail)?;
        self.memory
            .bodies
            .insert((repository.clone(), digest.clone()), answer.body)
            .await;
        Ok((digest, manifest))
    }

    /// Fetches the config of an image, or remembers it.
    pub async fn config(&self, repository: &Repository, digest: &str) -> Result<Config, Error> {
        let url = self.url(repository, &format!("blobs/{digest}")).await;
        let call = Call::get(url, CONFIG_BOUND);
        let fail = |problem| Error::new(repository, &call, problem);
        check_digest(digest).map_err(|error| fail(error.into()))?;
        let key = (repository.clone(), digest.to_owned());
        let read = |body: &Bytes| {
            serde_json::from_slice(body).map_err(|source| Problem::Malformed {
                what: "an image's config",
                source,
            })
        };
        if let Some(config) = self
            .memory
            .bodies
            .get(&key)
            .await
            .and_then(|body| read(&body).ok())
        {
            return Ok(config);
        }
        let answer = self.send(repository, call.clone()).await?;
        if !answer.status.is_success() {
            return Err(fail(refused(&answer, self.login.is_some())));
        }
        verify(&answer.body, Some(digest)).map_err(|error| fail(error.into()))?;
        let config = read(&answer.body).map_err(fail)?;
        self.memory.bodies.insert(key, answer.body).await;
        Ok(config)
    }
}

const DIGEST: &str = "docker-content-digest";

fn content_type(answer: &Answer) -> &str {
    answer
        .header(http::header::CONTENT_TYPE)
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
}

/// Reads a manifest by the media type it names, else by that of the answer, else by its shape.
fn parse(body: &[u8], content_type: &str) -> Result<Manifest, Problem> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Outline {
        #[serde(default)]
        media_type: Option<String>,
        #[serde(default)]
        manifests: Option<serde::de::IgnoredAny>,
        #[serde(default)]
        config: Option<serde::de::IgnoredAny>,
    }
    let malformed = |source| Problem::Malformed {
        what: "a manifest",
        source,
    };
    let outline: Outline = serde_json::from_slice(body).map_err(malformed)?;
    let own = outline.media_type.filter(|it| !it.is_empty());
    let shape = match (&outline.manifests, &outline.config) {
        (Some(_), None) => OCI_INDEX,
        (None, Some(_)) => OCI_MANIFEST,
        _ => "",
    };
    // A remembered body comes without its header; a generic type says nothing.
    let sent = Some(content_type).filter(|it| {
        !matches!(
            *it,
            "" | "application/json" | "text/plain" | "application/octet-stream"
        )
    });
    match own.as_deref().or(sent).unwrap_or(shape) {
        OCI_INDEX | DOCKER_LIST => serde_json::from_slice(body)
            .map(Manifest::Index)
            .map_err(malformed),
        OCI_MANIFEST | DOCKER_MANIFEST => serde_json::from_slice(body)
            .map(Manifest::Single)
            .map_err(malformed),
        other => Err(Problem::MediaType {
            media_type: other.chars().take(100).collect(),
        }),
    }
}

/// Checks the form of a digest, so that it can be part of a URL.
fn check_digest(digest: &str) -> Result<(), DigestError> {
    let length = match digest.split_once(':') {
        Some(("sha256", _)) => 7 + 64,
        Some(("sha512", _)) => 7 + 128,
        Some(_) | None => 0,
    };
    let fits = digest.len() == length
        && digest[7..]
            .bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    if fits {
        Ok(())
    } else {
        Err(DigestError::Malformed {
            text: digest.chars().take(100).collect(),
        })
    }
}

/// Computes the digest of `body`, by the algorithm of the one it should have.
fn verify(body: &[u8], expected: Option<&str>) -> Result<String, DigestError> {
    let Some(expected) = expected else {
        return Ok(format!("sha256:{}", hex::encode(Sha256::digest(body))));
    };
    check_digest(expected)?;
    let found = if expected.starts_with("sha512:") {
        format!("sha512:{}", hex::encode(Sha512::digest(body)))
    } else {
        format!("sha256:{}", hex::encode(Sha256::digest(body)))
    };
    if found == expected {
        Ok(found)
    } else {
        Err(DigestError::Mismatch {
            expected: expected.to_owned(),
            found,
        })
    }
}
