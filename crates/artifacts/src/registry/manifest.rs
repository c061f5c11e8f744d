//! Manifests, indexes and configs: what a tag or digest stands for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};
use sha2::{Digest as _, Sha256, Sha512};

use super::Problem;

const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// What images call their config: first as the two formats have it, then what old clients and registries wrote instead,
/// which Docker takes as well.
///
/// Source: <https://github.com/distribution/distribution/issues/1621>
const CONFIGS: [&str; 5] = [
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "application/json",
    "text/html",
];

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
    #[serde(default, deserialize_with = "or_empty")]
    pub annotations: BTreeMap<String, String>,
    pub config: Descriptor,
}

impl Single {
    /// Refuses a chart or another artifact: its manifest is that of an image, but for what it calls its config.
    pub fn check_config(&self) -> Result<(), Problem> {
        let media_type = self.config.media_type.trim();
        let is_known = |it: &&str| it.eq_ignore_ascii_case(media_type);
        if media_type.is_empty() || CONFIGS.iter().any(is_known) {
            return Ok(());
        }
        Err(Problem::MediaType {
            media_type: media_type.chars().take(100).collect(),
        })
    }
}

/// Lists the images of several platforms, attestations and other attachments included.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    #[serde(default, deserialize_with = "or_empty")]
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
    #[serde(default, deserialize_with = "or_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Descriptor {
    /// Says whether it points at an index, by what it says itself.
    pub fn is_index(&self) -> bool {
        matches!(self.media_type.as_str(), OCI_INDEX | DOCKER_LIST)
    }
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

/// Holds what we read of an image's config: it can be large, and we keep many.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub created: Option<String>,
    #[serde(flatten)]
    pub platform: Platform,
    #[serde(default)]
    pub config: Option<Start>,
}

/// Holds the part of an image's config that its container would start with.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Start {
    #[serde(default, rename = "Labels")]
    pub labels: Option<Labels>,
}

/// Holds the labels that say when an image was built.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Labels {
    #[serde(default, rename = "org.opencontainers.image.created")]
    pub created: Option<String>,
    #[serde(default, rename = "org.label-schema.build-date")]
    pub build_date: Option<String>,
}

/// Says that content is not what its digest says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    #[error("{text:?} is not a digest")]
    Malformed { text: String },
    #[error("the content is {found}, not {expected}")]
    Mismatch { expected: String, found: String },
}

/// Takes `null` for nothing, as some builders write it.
fn or_empty<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<String, String>, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Reads a manifest by the media type it names, else by that of the answer, else by its shape.
pub(super) fn parse(body: &[u8], content_type: &str) -> Result<Manifest, Problem> {
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
        OCI_INDEX | DOCKER_LIST => parse_index(body).map(Manifest::Index),
        OCI_MANIFEST | DOCKER_MANIFEST => serde_json::from_slice(body)
            .map(Manifest::Single)
            .map_err(malformed),
        other => Err(Problem::MediaType {
            media_type: other.chars().take(100).collect(),
        }),
    }
}

/// Reads an index; one with a child by any other name than a digest is none, for children become parts of URLs.
pub(super) fn parse_index(body: &[u8]) -> Result<Index, Problem> {
    let index: Index = serde_json::from_slice(body).map_err(malformed)?;
    let is_foreign = |child: &&Descriptor| check_digest(&child.digest).is_err();
    match index.manifests.iter().find(is_foreign) {
        None => Ok(index),
        Some(child) => Err(Problem::Child {
            digest: child.digest.chars().take(100).collect(),
        }),
    }
}

fn malformed(source: serde_json::Error) -> Problem {
    let what = "a manifest";
    Problem::Malformed { what, source }
}

/// Reads when an image was built, in RFC 3339; the year 1 stands for no time, as Go writes it.
pub(crate) fn parse_time(text: &str) -> Option<Timestamp> {
    text.trim()
        .parse::<Timestamp>()
        .ok()
        .filter(|time| time.as_second() > -62_135_596_800)
}

/// Checks the form of a digest, so that it can be part of a URL.
pub(super) fn check_digest(digest: &str) -> Result<(), DigestError> {
    let is_hexadecimal = |text: &str| {
        text.bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
    };
    let fits = match digest.split_once(':') {
        Some(("sha256", hash)) => hash.len() == 64 && is_hexadecimal(hash),
        Some(("sha512", hash)) => hash.len() == 128 && is_hexadecimal(hash),
        Some(_) | None => false,
    };
    if fits {
        Ok(())
    } else {
        Err(DigestError::Malformed {
            text: digest.chars().take(100).collect(),
        })
    }
}

