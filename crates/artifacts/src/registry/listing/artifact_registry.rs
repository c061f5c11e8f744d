//! `tags/list` as Artifact Registry answers it: beside the names, digests and times.
//!
//! All members but `tags` are Google's own; numbers are strings. A digest without tags is listed too.
//!
//! Source: <https://github.com/google/go-containerregistry/blob/main/pkg/v1/google/list.go>

use std::collections::HashMap;

use domain::selection::Listed;
use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use crate::registry::Problem;
use crate::registry::manifest::check_digest;
use crate::registry::tags::{Page, TooMany};

/// Most tags that are on one page.
///
/// Source: <https://github.com/google/go-containerregistry/pull/1645>
pub(super) const PAGE: usize = 10_000;

/// A page.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    tags: Option<Vec<String>>,
    /// By digest; missing where a repository only passes on what others hold.
    #[serde(default)]
    manifest: Option<HashMap<String, Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    tag: Vec<String>,
    /// What the image's config says: nothing, where it is an index.
    #[serde(default, deserialize_with = "time")]
    time_created_ms: Option<Timestamp>,
    #[serde(default, deserialize_with = "time")]
    time_uploaded_ms: Option<Timestamp>,
}

/// Reads milliseconds since 1970, which come as text; what cannot be read is not there.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let milliseconds = text.and_then(|it| it.parse().ok());
    Ok(milliseconds.and_then(|it| Timestamp::from_millisecond(it).ok()))
}

pub(super) fn read(body: &[u8]) -> Result<Listing, serde_json::Error> {
    serde_json::from_slice(body)
}

impl Listing {
    /// Tells every tag with what stands at its digest, in the order of the tags.
    pub(super) fn tell(self, page: &mut Page<'_>) -> Result<(), Problem> {
        let manifests = self.manifest.unwrap_or_default();
        let mut by_tag = HashMap::new();
        for (digest, entry) in &manifests {
            if check_digest(digest).is_err() {
                continue;
            }
            if entry.tag.is_empty() {
                page.untagged(digest.clone(), entry.time_created_ms);
            }
            by_tag.extend(entry.tag.iter().map(|tag| (tag.as_str(), (digest, entry))));
        }
        for tag in self.tags.unwrap_or_default() {
            let found = by_tag.get(tag.as_str());
            let listed = Listed {
                digest: found.map(|(digest, _)| (*digest).clone()),
                built_at: found.and_then(|(_, entry)| entry.time_created_ms),
                uploaded_at: found.and_then(|(_, entry)| entry.time_uploaded_ms),
                media_type: found.and_then(|(_, entry)| entry.media_type.clone()),
                tag,
            };
            page.tag(listed)
                .map_err(|TooMany| Problem::Pages("hold more than two million tags"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::tags::Row;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn told(body: &str) -> Vec<String> {
        let mut told = Vec::new();
        let mut take = |row: Row| {
            told.push(match row {
                Row::Tag(it) => format!(
                    "{} {:?} {:?} {:?}",
                    it.tag,
                    it.digest.is_some(),
                    it.built_at.map(Timestamp::as_millisecond),
                    it.uploaded_at.map(Timestamp::as_millisecond)
                ),
                Row::Untagged { built_at, .. } => {
                    format!("{:?}", built_at.map(Timestamp::as_millisecond))
                }
            });
        };
        let listing = read(body.as_bytes()).expect("a page");
        listing
            .tell(&mut Page::new(&mut take, 100))
            .expect("not too many");
        told
    }

    #[test]
    fn a_tag_comes_with_what_stands_at_its_digest() {
        let entry = r#"{"imageSizeBytes":"123","layerId":"","mediaType":"application/vnd.oci.image.manifest.v1+json","tag":["v1"],"timeCreatedMs":"1700000000000","timeUploadedMs":"1700000001000"}"#;
        let page = format!(
            r#"{{"child":[],"manifest":{{"{DIGEST}":{entry}}},"name":"P/R/IMG","tags":["v1","v2"]}}"#
        );
        assert_eq!(
            told(&page),
            [
                "v1 true Some(1700000000000) Some(1700000001000)",
                "v2 false None None"
            ]
        );
    }

    #[test]
    fn names_alone_are_a_list_too() {
        assert_eq!(
            told(r#"{"name":"web","tags":["v1"]}"#),
            ["v1 false None None"]
        );
        assert_eq!(told(r#"{"tags":null,"manifest":null}"#), [""; 0]);
    }

    #[test]
    fn times_and_digests_that_cannot_be_read_are_left_out() {
        let page = format!(
            r#"{{"manifest":{{"{DIGEST}":{{"tag":["a"],"timeCreatedMs":"soon","timeUploadedMs":""}},"sha256:1":{{"tag":["b"]}}}},"tags":["a","b"]}}"#
        );
        assert_eq!(told(&page), ["a true None None", "b false None None"]);
        let untagged = format!(r#"{{"manifest":{{"{DIGEST}":{{"timeCreatedMs":"5"}}}}}}"#);
        assert_eq!(told(&untagged), ["Some(5)"]);
        assert!(read(br#"{"manifest":[]}"#).is_err());
        assert!(read(br#"{"manifest":{"sha256:1":{"timeCreatedMs":5}}}"#).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_page_is_read_without_panic(body in "[\\[\\]{}:,\"a-z0-9 ]{0,200}") {
            read(body.as_bytes()).ok();
        }
    }
}
