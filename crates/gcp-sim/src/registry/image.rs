//! One image repository: manifests, tags, and when they came.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use jiff::Timestamp;

use super::digest::Digest;
use super::generated::{Generated, Made};
use super::manifest::{IMAGE, Manifest};
use super::version::{Stored, Version};

/// What was pushed under one name, and what is made on demand under it.
///
/// Whatever is made on demand becomes a stored manifest before it is changed.
#[derive(Debug, Default)]
pub(super) struct Image {
    manifests: HashMap<Digest, Stored>,
    tags: BTreeMap<String, Digest>,
    generated: Option<Generated>,
    /// The made images that are stored instead, or deleted.
    replaced: BTreeSet<u32>,
}

/// A manifest as it is pulled.
#[derive(Debug)]
pub(super) struct Pulled {
    pub digest: Digest,
    pub media_type: String,
    pub bytes: Bytes,
}

/// Where a version is: cheap to sort by, before a page of versions is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Stored(Digest),
    Made(u32),
}

/// Which time versions are put in order by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Upload,
    Change,
}

/// What places are compared by: the time that was asked for, then that of upload, then something that never is the same.
type Key = (Timestamp, Timestamp, u64);

/// One page of tags in the order of their names.
#[derive(Debug)]
pub(super) struct TagPage {
    pub tags: Vec<(String, Digest)>,
    /// Whether there are more.
    pub more: bool,
}

impl Image {
    pub(super) fn generated(generated: Generated) -> Self {
        Self {
            generated: Some(generated),
            ..Self::default()
        }
    }

    /// Whether nothing is left, so that the image is no longer listed.
    pub(super) fn is_empty(&self) -> bool {
        self.manifests.is_empty() && self.made().next().is_none()
    }

    /// The digest of a tag.
    pub(super) fn find_tag(&self, tag: &str) -> Option<Digest> {
        let stored = self.tags.get(tag).copied();
        stored.or_else(|| self.find_made_tag(tag).map(|(_, made)| made.digest))
    }

    /// Finds a manifest by tag or digest.
    pub(super) fn find(&self, reference: &str) -> Option<Pulled> {
        let digest = reference
            .parse()
            .ok()
            .or_else(|| self.find_tag(reference))?;
        if let Some(stored) = self.manifests.get(&digest) {
            return Some(Pulled {
                digest,
                media_type: stored.manifest.media_type.clone(),
                bytes: stored.bytes.clone(),
            });
        }
        let (_, made) = self
            .find_made_tag(reference)
            .or_else(|| self.find_made(digest))?;
        Some(Pulled {
            digest,
            media_type: IMAGE.to_owned(),
            bytes: made.manifest,
        })
    }

    pub(super) fn find_made_blob(&self, digest: Digest) -> Option<Bytes> {
        self.generated.as_ref()?.find_blob(digest)
    }

    /// Stores a manifest, and moves `tag` to it.
    pub(super) fn push(&mut self, digest: Digest, stored: Stored, tag: Option<&str>) {
        self.keep(digest);
        let now = stored.updated;
        self.manifests.entry(digest).or_insert(stored);
        if let Some(tag) = tag {
            self.move_tag(tag, digest, now);
        }
    }

    /// Points `tag` to a manifest that is there; a manifest that is not there gives `false`.
    pub(super) fn move_tag(&mut self, tag: &str, digest: Digest, now: Timestamp) -> bool {
        self.keep(digest);
        if !self.manifests.contains_key(&digest) {
            return false;
        }
        if self.find_tag(tag) != Some(digest) {
            self.delete_tag(tag, now);
            self.tags.insert(tag.to_owned(), digest);
        }
        if let Some(stored) = self.manifests.get_mut(&digest) {
            stored.tags.insert(tag.to_owned());
            stored.updated = now;
        }
        true
    }

    /// Removes a tag and leaves its manifest.
    pub(super) fn delete_tag(&mut self, tag: &str, now: Timestamp) -> bool {
        if let Some(digest) = self.find_tag(tag) {
            self.keep(digest);
        }
        let Some(digest) = self.tags.remove(tag) else {
            return false;
        };
        if let Some(stored) = self.manifests.get_mut(&digest) {
            stored.tags.remove(tag);
            stored.updated = now;
        }
        true
    }

