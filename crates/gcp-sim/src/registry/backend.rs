//! Another OCI registry that holds what a repository contains; nothing of our callers' credentials reaches it.
//!
//! Source: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, LINK, LOCATION};
use http::{Method, StatusCode};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, Response};
use serde::Deserialize;
use url::Url;

use super::digest::Digest;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

const MOST_REDIRECTS: usize = 5;

/// How many pages of a list are read.
const MOST_PAGES: usize = 1000;

const MANIFESTS: &str = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

/// A registry by its URL; user and password in the URL are the credentials, its path comes before every image's name.
#[derive(Debug)]
pub(super) struct Backend {
    client: reqwest::Client,
    url: Url,
}

/// Why the other registry was of no help.
#[derive(Debug, thiserror::Error)]
pub(super) enum BackendError {
    #[error("invalid URL of a registry: {url:?}")]
    Url { url: String },
    #[error("the simulator does not ask Google's own registry {url:?}")]
    Google { url: String },
    #[error("failed to reach the registry behind the simulator")]
    Reach(#[source] reqwest::Error),
    #[error("the registry behind the simulator answered {status} to {path}")]
    Refused { status: StatusCode, path: String },
}

#[derive(Deserialize)]
struct List {
    #[serde(default, alias = "repositories")]
    tags: Option<Vec<String>>,
}

/// Says whether a URL leads to a host of Google's, where nothing simulated may be taken for real.
pub(crate) fn is_of_google(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| leads_to_google(&url))
}

fn leads_to_google(url: &Url) -> bool {
    const DOMAINS: [&str; 4] = ["googleapis.com", "pkg.dev", "gcr.io", "google.internal"];
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    host == "169.254.169.254"
        || DOMAINS.iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
}

/// Follows another registry to where it keeps its blobs, but not to Google.
fn redirects() -> Policy {
    Policy::custom(|attempt| {
        if attempt.previous().len() > MOST_REDIRECTS || leads_to_google(attempt.url()) {
            attempt.error("redirected too often, or to Google")
        } else {
            attempt.follow()
        }
    })
}

impl Backend {
    /// Makes a client for `http://127.0.0.1:5000/prefix`.
    ///
    /// # Errors
    /// [`BackendError::Url`] for text that is no URL, [`BackendError::Google`] for a registry of Google's.
    pub(super) fn new(text: &str) -> Result<Self, BackendError> {
        let url = Url::parse(text).map_err(|_| BackendError::Url {
            url: text.to_owned(),
        })?;
        if leads_to_google(&url) {
            return Err(BackendError::Google {
                url: text.to_owned(),
            });
        }
        let mut client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(redirects());
        if crate::pubsub::is_loopback(text) {
            client = client.no_proxy();
        }
        let client = client.build().map_err(BackendError::Reach)?;
        Ok(Self { client, url })
    }

    /// Fetches a manifest and its media type.
    pub(super) async fn fetch_manifest(
        &self,
        image: &str,
        reference: &str,
    ) -> Result<Option<(Bytes, String)>, BackendError> {
        let path = self.path(image, &format!("manifests/{reference}"))?;
        let request = self.request(Method::GET, &path).header(ACCEPT, MANIFESTS);
        let Some(response) = found(send(request, &path).await)? else {
            return Ok(None);
        };
        let media_type = response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        Ok(Some((
            response.bytes().await.map_err(BackendError::Reach)?,
            media_type,
        )))
    }

    /// Fetches a blob.
    pub(super) async fn fetch_blob(
        &self,
        image: &str,
        digest: Digest,
    ) -> Result<Option<Bytes>, BackendError> {
        let path = self.path(image, &format!("blobs/{digest}"))?;
        match found(send(self.request(Method::GET, &path), &path).await)? {
            Some(response) => response
                .bytes()
                .await
                .map(Some)
                .map_err(BackendError::Reach),
            None => Ok(None),
        }
    }

    /// Lists the tags of an image.
    pub(super) async fn list_tags(&self, image: &str) -> Result<Vec<String>, BackendError> {
        self.list(self.path(image, "tags/list")?).await
    }

