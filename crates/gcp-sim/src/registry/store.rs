//! What every repository holds.

use std::collections::{BTreeMap, HashMap, HashSet};

use bytes::Bytes;
use parking_lot::RwLock;

use super::address::RepositoryName;
use super::blobs::Blobs;
use super::digest::Digest;
use super::image::Image;

/// Everything that was pushed, by repository.
#[derive(Debug, Default)]
pub(super) struct Store {
    blobs: Blobs,
    contents: RwLock<HashMap<RepositoryName, Contents>>,
}

/// What one repository holds.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// The blobs that were pushed to it or mounted into it: nobody reads a blob through another repository.
    pub blobs: HashSet<Digest>,
    pub images: BTreeMap<String, Image>,
}

impl Store {
    /// Keeps a blob and makes it a repository's.
    pub(super) fn put_blob(&self, repository: &RepositoryName, bytes: Bytes) -> Digest {
        let digest = self.blobs.put(bytes);
        self.write(repository, |contents| contents.blobs.insert(digest));
        digest
    }

    /// Finds a blob that `repository` holds, or that an image of it makes on demand.
    pub(super) fn find_blob(&self, repository: &RepositoryName, digest: Digest) -> Option<Bytes> {
        let made = |contents: &Contents| {
            contents
                .images
                .values()
                .find_map(|image| image.find_made_blob(digest))
        };
        if self.read(repository, |contents| contents.blobs.contains(&digest))? {
            self.blobs.find(digest)
        } else {
            self.read(repository, made).flatten()
        }
    }

    /// Forgets that a repository holds a blob.
    pub(super) fn delete_blob(&self, repository: &RepositoryName, digest: Digest) -> bool {
        self.write(repository, |contents| contents.blobs.remove(&digest))
    }

    /// Looks at what a repository holds; `None` if nothing was ever pushed to it.
    pub(super) fn read<T>(
        &self,
        repository: &RepositoryName,
        look: impl FnOnce(&Contents) -> T,
    ) -> Option<T> {
        self.contents.read().get(repository).map(look)
    }

    /// Looks at one image; `None` if there is none of that name.
    pub(super) fn read_image<T>(
        &self,
        repository: &RepositoryName,
        image: &str,
        look: impl FnOnce(&Image) -> T,
    ) -> Option<T> {
        self.read(repository, |contents| contents.images.get(image).map(look))
            .flatten()
    }

    /// Changes one image: it begins to exist if it must, and ends with its last manifest.
    pub(super) fn write_image<T>(
        &self,
        repository: &RepositoryName,
        image: &str,
        change: impl FnOnce(&mut Image) -> T,
    ) -> T {
        self.write(repository, |contents| {
            let result = change(contents.images.entry(image.to_owned()).or_default());
            contents.images.retain(|_, image| !image.is_empty());
            result
        })
    }

    /// Forgets everything a repository holds.
    pub(super) fn forget(&self, repository: &RepositoryName) {
        self.contents.write().remove(repository);
    }

    fn write<T>(&self, repository: &RepositoryName, change: impl FnOnce(&mut Contents) -> T) -> T {
        change(self.contents.write().entry(repository.clone()).or_default())
    }
}