    /// Removes a manifest with its tags.
    pub(super) fn delete(&mut self, digest: Digest) -> bool {
        self.keep(digest);
        let Some(stored) = self.manifests.remove(&digest) else {
            return false;
        };
        self.tags.retain(|tag, _| !stored.tags.contains(tag));
        true
    }

    /// The tags whose names sort after `last`, at most `limit` of them.
    pub(super) fn tags_after(&self, last: &str, limit: usize) -> TagPage {
        let after = (std::ops::Bound::Excluded(last), std::ops::Bound::Unbounded);
        let mut stored = self.tags.range::<str, _>(after).peekable();
        let mut made = self.made_after(last).peekable();
        let mut tags = Vec::new();
        while tags.len() < limit {
            let next_made = made.peek().map(|number| Generated::tag(*number));
            match (stored.peek(), next_made) {
                (None, None) => break,
                (Some((tag, digest)), next_made)
                    if next_made.as_ref().is_none_or(|made| *tag < made) =>
                {
                    tags.push(((*tag).clone(), **digest));
                    stored.next();
                }
                (_, _) => tags.extend(
                    made.next()
                        .and_then(|number| self.make(number))
                        .map(|made| (made.tag, made.digest)),
                ),
            }
        }
        TagPage {
            tags,
            more: stored.peek().is_some() || made.peek().is_some(),
        }
    }

    /// All tags, without what they point to: pushed ones first.
    pub(super) fn tag_names(&self) -> impl Iterator<Item = String> {
        self.tags
            .keys()
            .cloned()
            .chain(self.made().map(Generated::tag))
    }

    /// Where the versions are, the oldest upload first, with the times of upload and of the last change.
    pub(super) fn places(&self) -> Vec<(Place, Timestamp, Timestamp)> {
        let stored = self
            .manifests
            .iter()
            .map(|(digest, stored)| (Place::Stored(*digest), stored.uploaded, stored.updated));
        let made = self.made().map(|number| {
            let uploaded = self
                .generated
                .as_ref()
                .map_or(Timestamp::MIN, |generated| generated.uploaded(number));
            (Place::Made(number), uploaded, uploaded)
        });
        let mut places: Vec<_> = stored.chain(made).collect();
        places.sort_by_key(|(place, uploaded, _)| {
            let tie = match place {
                Place::Stored(digest) => digest.prefix(),
                Place::Made(number) => u64::from(*number),
            };
            (*uploaded, tie)
        });
        places
    }

    /// One page of places in the order of a time, and whether there are more. Made ones are counted, not gone through.
    pub(super) fn page_of_places(
        &self,
        by: By,
        is_newest_first: bool,
        start: usize,
        size: usize,
    ) -> (Vec<Place>, bool) {
        let stored = self.manifests.iter().map(|(digest, stored)| {
            let time = match by {
                By::Upload => stored.uploaded,
                By::Change => stored.updated,
            };
            let key = (time, stored.uploaded, digest.prefix());
            (key, Place::Stored(*digest))
        });
        let mut stored: Vec<(Key, Place)> = stored.collect();
        stored.sort_unstable_by_key(|(key, _)| *key);
        let made = self.made().filter_map(|number| {
            let uploaded = self.generated.as_ref()?.uploaded(number);
            let key = (uploaded, uploaded, u64::from(number));
            Some((key, Place::Made(number)))
        });
        let mut page: Vec<Place> = if is_newest_first {
            let all = merge(stored.into_iter().rev(), made.rev(), |one, other| {
                one >= other
            });
            all.skip(start).take(size.saturating_add(1)).collect()
        } else {
            let all = merge(stored.into_iter(), made, |one, other| one <= other);
            all.skip(start).take(size.saturating_add(1)).collect()
        };
        let more = page.len() > size;
        page.truncate(size);
        (page, more)
    }

    /// What stands at a place.
    pub(super) fn version(&self, place: Place) -> Option<Version> {
        match place {
            Place::Stored(digest) => self
                .manifests
                .get(&digest)
                .map(|stored| stored.version(digest)),
            Place::Made(number) => self.make(number).map(Made::version),
        }
    }

