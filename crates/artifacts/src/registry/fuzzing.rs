//! Readers of what registries send, for fuzz targets.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue};

use super::challenge::Challenge;
use super::listing::Dialect;
use super::manifest::{self, Config, Manifest};
use super::repository::Repository;
use super::tags::Page;

/// Reads the lines of `WWW-Authenticate`.
pub fn challenge(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(8) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(WWW_AUTHENTICATE, value);
        }
    }
    Challenge::choose(&headers);
}

/// Reads a manifest as what its first byte says it is, and a config.
pub fn manifest(bytes: &[u8]) {
    const TYPES: [&str; 4] = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "",
    ];
    let Some((first, body)) = bytes.split_first() else {
        return;
    };
    let kind = TYPES[usize::from(*first) % TYPES.len()];
    // What cannot be read is an error; all others are as good.
    if let Ok(Manifest::Index(index)) = manifest::parse(body, kind) {
        let mut children = index.manifests.iter();
        assert!(children.all(|it| manifest::check_digest(&it.digest).is_ok()));
    }
    serde_json::from_slice::<Config>(body).ok();
    let digest = manifest::verify(body, None).expect("every body has a digest");
    assert!(manifest::verify(body, Some(&digest)).is_ok());
}

/// Reads a page of tags as each kind of registry writes it.
pub fn tags(bytes: &[u8]) {
    const ROOM: usize = 10_000;
    for host in ["registry.test/web", "europe-docker.pkg.dev/acme/apps/web"] {
        let repository = Repository::parse(host).expect("it is a repository");
        let mut rows = 0_usize;
        let mut offer = |_| rows += 1;
        let mut page = Page::new(&mut offer, ROOM);
        Dialect::of(&repository).read(bytes, &mut page).ok();
        assert!(rows <= 2 * ROOM);
    }
}