    /// Lists the images below the URL's path.
    pub(super) async fn list_images(&self) -> Result<Vec<String>, BackendError> {
        let prefix = self.prefix();
        let all = self.list("/v2/_catalog".to_owned()).await?;
        Ok(all
            .iter()
            .filter_map(|name| name.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect())
    }

    /// Pushes a blob unless it is there.
    pub(super) async fn push_blob(
        &self,
        image: &str,
        digest: Digest,
        bytes: Bytes,
    ) -> Result<(), BackendError> {
        let path = self.path(image, &format!("blobs/{digest}"))?;
        if found(send(self.request(Method::HEAD, &path), &path).await)?.is_some() {
            return Ok(());
        }
        let path = self.path(image, "blobs/uploads/")?;
        let begun = send(self.request(Method::POST, &path), &path).await?;
        let location = begun
            .headers()
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut end = self.url.join(location).map_err(|_| BackendError::Url {
            url: location.to_owned(),
        })?;
        end.query_pairs_mut()
            .append_pair("digest", &digest.to_string());
        let request = self.with_login(self.client.put(end)).body(bytes);
        send(request, &path).await.map(drop)
    }

    /// Pushes a manifest, whose blobs must be there.
    pub(super) async fn push_manifest(
        &self,
        image: &str,
        reference: &str,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<(), BackendError> {
        let path = self.path(image, &format!("manifests/{reference}"))?;
        let request = self
            .request(Method::PUT, &path)
            .header(CONTENT_TYPE, media_type)
            .body(bytes);
        send(request, &path).await.map(drop)
    }

    /// Deletes a manifest; one that is not there is deleted already.
    pub(super) async fn delete_manifest(
        &self,
        image: &str,
        reference: &str,
    ) -> Result<(), BackendError> {
        let path = self.path(image, &format!("manifests/{reference}"))?;
        found(send(self.request(Method::DELETE, &path), &path).await).map(drop)
    }

    async fn list(&self, mut path: String) -> Result<Vec<String>, BackendError> {
        let mut names = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(response) = found(send(self.request(Method::GET, &path), &path).await)? else {
                break;
            };
            let next = response
                .headers()
                .get(LINK)
                .and_then(|value| value.to_str().ok())
                .and_then(next_page);
            let list: List = response.json().await.map_err(BackendError::Reach)?;
            names.extend(list.tags.unwrap_or_default());
            match next {
                Some(next) => path = next,
                None => break,
            }
        }
        Ok(names)
    }

    fn prefix(&self) -> String {
        let path = self.url.path().trim_matches('/');
        if path.is_empty() {
            String::new()
        } else {
            format!("{path}/")
        }
    }

    /// The path of something of an image; a name that would lead out of the URL's path is refused.
    fn path(&self, image: &str, rest: &str) -> Result<String, BackendError> {
        let path = format!("/v2/{}{image}/{rest}", self.prefix());
        let leads_out = path
            .split('/')
            .any(|component| matches!(component, "." | ".."))
            || path.contains(['%', '?', '#', '\\']);
        if leads_out {
            return Err(BackendError::Url { url: path });
        }
        Ok(path)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = self.url.join(path).unwrap_or_else(|_| self.url.clone());
        self.with_login(self.client.request(method, url))
    }

    fn with_login(&self, request: RequestBuilder) -> RequestBuilder {
        match self.url.username() {
            "" => request,
            user => request.basic_auth(user, self.url.password()),
        }
    }
}

/// The path and query of `<…>; rel="next"`.
fn next_page(link: &str) -> Option<String> {
    let target = link.strip_prefix('<')?.split_once('>')?.0;
    Some(
        Url::parse("http://registry/").ok()?.join(target).ok()?[url::Position::BeforePath..]
            .to_owned(),
    )
}

async fn send(request: RequestBuilder, path: &str) -> Result<Response, BackendError> {
    let response = request.send().await.map_err(BackendError::Reach)?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(BackendError::Refused {
        status: response.status(),
        path: path.to_owned(),
    })
}

/// Makes `None` of what is not there.
fn found(answer: Result<Response, BackendError>) -> Result<Option<Response>, BackendError> {
    match answer {
        Err(BackendError::Refused {
            status: StatusCode::NOT_FOUND,
            ..
        }) => Ok(None),
        other => other.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_googles_is_asked() {
        rustls::crypto::aws_lc_rs::default_provider()
            .install_default()
            .ok();
        for (url, expected) in [
            ("https://europe-docker.pkg.dev/acme/apps", true),
            ("https://GCR.io/acme", true),
            ("https://eu.gcr.io./acme", true),
            ("https://storage.googleapis.com", true),
            ("http://metadata.google.internal", true),
            ("http://169.254.169.254/", true),
            ("https://notgcr.io/acme", false),
            ("https://pkg.dev.example/acme", false),
            ("http://127.0.0.1:5000/prefix", false),
            ("https://ghcr.io/acme", false),
        ] {
            assert_eq!(is_of_google(url), expected, "{url}");
            let made = Backend::new(url);
            assert_eq!(matches!(made, Err(BackendError::Google { .. })), expected);
        }
    }
}