    /// What a listing says of a digest.
    pub(super) fn find_version(&self, digest: Digest) -> Option<Version> {
        let stored = self
            .manifests
            .get(&digest)
            .map(|stored| stored.version(digest));
        stored.or_else(|| self.find_made(digest).map(|(_, made)| made.version()))
    }

    /// The versions of the tags on a page, and with the last page those without tags.
    pub(super) fn versions_of(&self, page: &TagPage) -> BTreeMap<Digest, Version> {
        let tagged = page.tags.iter().filter_map(|(tag, digest)| {
            let stored = self
                .manifests
                .get(digest)
                .map(|stored| stored.version(*digest));
            stored.or_else(|| self.find_made_tag(tag).map(|(_, made)| made.version()))
        });
        let untagged = self
            .manifests
            .iter()
            .filter(|(_, stored)| !page.more && stored.tags.is_empty());
        let untagged = untagged.map(|(digest, stored)| stored.version(*digest));
        tagged
            .chain(untagged)
            .map(|version| (version.digest, version))
            .collect()
    }

    /// The manifests that are about `subject`.
    pub(super) fn referrers(&self, subject: Digest) -> Vec<(Digest, &Stored)> {
        let about = self
            .manifests
            .iter()
            .filter(|(_, stored)| stored.manifest.subject == Some(subject));
        let mut about: Vec<_> = about.map(|(digest, stored)| (*digest, stored)).collect();
        about.sort_by_key(|(digest, stored)| (stored.uploaded, *digest));
        about
    }

    /// Stores a made image, so that it can be changed.
    fn keep(&mut self, digest: Digest) {
        if self.manifests.contains_key(&digest) {
            return;
        }
        let Some((number, made)) = self.find_made(digest) else {
            return;
        };
        let Ok(manifest) = Manifest::parse(&made.manifest, None) else {
            return;
        };
        let tag = made.tag.clone();
        let (_, platform) = super::manifest::read_config(&made.config);
        let stored = Stored {
            manifest,
            built: Some(made.built),
            platform,
            uploaded: made.uploaded,
            updated: made.uploaded,
            tags: BTreeSet::from([tag.clone()]),
            bytes: made.manifest,
        };
        self.replaced.insert(number);
        self.manifests.insert(digest, stored);
        self.tags.insert(tag, digest);
    }

    fn find_made_tag(&self, tag: &str) -> Option<(u32, Made)> {
        let generated = self.generated.as_ref()?;
        let number = generated
            .find_tag(tag)
            .filter(|number| !self.replaced.contains(number))?;
        Some((number, generated.make(number)))
    }

    fn find_made(&self, digest: Digest) -> Option<(u32, Made)> {
        let made = self
            .generated
            .as_ref()?
            .find_digest(digest)
            .filter(|made| made.digest == digest)?;
        self.find_made_tag(&made.tag)
    }

    fn made(&self) -> impl DoubleEndedIterator<Item = u32> {
        self.made_from(0)
    }

    fn made_after(&self, tag: &str) -> impl Iterator<Item = u32> {
        self.made_from(
            self.generated
                .as_ref()
                .map_or(0, |generated| generated.first_after(tag)),
        )
    }

    fn made_from(&self, first: u32) -> impl DoubleEndedIterator<Item = u32> {
        let count = self.generated.as_ref().map_or(0, Generated::len);
        (first..count).filter(|number| !self.replaced.contains(number))
    }

    fn make(&self, number: u32) -> Option<Made> {
        self.generated
            .as_ref()
            .map(|generated| generated.make(number))
    }
}

/// Makes one list of two that are in order already.
fn merge(
    one: impl Iterator<Item = (Key, Place)>,
    other: impl Iterator<Item = (Key, Place)>,
    is_first: impl Fn(&Key, &Key) -> bool,
) -> impl Iterator<Item = Place> {
    let (mut one, mut other) = (one.peekable(), other.peekable());
    std::iter::from_fn(move || {
        let takes_one = match (one.peek(), other.peek()) {
            (Some((one, _)), Some((other, _))) => is_first(one, other),
            (Some(_), None) => true,
            (None, _) => false,
        };
        let next = if takes_one { one.next() } else { other.next() };
        next.map(|(_, place)| place)
    })
}

#[cfg(test)]
mod tests;
