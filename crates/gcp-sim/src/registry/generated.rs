//! Images that are made when somebody looks at them: ten thousand tags, or a million, for the price of three numbers.

use std::sync::OnceLock;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::manifest::IMAGE;

/// An empty tar archive: the one layer that every made image has.
const LAYER: &[u8] = &[0; 1024];

/// How long after it was built an image is said to have been uploaded.
const UPLOAD: SignedDuration = SignedDuration::from_secs(30);

/// The largest number of tags, up to which the order of names is the order of age.
const MOST_TAGS: u32 = 9_000_000;

/// How many images an image repository starts with, and when they were built.
///
/// Tag *n* is `1.<1000 + n / 1000>.<1000 + n % 1000>`: a semantic version, and as all have the same width, tags sort by
/// name as by version and by age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Generate {
    pub tags: u32,
    /// When the first was built.
    #[serde(default = "start_of_2024")]
    pub from: Timestamp,
    /// How many seconds lie between two of them.
    #[serde(default = "one_minute")]
    pub every: u32,
    /// When all of them say that they were built, as reproducible builds do; what lies between them are then uploads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built: Option<Timestamp>,
}

/// The images of a [`Generate`], each one tag, one manifest, one configuration.
#[derive(Debug)]
pub(super) struct Generated {
    plan: Generate,
    /// The image's name, so that two image repositories do not hold the same digests.
    name: String,
    /// Which image a digest belongs to, as far as anybody has asked.
    index: Mutex<Index>,
}

/// The images of the newest digests, which are those that people ask for.
#[derive(Debug, Default)]
struct Index {
    /// Chunks of images, the newest first: the first bytes of digests in their order, with the image's number.
    chunks: Vec<Vec<(u64, u32)>>,
}

/// How many images are hashed at a time when a digest is looked up.
const CHUNK: u32 = 5_000;

/// One image of a [`Generated`].
#[derive(Debug)]
pub(super) struct Made {
    pub tag: String,
    pub digest: Digest,
    pub manifest: Bytes,
    pub config: Bytes,
    pub built: Timestamp,
    pub uploaded: Timestamp,
}

impl Generated {
    pub(super) fn new(name: &str, mut plan: Generate) -> Self {
        plan.tags = plan.tags.min(MOST_TAGS);
        Self {
            plan,
            name: name.to_owned(),
            index: Mutex::default(),
        }
    }

    pub(super) fn len(&self) -> u32 {
        self.plan.tags
    }

    /// Finds a tag's number.
    pub(super) fn find_tag(&self, tag: &str) -> Option<u32> {
        let (thousands, ones) = tag.strip_prefix("1.")?.split_once('.')?;
        let number = thousands
            .parse::<u32>()
            .ok()?
            .checked_sub(1000)?
            .checked_mul(1000)?;
        let number = number.checked_add(ones.parse::<u32>().ok()?.checked_sub(1000)?)?;
        (number < self.plan.tags && Self::tag(number) == tag).then_some(number)
    }

    /// The number of the first tag that sorts after `tag`.
    pub(super) fn first_after(&self, tag: &str) -> u32 {
        let (mut low, mut high) = (0, self.plan.tags);
        while low < high {
            let middle = low + (high - low) / 2;
            if Self::tag(middle).as_str() <= tag {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Finds the image whose manifest or configuration has this digest.
    ///
    /// Hashes images from the newest on until it is found: all of them, seconds for a million, where there is none.
    pub(super) fn find_digest(&self, digest: Digest) -> Option<Made> {
        let mut index = self.index.lock();
        for number in 0.. {
            if number == index.chunks.len() {
                let chunk = self.hash_chunk(number)?;
                index.chunks.push(chunk);
            }
            let chunk = &index.chunks[number];
            let from = chunk.partition_point(|(prefix, _)| *prefix < digest.prefix());
            let found = chunk[from..]
                .iter()
                .take_while(|(prefix, _)| *prefix == digest.prefix())
                .map(|(_, number)| self.make(*number))
                .find(|made| made.digest == digest || Digest::of(&made.config) == digest);
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Finds a blob: the layer or a configuration.
    pub(super) fn find_blob(&self, digest: Digest) -> Option<Bytes> {
        if digest == layer_digest() {
            return Some(Bytes::from_static(LAYER));
        }
        self.find_digest(digest)
            .map(|made| made.config)
            .filter(|config| Digest::of(config) == digest)
    }

    pub(super) fn tag(number: u32) -> String {
        format!("1.{}.{}", 1000 + number / 1000, 1000 + number % 1000)
    }

    pub(super) fn uploaded(&self, number: u32) -> Timestamp {
        self.began(number) + UPLOAD
    }

    /// Makes the image with a number: always the same one.
    pub(super) fn make(&self, number: u32) -> Made {
        let tag = Self::tag(number);
        let built = self.plan.built.unwrap_or_else(|| self.began(number));
        let config = format!(
            r#"{{"created":"{built}","architecture":"amd64","os":"linux","config":{{"Labels":{{"org.opencontainers.image.title":"{}","org.opencontainers.image.version":"{tag}"}}}},"rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            self.name,
            layer_digest()
        );
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{IMAGE}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}","size":{}}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{}","size":{}}}]}}"#,
            Digest::of(config.as_bytes()),
            config.len(),
            layer_digest(),
            LAYER.len()
        );
        Made {
            tag,
            digest: Digest::of(manifest.as_bytes()),
            manifest: manifest.into(),
            config: config.into(),
            built,
            uploaded: self.uploaded(number),
        }
    }

    /// When an image came about, whatever it says.
    fn began(&self, number: u32) -> Timestamp {
        let age = i64::from(number) * i64::from(self.plan.every);
        self.plan
            .from
            .saturating_add(SignedDuration::from_secs(age))
            .unwrap_or(Timestamp::MAX)
    }

    /// Hashes a chunk of images, counted from the newest; none after the oldest.
    fn hash_chunk(&self, chunk: usize) -> Option<Vec<(u64, u32)>> {
        let before = u32::try_from(chunk).ok()?.checked_mul(CHUNK)?;
        let end = self.plan.tags.checked_sub(before).filter(|end| *end > 0)?;
        let mut hashed = Vec::new();
        for number in end.saturating_sub(CHUNK)..end {
            let made = self.make(number);
            hashed.push((made.digest.prefix(), number));
            hashed.push((Digest::of(&made.config).prefix(), number));
        }
        hashed.sort_unstable();
        Some(hashed)
    }
}

