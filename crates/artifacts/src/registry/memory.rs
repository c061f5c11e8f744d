//! What registries answered before: what digests name, and the digest each tag had when it was last seen.
//!
//! What a digest names never changes, so it is worth keeping for long: in front a small cache of what was read
//! ([`Memory`]), behind it one bounded [`file`] that outlives the process. A [`ScopedMemory`] sees what was shown to one
//! project with one credential at one repository and nothing else; whoever asks it has shown before that the credential
//! still opens the repository ([`Reader`](super::Reader)).
//!
//! Nothing is believed because it is in the file: content is computed to its digest again, tags have a sum of their own.

mod batch;
mod file;
mod row;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use moka::future::{Cache, CacheBuilder};
use sha2::{Digest as _, Sha256};

use self::file::File;
use self::row::{Content, Form, Row};
use super::Scope;
use super::manifest::{Config, Manifest};

/// Most bytes of memory for what was read, of all projects together.
const FRONT_BOUND: u64 = 16 << 20;
/// Most bytes of a manifest or config that is kept in the file.
const KEPT_BOUND: usize = 256 << 10;

/// How often what is in use is read from the file, so that the file knows that it is.
const REREAD: Duration = Duration::from_hours(1);

/// Names an entry: a digest over its scope, its kind and its name, so that nobody can name another's.
type Key = [u8; 32];

/// Remembers what registries answered, for all scopes, in memory and on disk.
#[derive(Debug)]
pub struct Memory {
    front: Cache<Key, Known>,
    file: Option<File>,
}

/// Remembers what was shown to one credential at one repository.
#[derive(Debug, Clone)]
pub(super) struct ScopedMemory {
    memory: Arc<Memory>,
    scope: Sha256,
}

/// What is known of a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tag {
    pub(super) digest: String,
    pub(super) ask: Ask,
}

/// How to ask whether a tag still has its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ask {
    /// By HEAD, which names the digest.
    Head,
    /// By GET, unless what is there still has this `ETag`.
    Unless(String),
    /// By GET alone.
    Get,
}

/// Holds what we read of an answer.
#[derive(Debug, Clone)]
enum Known {
    Manifest(Arc<Manifest>),
    Config(Arc<Config>),
    Tag(Arc<Tag>),
}

impl Memory {
    /// Remembers for as long as the process lives.
    pub fn new() -> Self {
        Self {
            front: front().build(),
            file: None,
        }
    }

    /// Remembers in `file`, of at most `bound` bytes; a file that cannot be used is made anew, or done without.
    pub fn open(file: &Path, bound: u64) -> Self {
        let Some(file) = File::open(file, bound) else {
            return Self::new();
        };
        Self {
            front: front().time_to_live(REREAD).build(),
            file: Some(file),
        }
    }

    /// Gives the part that belongs to a scope and a repository in it.
    pub(super) fn scoped(self: &Arc<Self>, scope: &Scope, repository: &str) -> ScopedMemory {
        let Scope {
            project,
            host,
            login,
            insecure,
        } = scope;
        let mut hash = Sha256::new();
        let login_or_none = login.as_deref().unwrap_or_default();
        for part in [project, host, login_or_none, repository] {
            hash.update(part.len().to_be_bytes());
            hash.update(part);
        }
        hash.update([u8::from(login.is_some()), u8::from(*insecure)]);
        ScopedMemory {
            memory: Arc::clone(self),
            scope: hash,
        }
    }
}

