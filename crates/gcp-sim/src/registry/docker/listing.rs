//! `tags/list` as Artifact Registry answers it: the standard's members and Google's.
//!
//! Sources: <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#listing-tags>,
//! <https://github.com/google/go-containerregistry/blob/main/pkg/v1/google/list.go>

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;

use crate::registry::digest::Digest;
use crate::registry::image::Image;
use crate::registry::store::Contents;
use crate::registry::version::Version;

/// How many tags a page holds that nobody asked a size for. Only the largest is documented.
const DEFAULT_SIZE: usize = 1000;

/// How many tags a page holds at most.
const LARGEST: usize = 10_000;

/// What a client asked of a list: `n` and `last`.
#[derive(Debug, Clone, Default, serde::Deserialize)]
pub(super) struct Paging {
    n: Option<usize>,
    #[serde(default)]
    last: String,
}

/// The answer to `tags/list`.
#[derive(Debug, Serialize)]
pub(super) struct Listing {
    /// The images below this one, such as `front` below `web`.
    child: BTreeSet<String>,
    manifest: BTreeMap<Digest, Listed>,
    name: String,
    tags: Vec<String>,
    /// Where the next page is, if there is one.
    #[serde(skip)]
    pub next: Option<String>,
}

/// What Google adds for a digest. All numbers are strings.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    image_size_bytes: String,
    layer_id: &'static str,
    media_type: String,
    tag: Vec<String>,
    time_created_ms: String,
    time_uploaded_ms: String,
}

impl Paging {
    /// How many entries the page may hold.
    pub(super) fn size(&self) -> usize {
        self.n.unwrap_or(DEFAULT_SIZE).clamp(1, LARGEST)
    }

    /// The name after which the page begins.
    pub(super) fn last(&self) -> &str {
        &self.last
    }

    /// Where the page after `last` is.
    pub(super) fn link(&self, path: &str, last: &str) -> String {
        let last = utf8_percent_encode(last, NON_ALPHANUMERIC);
        format!("</v2/{path}?n={}&last={last}>; rel=\"next\"", self.size())
    }
}

impl Listing {
    /// Lists an image of a repository; `None` if there is neither the image nor one below it.
    ///
    /// `path` is the image's full name on the host that was asked.
    pub(super) fn of(
        contents: &Contents,
        image: &str,
        path: &str,
        paging: &Paging,
    ) -> Option<Self> {
        let child = children(contents, image);
        let Some(image) = contents.images.get(image) else {
            return (!child.is_empty()).then(|| Self::without_tags(child, path));
        };
        Some(Self::page(image, child, path, paging))
    }

    /// Leaves out what Google adds.
    pub(super) fn plain(&self) -> serde_json::Value {
        serde_json::json!({"name": self.name, "tags": self.tags})
    }

    fn without_tags(child: BTreeSet<String>, path: &str) -> Self {
        Self {
            child,
            manifest: BTreeMap::new(),
            name: path.to_owned(),
            tags: Vec::new(),
            next: None,
        }
    }

    fn page(image: &Image, child: BTreeSet<String>, path: &str, paging: &Paging) -> Self {
        let page = image.tags_after(paging.last(), paging.size());
        let manifest = image
            .versions_of(&page)
            .into_iter()
            .map(|(digest, version)| (digest, Listed::of(version)));
        let last = page.tags.last().filter(|_| page.more);
        Self {
            child,
            manifest: manifest.collect(),
            name: path.to_owned(),
            next: last.map(|(last, _)| paging.link(&format!("{path}/tags/list"), last)),
            tags: page.tags.into_iter().map(|(tag, _)| tag).collect(),
        }
    }
}

impl Listed {
    fn of(version: Version) -> Self {
        Self {
            image_size_bytes: version.size.to_string(),
            layer_id: "",
            media_type: version.media_type,
            tag: version.tags,
            time_created_ms: milliseconds(version.built.unwrap_or(Timestamp::UNIX_EPOCH)),
            time_uploaded_ms: milliseconds(version.uploaded),
        }
    }
}

fn milliseconds(time: Timestamp) -> String {
    time.as_millisecond().to_string()
}

/// The next component of the names that begin with `image` and a slash.
fn children(contents: &Contents, image: &str) -> BTreeSet<String> {
    let prefix = if image.is_empty() {
        String::new()
    } else {
        format!("{image}/")
    };
    let below = contents
        .images
        .range(prefix.clone()..)
        .map_while(|(name, _)| name.strip_prefix(&prefix));
    below
        .filter_map(|rest| rest.split('/').next())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests;