impl Made {
    /// What `imageSizeBytes` says of it.
    pub(super) fn image_size(&self) -> u64 {
        (self.config.len() + LAYER.len()) as u64
    }
}

fn layer_digest() -> Digest {
    static DIGEST: OnceLock<Digest> = OnceLock::new();
    *DIGEST.get_or_init(|| Digest::of(LAYER))
}

fn start_of_2024() -> Timestamp {
    Timestamp::constant(1_704_067_200, 0)
}

fn one_minute() -> u32 {
    60
}

#[cfg(test)]
mod tests {
    use super::super::digest::Digest;
    use super::{Generate, Generated, start_of_2024};

    fn generated(tags: u32) -> Generated {
        let plan = Generate {
            tags,
            from: start_of_2024(),
            every: 60,
            built: None,
        };
        Generated::new("acme/apps/web", plan)
    }

    #[test]
    fn tags_sort_by_name_as_by_age() {
        let generated = generated(1_000_000);
        assert_eq!(Generated::tag(0), "1.1000.1000");
        assert_eq!(Generated::tag(999_999), "1.1999.1999");
        assert!(
            [(0, 1), (999, 1000), (1000, 1001), (999_998, 999_999)]
                .into_iter()
                .all(
                    |(older, newer)| Generated::tag(older) < Generated::tag(newer)
                        && generated.uploaded(older) < generated.uploaded(newer)
                )
        );
    }

    #[test]
    fn a_tag_is_found_by_its_name_alone() {
        let generated = generated(2500);
        assert_eq!(generated.find_tag(&Generated::tag(2499)), Some(2499));
        for other in [
            "1.1002.1500",
            "1.01000.1000",
            "1.1000.2000",
            "latest",
            "1.1000",
            "",
        ] {
            assert_eq!(generated.find_tag(other), None, "{other}");
        }
        assert_eq!(generated.first_after(""), 0);
        assert_eq!(generated.first_after(&Generated::tag(7)), 8);
        assert_eq!(generated.first_after("latest"), 2500);
    }

    #[test]
    fn manifests_and_configurations_are_found_by_digest() {
        let generated = generated(300);
        let made = generated.make(123);
        assert_eq!(generated.find_digest(made.digest).unwrap().tag, made.tag);
        assert_eq!(
            generated.find_blob(Digest::of(&made.config)).unwrap(),
            made.config
        );
        assert!(
            generated.find_blob(made.digest).is_none(),
            "a manifest is no blob"
        );
        assert!(generated.find_digest(Digest::of(b"other")).is_none());
    }

    #[test]
    fn the_oldest_of_many_is_found_too() {
        let generated = generated(12_000);
        for number in [11_999, 5_000, 0] {
            let digest = generated.make(number).digest;
            assert_eq!(generated.find_digest(digest).unwrap().digest, digest);
        }
        assert!(generated.find_digest(Digest::of(b"other")).is_none());
    }

    #[test]
    fn reproducible_images_say_one_time_and_are_uploaded_at_many() {
        let built = start_of_2024();
        let plan = Generate {
            built: Some(built),
            ..generated(2).plan
        };
        let same = Generated::new("acme/apps/web", plan);
        let (one, two) = (same.make(0), same.make(1));
        assert_eq!((one.built, two.built), (built, built));
        assert!(one.uploaded < two.uploaded && one.digest != two.digest);
    }

    #[test]
    fn two_image_repositories_hold_different_images() {
        let plan = Generate {
            tags: 1,
            from: start_of_2024(),
            every: 60,
            built: None,
        };
        assert_ne!(
            Generated::new("a", plan.clone()).make(0).digest,
            Generated::new("b", plan).make(0).digest
        );
    }
}
