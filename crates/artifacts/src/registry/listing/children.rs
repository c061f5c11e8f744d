//! When images were built that a list names beside those asked for: they spare a look at the images of an index.

use std::collections::HashMap;

use jiff::Timestamp;

/// Most images that are remembered: twenty-four bytes each.
const BOUND: usize = 50_000;

/// Holds build times by the first bytes of digests, which tell the images of a repository apart.
#[derive(Debug, Default)]
pub(super) struct Children {
    built: HashMap<u64, Option<i64>>,
}

/// What a list said of an image that no tag names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// It did not list it.
    Nothing,
    /// When it was built; none where the image does not say.
    Built(Option<Timestamp>),
}

impl Children {
    pub(super) fn add(&mut self, digest: &str, built_at: Option<Timestamp>) {
        if self.built.len() < BOUND
            && let Some(key) = key(digest)
        {
            let built_at = built_at.map(Timestamp::as_millisecond);
            self.built.insert(key, built_at);
        }
    }

    /// Finds what a list said of an image.
    pub(super) fn find(&self, digest: &str) -> Said {
        match key(digest).and_then(|key| self.built.get(&key)) {
            None => Said::Nothing,
            Some(built) => Said::Built(built.and_then(|it| Timestamp::from_millisecond(it).ok())),
        }
    }
}

fn key(digest: &str) -> Option<u64> {
    let hash = digest.strip_prefix("sha256:")?.get(..16)?;
    u64::from_str_radix(hash, 16).ok()
}
