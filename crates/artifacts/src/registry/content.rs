//! Fetches manifests and configs, and remembers them for the credential that was shown them.

use std::sync::Arc;

use http::header::{ACCEPT, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, StatusCode};

use super::manifest::{Config, Manifest, check_digest, parse, verify};
use super::memory::{Ask, Tag};
use super::{Error, Problem, Reader};
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
/// Longest `ETag` that is worth keeping.
const ETAG_BOUND: usize = 256;

/// A manifest, and what came with it.
struct Fetched {
    digest: String,
    manifest: Manifest,
    /// Whether the answer named the digest, as that to a HEAD does then.
    is_named: bool,
    etag: Option<String>,
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

    /// Finds the manifest of a tag, and its digest.
    ///
    /// A tag that is known costs one request, and none where tags are [trusted](Self::trusting_tags) and the registry has
    /// let the caller in; one that is new costs one, one that has moved two at most.
    pub async fn manifest_of_tag(&self, tag: &str) -> Result<(String, Manifest), Error> {
        let Some(known) = self.unproved_memory().tag(tag).await else {
            return self.fetch_tag(tag, None, Ask::Head).await;
        };
        if self.trusts_tags()
            && let Some(manifest) = self.known_manifest(&known.digest).await
        {
            return Ok((known.digest.clone(), manifest));
        }
        let ask = if known.ask == Ask::Head {
            match self.digest(tag).await? {
                Some(digest) => match self.known_manifest(&digest).await {
                    Some(manifest) => {
                        self.keep_tag(tag, Some(&known), &digest, Ask::Head).await;
                        return Ok((digest, manifest));
                    }
                    None => Ask::Head,
                },
                // It is not told in this way, or there is no such tag.
                None => Ask::Get,
            }
        } else {
            known.ask.clone()
        };
        self.fetch_tag(tag, Some(&known), ask).await
    }

    /// Finds the manifest of a digest.
    pub async fn manifest_of_digest(&self, digest: &str) -> Result<Manifest, Error> {
        if let Some(manifest) = self.known_manifest(digest).await {
            return Ok(manifest);
        }
        let fetched = self.fetch_manifest(digest, None).await?;
        let fetched = fetched.expect("nothing was named that could be unchanged");
        Ok(fetched.manifest)
    }

    /// Says whether an image's manifest and config are at hand.
    pub async fn knows_image(&self, digest: &str) -> bool {
        let Some(memory) = self.memory() else {
            return false;
        };
        let manifest = memory.manifest(digest).await;
        match manifest.as_deref() {
            Some(Manifest::Single(it)) => memory.config(&it.config.digest).await.is_some(),
            Some(Manifest::Index(_)) | None => false,
        }
    }

    async fn known_manifest(&self, digest: &str) -> Option<Manifest> {
        let manifest = self.memory()?.manifest(digest).await?;
        self.cost.remembered();
        Some(Arc::unwrap_or_clone(manifest))
    }

    /// Fetches the manifest of a tag; `ask` is how the tag was asked for.
    async fn fetch_tag(
        &self,
        tag: &str,
        known: Option<&Tag>,
        ask: Ask,
    ) -> Result<(String, Manifest), Error> {
        // What is to be unchanged has to be at hand.
        let at_hand = match (&ask, known) {
            (Ask::Unless(etag), Some(known)) => {
                let manifest = self.unproved_memory().manifest(&known.digest).await;
                manifest.map(|it| (etag.as_str(), known, it))
            }
            _ => None,
        };
        let etag = at_hand.as_ref().map(|it| it.0);
        let fetched = match self.fetch_manifest(tag, etag).await {
            Err(error) => {
                if known.is_some() && matches!(*error.problem, Problem::NotFound { .. }) {
                    self.unproved_memory().forget_tag(tag).await;
                }
                return Err(error);
            }
            Ok(fetched) => fetched,
        };
        let Some(fetched) = fetched else {
            let (_, known, manifest) = at_hand.expect("only what is at hand can be unchanged");
            self.cost.remembered();
            return Ok((known.digest.clone(), Arc::unwrap_or_clone(manifest)));
        };
        let ask = match (fetched.is_named && ask == Ask::Head, fetched.etag) {
            (true, _) => Ask::Head,
            (false, Some(etag)) => Ask::Unless(etag),
            (false, None) => Ask::Get,
        };
        self.keep_tag(tag, known, &fetched.digest, ask).await;
        Ok((fetched.digest, fetched.manifest))
    }

    /// Remembers a tag that is not known to be like this.
    async fn keep_tag(&self, tag: &str, known: Option<&Tag>, digest: &str, ask: Ask) {
        let digest = digest.to_owned();
        let seen = Tag { digest, ask };
        if known != Some(&seen) {
            self.unproved_memory().keep_tag(tag, seen).await;
        }
    }

    /// Fetches a manifest; none if what is there still has this `ETag`.
    async fn fetch_manifest(
        &self,
        reference: &str,
        etag: Option<&str>,
    ) -> Result<Option<Fetched>, Error> {
        let url = self.url(&format!("manifests/{reference}")).await;
        let mut call = Call::get(url, MANIFEST_BOUND, self.cost)
            .header(ACCEPT, HeaderValue::from_static(ACCEPTED));
        if let Some(etag) = etag.and_then(|it| HeaderValue::from_str(it).ok()) {
            call = call.header(IF_NONE_MATCH, etag);
        }
        let fail = |problem| Error::new(self.repository, &call, problem);
        let is_digest = reference.contains(':');
        if is_digest {
            check_digest(reference).map_err(|error| fail(error.into()))?;
        }
        let answer = self
            .send_sound(&call, is_digest.then_some(reference))
            .await?;
        if etag.is_some() && answer.status == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
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
        self.unproved_memory()
            .keep_manifest(&digest, &answer.body, Arc::new(manifest.clone()))
            .await;
        let etag = answer.header(ETAG).filter(|it| it.len() <= ETAG_BOUND);
        Ok(Some(Fetched {
            digest,
            manifest,
            is_named: answer.header(DIGEST).is_some(),
            etag: etag.map(str::to_owned),
        }))
    }

    /// Finds the config of an image.
    pub async fn config(&self, digest: &str) -> Result<Config, Error> {
        let url = self.url(&format!("blobs/{digest}")).await;
        let call = Call::get(url, CONFIG_BOUND, self.cost);
        let fail = |problem| Error::new(self.repository, &call, problem);
        check_digest(digest).map_err(|error| fail(error.into()))?;
        if let Some(memory) = self.memory()
            && let Some(config) = memory.config(digest).await
        {
            self.cost.remembered();
            return Ok(Arc::unwrap_or_clone(config));
        }
        let answer = self.send_sound(&call, Some(digest)).await?;
        if !answer.status.is_success() {
            return Err(fail(self.refused(&answer)));
        }
        verify(&answer.body, Some(digest)).map_err(|error| fail(error.into()))?;
        let config: Config = serde_json::from_slice(&answer.body).map_err(|source| {
            let what = "an image's config";
            fail(Problem::Malformed { what, source })
        })?;
        self.unproved_memory()
            .keep_config(digest, &answer.body, Arc::new(config.clone()))
            .await;
        Ok(config)
    }

    /// Sends a request, and once more where the content is not what its digest says: it may have broken on its way.
    async fn send_sound(&self, call: &Call, digest: Option<&str>) -> Result<Answer, Error> {
        let answer = self.send(call.clone()).await?;
        let digest = digest.or_else(|| answer.header(DIGEST));
        if !answer.status.is_success() || verify(&answer.body, digest).is_ok() {
            return Ok(answer);
        }
        self.send(call.clone()).await
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
