//! The bytes of blobs, by digest.

use std::collections::HashMap;

use bytes::Bytes;
use parking_lot::RwLock;

use super::digest::Digest;

/// The largest blob that is taken.
pub(super) const LARGEST: usize = 1024 * 1024 * 1024;

/// Content that was pushed, whoever it belongs to; it is never removed.
#[derive(Debug, Default)]
pub(super) struct Blobs {
    bytes: RwLock<HashMap<Digest, Bytes>>,
}

impl Blobs {
    pub(super) fn put(&self, bytes: Bytes) -> Digest {
        let digest = Digest::of(&bytes);
        self.bytes.write().insert(digest, bytes);
        digest
    }

    pub(super) fn find(&self, digest: Digest) -> Option<Bytes> {
        self.bytes.read().get(&digest).cloned()
    }
}