/// Computes the digest of `body`, by the algorithm of the one it should have.
pub(super) fn verify(body: &[u8], expected: Option<&str>) -> Result<String, DigestError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of nothing.
    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn told(body: &str, content_type: &str) -> String {
        match parse(body.as_bytes(), content_type) {
            Ok(Manifest::Single(single)) => format!("image {}", single.config.digest),
            Ok(Manifest::Index(index)) => format!("index of {}", index.manifests.len()),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn a_manifest_is_told_by_its_type_then_by_its_shape() {
        let single = r#"{"config":{"digest":"sha256:1"},"annotations":null}"#;
        let index = format!(r#"{{"manifests":[{{"digest":"{EMPTY}"}}]}}"#);
        let index = index.as_str();
        assert_eq!(told(single, OCI_MANIFEST), "image sha256:1");
        assert_eq!(told(single, DOCKER_MANIFEST), "image sha256:1");
        assert_eq!(told(single, "application/json"), "image sha256:1");
        assert_eq!(told(index, ""), "index of 1");
        assert_eq!(told(index, DOCKER_LIST), "index of 1");
        let own = r#"{"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}"#;
        assert_eq!(told(own, OCI_MANIFEST), "index of 0");
        let chart = r#"{"mediaType":"application/vnd.cncf.helm.chart"}"#;
        assert!(told(chart, "").contains("not that of an image"));
        assert!(
            told(
                single,
                "application/vnd.docker.distribution.manifest.v1+prettyjws"
            )
            .contains("not that of an image")
        );
        assert_eq!(told(index, OCI_MANIFEST), "the answer is not a manifest");
        assert_eq!(told("[", ""), "the answer is not a manifest");
    }

    #[test]
    fn what_a_manifest_calls_its_config_tells_images_from_artifacts() {
        let check = |media_type: &str| {
            let manifest =
                serde_json::json!({"config": {"mediaType": media_type, "digest": EMPTY}});
            match parse(manifest.to_string().as_bytes(), OCI_MANIFEST) {
                Ok(Manifest::Single(single)) => single.check_config().map_err(|it| it.to_string()),
                other => panic!("{other:?}"),
            }
        };
        for image in CONFIGS.into_iter().chain(["", "Application/JSON"]) {
            assert_eq!(check(image), Ok(()), "{image}");
        }
        for artifact in [
            "application/vnd.cncf.helm.config.v1+json",
            "application/vnd.oci.empty.v1+json",
            "application/vnd.docker.plugin.v1+json",
            "application/vnd.wasm.config.v1+json",
        ] {
            let why = format!("media type {artifact:?} is not that of an image");
            assert_eq!(check(artifact), Err(why));
        }
    }

    #[test]
    fn an_index_that_names_a_child_by_anything_but_a_digest_is_refused() {
        for child in [
            "",
            "latest",
            "sha256:1",
            "..",
            "../../../v1/projects/x",
            "sha256:../../../../v1/projects/x",
            &format!("{EMPTY}/../../x"),
            &format!("{EMPTY}?view=BASIC"),
        ] {
            let manifests = serde_json::json!([{"digest": EMPTY}, {"digest": child}]);
            let index = serde_json::json!({ "manifests": manifests }).to_string();
            for content_type in [OCI_INDEX, DOCKER_LIST, ""] {
                let expected = format!("the index lists {child:?}, which is not a digest");
                assert_eq!(told(&index, content_type), expected);
            }
        }
    }

    #[test]
    fn a_digest_is_computed_by_its_algorithm() {
        let short = EMPTY;
        assert_eq!(verify(b"", None).as_deref(), Ok(short));
        assert_eq!(verify(b"", Some(short)).as_deref(), Ok(short));
        let long = format!("sha512:{}", hex::encode(Sha512::digest(b"")));
        assert_eq!(verify(b"", Some(&long)).as_deref(), Ok(long.as_str()));
        assert!(matches!(
            verify(b"x", Some(short)),
            Err(DigestError::Mismatch { .. })
        ));
        for text in [
            "",
            "sha256:",
            "sha256:E3",
            "md5:d41d8cd98f00b204e9800998ecf8427e",
            "sha256:../../../../etc/passwd",
            &short.to_uppercase(),
        ] {
            assert!(
                matches!(verify(b"", Some(text)), Err(DigestError::Malformed { .. })),
                "{text}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn children_have_digests_whatever_is_read(name in "[./:?#%a-f0-9]{0,40}|sha256:[0-9a-f./]{62,66}") {
            let index = serde_json::json!({"manifests": [{"digest": name}]}).to_string();
            let is_read = parse(index.as_bytes(), OCI_INDEX).is_ok();
            proptest::prop_assert_eq!(is_read, check_digest(&name).is_ok());
        }

        #[test]
        fn any_manifest_is_read_without_panic(body in "[\\[\\]{}:,\"a-z0-9 ]{0,200}", content_type in "[ -~]{0,40}") {
            parse(body.as_bytes(), &content_type).ok();
        }
    }
}
