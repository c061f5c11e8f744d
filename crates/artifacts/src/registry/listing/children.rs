//! When images were built that a list names beside those asked for: they spare a look at the images of an index.

use std::collections::HashMap;

use jiff::Timestamp;

/// Most images that are remembered: sixteen bytes each.
const BOUND: usize = 50_000;

/// Holds build times by the first bytes of digests, which tell the images of a repository apart.
#[derive(Debug, Default)]
pub(super) struct Children {
    built: HashMap<u64, i64>,
}

/// What a list said of an image that no tag names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It did not list it, or without a time.
    Nothing,
    /// When it was built.
    Built(Timestamp),
}

impl Children {
    pub(super) fn add(&mut self, digest: &str, built_at: Option<Timestamp>) {
        if self.built.len() < BOUND
            && let (Some(key), Some(built_at)) = (key(digest), built_at)
        {
            self.built.insert(key, built_at.as_millisecond());
        }
    }

    /// Finds what a list said of an image.
    pub(super) fn find(&self, digest: &str) -> Said {
        let built_at = key(digest).and_then(|key| self.built.get(&key));
        let built_at = built_at.and_then(|it| Timestamp::from_millisecond(*it).ok());
        built_at.map_or(Said::Nothing, Said::Built)
    }
}

fn key(digest: &str) -> Option<u64> {
    let hash = digest.strip_prefix("sha256:")?.get(..16)?;
    u64::from_str_radix(hash, 16).ok()
}
