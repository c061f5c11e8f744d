//! Fetches manifests and configs, and remembers them for the credential that was shown them.

use http::header::ACCEPT;
use http::{HeaderValue, Method, StatusCode};
use moka::future::Cache;

use super::manifest::{Config, Manifest, check_digest, parse, verify};
use super::{Error, Problem, Reader, Repository};
use crate::sender::{Answer, Call};

const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, \
                        application/vnd.docker.distribution.manifest.list.v2+json, \
                        application/vnd.oci.image.manifest.v1+json, \
                        application/vnd.docker.distribution.manifest.v2+json";
const DIGEST: &str = "docker-content-digest";

/// Most bytes of a manifest, a config and an error.
const MANIFEST_BOUND: usize = 4 << 20;
const CONFIG_BOUND: usize = 8 << 20;
pub(super) const ERROR_BOUND: usize = 64 << 10;
/// Most bytes that one client remembers, and most tags whose digest it remembers.
const MEMORY_BOUND: u64 = 2 << 20;
const TAGS_BOUND: u64 = 10_000;

/// Remembers what was shown to one credential.
#[derive(Debug)]
pub(super) struct Memory {
    /// What digests stand for: it can never change.
    known: Cache<(Repository, String), Known>,
    /// The digest each tag had when it was last seen: worth asking whether it still has.
    tags: Cache<(Repository, String), String>,
}

/// Holds what we read of a manifest or config.
#[derive(Debug, Clone)]
enum Known {
    Manifest(Manifest),
    Config(Config),
}

impl Default for Memory {
    fn default() -> Self {
        let weight = |(repository, digest): &(Repository, String), known: &Known| {
            let bytes = repository.path.len() + digest.len() + known.bytes();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self {
            known: Cache::builder()
                .max_capacity(MEMORY_BOUND)
                .weigher(weight)
                .build(),
            tags: Cache::new(TAGS_BOUND),
        }
    }
}

impl Known {
    /// Estimates the memory it takes.
    fn bytes(&self) -> usize {
        let text = |map: &std::collections::BTreeMap<String, String>| {
            map.iter()
                .map(|(key, value)| key.len() + value.len() + 64)
                .sum::<usize>()
        };
        500 + match self {
            Self::Config(_) => 0,
            Self::Manifest(Manifest::Single(single)) => text(&single.annotations),
            Self::Manifest(Manifest::Index(index)) => {
                let children = index
                    .manifests
                    .iter()
                    .map(|child| 400 + text(&child.annotations));
                text(&index.annotations) + children.sum::<usize>()
            }
        }
    }
}

impl Reader<'_> {
    /// Asks which digest a tag stands for, with one HEAD; none where the registry does not say or has no such tag.
    pub async fn digest(&self, tag: &str) -> Result<Option<String>, Error> {
        let url = self.url(&format!("manifests/{tag}")).await;
        let call = Call {
            method: Method::HEAD,
            ..Call::get(url, ERROR_BOUND, self.cost)
                .header(ACCEPT, HeaderValue::from_static(ACCEPTED))
        };
        let answer = self.send(call.clone()).await?;
        if answer.status == StatusCode::NOT_FOUND || answer.status == StatusCode::METHOD_NOT_ALLOWED
        {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(Error::new(self.repository, &call, self.refused(&answer)));
        }
        Ok(answer
            .header(DIGEST)
            .filter(|digest| check_digest(digest).is_ok())
            .map(str::to_owned))
    }

    /// Fetches the manifest of a tag, and its digest.
    pub async fn manifest_of_tag(&self, tag: &str) -> Result<(String, Manifest), Error> {
        // What was shown to this very credential may be remembered; the HEAD proves that it still may see the tag.
        let key = (self.repository.clone(), tag.to_owned());
        if self.client.memory.tags.contains_key(&key)
            && let Some(digest) = self.digest(tag).await?
            && let Some(manifest) = self.known_manifest(&digest).await
        {
            return Ok((digest, manifest));
        }
        let (digest, manifest) = self.fetch_manifest(tag).await?;
        self.client.memory.tags.insert(key, digest.clone()).await;
        Ok((digest, manifest))
    }

    /// Fetches the manifest of a digest, or remembers it.
    pub async fn manifest_of_digest(&self, digest: &str) -> Result<Manifest, Error> {
        if let Some(manifest) = self.known_manifest(digest).await {
            return Ok(manifest);
        }
        Ok(self.fetch_manifest(digest).await?.1)
    }

    async fn known_manifest(&self, digest: &str) -> Option<Manifest> {
        let key = (self.repository.clone(), digest.to_owned());
        match self.client.memory.known.get(&key).await? {
            Known::Manifest(manifest) => {
                self.cost.remembered();
                Some(manifest)
            }
            Known::Config(_) => None,
        }
    }

    async fn fetch_manifest(&self, reference: &str) -> Result<(String, Manifest), Error> {
        let url = self.url(&format!("manifests/{reference}")).await;
        let call = Call::get(url, MANIFEST_BOUND, self.cost)
            .header(ACCEPT, HeaderValue::from_static(ACCEPTED));
        let fail = |problem| Error::new(self.repository, &call, problem);
        let is_digest = reference.contains(':');
        if is_digest {
            check_digest(reference).map_err(|error| fail(error.into()))?;
        }
        let answer = self.send(call.clone()).await?;
        if !answer.status.is_success() {
            return Err(fail(self.refused(&answer)));
        }
        let expected = if is_digest {
            Some(reference)
        } else {
            answer.header(DIGEST)
        };
        let digest = verify(&answer.body, expected).map_err(|error| fail(error.into()))?;
        let manifest = parse(&answer.body, content_type(&answer)).map_err(fail)?;
        let known = Known::Manifest(manifest.clone());
        let key = (self.repository.clone(), digest.clone());
        self.client.memory.known.insert(key, known).await;
        Ok((digest, manifest))
    }

    /// Fetches the config of an image, or remembers it.
    pub async fn config(&self, digest: &str) -> Result<Config, Error> {
        let url = self.url(&format!("blobs/{digest}")).await;
        let call = Call::get(url, CONFIG_BOUND, self.cost);
        let fail = |problem| Error::new(self.repository, &call, problem);
        check_digest(digest).map_err(|error| fail(error.into()))?;
        let key = (self.repository.clone(), digest.to_owned());
        if let Some(Known::Config(config)) = self.client.memory.known.get(&key).await {
            self.cost.remembered();
            return Ok(config);
        }
        let answer = self.send(call.clone()).await?;
        if !answer.status.is_success() {
            return Err(fail(self.refused(&answer)));
        }
        verify(&answer.body, Some(digest)).map_err(|error| fail(error.into()))?;
        let config: Config = serde_json::from_slice(&answer.body).map_err(|source| {
            let what = "an image's config";
            fail(Problem::Malformed { what, source })
        })?;
        let known = Known::Config(config.clone());
        self.client.memory.known.insert(key, known).await;
        Ok(config)
    }
}

fn content_type(answer: &Answer) -> &str {
    answer
        .header(http::header::CONTENT_TYPE)
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
}