fn front() -> CacheBuilder<Key, Known, Cache<Key, Known>> {
    Cache::builder()
        .max_capacity(FRONT_BOUND)
        .weigher(|_, known: &Known| u32::try_from(known.bytes()).unwrap_or(u32::MAX))
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl Known {
    /// Estimates the memory it takes.
    fn bytes(&self) -> usize {
        let text = |map: &BTreeMap<String, String>| {
            map.iter()
                .map(|(key, value)| key.len() + value.len() + 64)
                .sum::<usize>()
        };
        400 + match self {
            Self::Config(_) | Self::Tag(_) => 0,
            Self::Manifest(manifest) => match &**manifest {
                Manifest::Single(single) => text(&single.annotations),
                Manifest::Index(index) => {
                    let children = index
                        .manifests
                        .iter()
                        .map(|child| 400 + text(&child.annotations));
                    text(&index.annotations) + children.sum::<usize>()
                }
            },
        }
    }
}

impl ScopedMemory {
    /// Remembers the digest that a tag had.
    pub(super) async fn tag(&self, tag: &str) -> Option<Arc<Tag>> {
        let key = self.key(b't', tag);
        if let Some(Known::Tag(known)) = self.memory.front.get(&key).await {
            return Some(known);
        }
        let known = self.read(key, move |row| Tag::decode(&key, row)).await?;
        let known = Arc::new(known);
        self.keep(key, Known::Tag(Arc::clone(&known))).await;
        Some(known)
    }

    /// Remembers the manifest that a digest names.
    pub(super) async fn manifest(&self, digest: &str) -> Option<Arc<Manifest>> {
        let key = self.key(b'm', digest);
        if let Some(Known::Manifest(known)) = self.memory.front.get(&key).await {
            return Some(known);
        }
        let known = self.content(key, digest, Content::manifest).await?;
        let known = Arc::new(known);
        self.keep(key, Known::Manifest(Arc::clone(&known))).await;
        Some(known)
    }

    /// Remembers the config that a digest names.
    pub(super) async fn config(&self, digest: &str) -> Option<Arc<Config>> {
        let key = self.key(b'c', digest);
        if let Some(Known::Config(known)) = self.memory.front.get(&key).await {
            return Some(known);
        }
        let known = self.content(key, digest, Content::config).await?;
        let known = Arc::new(known);
        self.keep(key, Known::Config(Arc::clone(&known))).await;
        Some(known)
    }

    pub(super) async fn keep_tag(&self, tag: &str, known: Tag) {
        let key = self.key(b't', tag);
        self.write(key, Row::Tag(known.clone()));
        self.keep(key, Known::Tag(Arc::new(known))).await;
    }

    /// Keeps a manifest, whose body was found to have this digest.
    pub(super) async fn keep_manifest(&self, digest: &str, body: &Bytes, manifest: Arc<Manifest>) {
        let key = self.key(b'm', digest);
        self.write_content(key, Form::of(&manifest), body);
        self.keep(key, Known::Manifest(manifest)).await;
    }

    /// Keeps a config, whose body was found to have this digest.
    pub(super) async fn keep_config(&self, digest: &str, body: &Bytes, config: Arc<Config>) {
        let key = self.key(b'c', digest);
        self.write_content(key, Form::Config, body);
        self.keep(key, Known::Config(config)).await;
    }

    /// Forgets a tag that is gone.
    pub(super) async fn forget_tag(&self, tag: &str) {
        let key = self.key(b't', tag);
        self.memory.front.invalidate(&key).await;
        if let Some(file) = &self.memory.file {
            file.forget(key);
        }
    }

    fn key(&self, kind: u8, name: &str) -> Key {
        let mut hash = self.scope.clone();
        hash.update([kind]);
        hash.update(name);
        hash.finalize().into()
    }

    async fn keep(&self, key: Key, known: Known) {
        self.memory.front.insert(key, known).await;
    }

    fn write(&self, key: Key, row: Row) {
        if let Some(file) = &self.memory.file {
            file.keep(key, row);
        }
    }

    fn write_content(&self, key: Key, form: Form, body: &Bytes) {
        if body.len() <= KEPT_BOUND {
            let body = body.clone();
            self.write(key, Row::Content(Content { form, body }));
        }
    }

    /// Reads content that has this digest.
    async fn content<T: Send + 'static>(
        &self,
        key: Key,
        digest: &str,
        parse: fn(&Content) -> Option<T>,
    ) -> Option<T> {
        let digest = digest.to_owned();
        let read = move |row: &[u8]| parse(&Content::decode(row, &digest, KEPT_BOUND)?);
        self.read(key, read).await
    }

    /// Reads an entry of the file; one that is damaged is dropped.
    async fn read<T: Send + 'static>(
        &self,
        key: Key,
        decode: impl FnOnce(&[u8]) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        self.memory.file.as_ref()?.read(key, decode).await
    }
}

#[cfg(test)]
mod tests;
