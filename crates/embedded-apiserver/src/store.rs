//! Every object and its latest changes: durable in one redb file, read from memory.
//!
//! One thread writes. It takes all requests that are waiting, checks each against what it is about to replace, puts
//! them into one transaction and one fsync, and only then shows them to readers and answers. So an answered write is on
//! disk, readers never wait for the disk, and revisions are handed out in one order.

mod compaction;
mod directory;
mod feed;
mod file;
mod memory;
mod object;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};

pub use compaction::History;
pub(crate) use feed::Feed;
pub(crate) use memory::{Memory, Page, PageRequest};
pub(crate) use object::{Change, ChangeKind, Key, Object, Resource, frame};

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("failed to prepare the data directory {path:?}")]
    Directory {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the data directory {path:?} is in use by process {holder}")]
    InUse { path: PathBuf, holder: String },
    #[error("the directory {path:?} holds other files, and others may read it")]
    NotPrivate { path: PathBuf },
    #[error("the data in {path:?} has format {found}, this program reads up to {supported}")]
    NewerFormat {
        path: PathBuf,
        found: u64,
        supported: u64,
    },
    #[error("failed to read the data in {path:?}")]
    Database {
        path: PathBuf,
        source: Box<redb::Error>,
    },
    #[error("the data in {path:?} is damaged: {what}")]
    Damaged { path: PathBuf, what: String },
    #[error("failed to read or keep the key that signs tokens in {path:?}")]
    SigningKey {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("the file {path:?} holds no RSA private key in PEM")]
    NotASigningKey { path: PathBuf },
    #[error("the issuer {issuer:?} is not an https URL without query and fragment")]
    Issuer { issuer: String },
    #[error("failed to set up the built-in objects: {what}")]
    Bootstrap { what: String },
}

impl OpenError {
    /// Says what to try next.
    pub fn hint(&self) -> String {
        match self {
            Self::Directory { path, .. } | Self::SigningKey { path, .. } => {
                format!("check the owner and permissions of {}", path.display())
            }
            Self::InUse { holder, .. } => {
                format!("stop process {holder} (kill {holder}), or choose another data directory")
            }
            Self::NotPrivate { path } => {
                format!(
                    "choose an empty directory, or make {0} private: chmod 700 {0}",
                    path.display()
                )
            }
            Self::NewerFormat { .. } => {
                "run the newer program that wrote it, or choose another data directory".to_owned()
            }
            Self::Database { path, .. } | Self::Damaged { path, .. } => {
                format!(
                    "move {} away and start again, or restore a copy",
                    path.display()
                )
            }
            Self::NotASigningKey { path } => {
                format!(
                    "restore {0} from a copy, or move it away: a new key is made, and tokens of the old one are refused",
                    path.display()
                )
            }
            Self::Issuer { .. } => "choose one such as https://issuer.example".to_owned(),
            Self::Bootstrap { .. } => "report this as a bug".to_owned(),
        }
    }
}

/// What a write expects to find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    Absent,
    Revision(u64),
}

/// What becomes of the object.
#[derive(Debug)]
pub(crate) enum Effect {
    Put(Value),
    /// The last state, which watchers see in the DELETED event.
    Remove(Value),
}

/// One change asked of the store.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) key: Key,
    pub(crate) expect: Expect,
    pub(crate) effect: Effect,
    /// A namespace that must exist and not be terminating at the instant of the write.
    pub(crate) namespace: Option<Key>,
}

/// Why a write did not happen.
#[derive(Debug, Clone)]
pub(crate) enum Refused {
    /// What was found is not what was expected; the object as it is now.
    Changed(Option<Arc<Object>>),
    NamespaceMissing,
    NamespaceTerminating,
    /// The disk failed, as the log says: this store takes no more writes.
    Storage,
    Closed,
}

/// A write on its way to the writer.
pub(crate) struct Pending {
    write: Write,
    answer: oneshot::Sender<Result<Arc<Object>, Refused>>,
}

/// The store: cheap to clone.
#[derive(Clone)]
pub(crate) struct Store {
    memory: Arc<Memory>,
    writes: mpsc::Sender<Pending>,
    closing: Arc<Mutex<Option<writer::Handle>>>,
}

impl Store {
    /// Opens or creates the store in `directory`, which this process then holds alone.
    pub(crate) fn open(directory: &Path, history: History) -> Result<Self, OpenError> {
        let file = file::File::open(directory)?;
        Self::start(file, history)
    }

    /// Opens a store over any storage: memory, or one that fails on purpose.
    pub(crate) fn open_on(
        backend: impl redb::StorageBackend,
        history: History,
    ) -> Result<Self, OpenError> {
        let file = file::File::open_on(backend)?;
        Self::start(file, history)
    }

    fn start(mut file: file::File, history: History) -> Result<Self, OpenError> {
        let memory = Arc::new(file.load()?);
        file.shrink(memory.live_bytes())?;
        let (writes, requests) = mpsc::channel(1024);
        let handle = writer::start(file, Arc::clone(&memory), history, requests);
        Ok(Self {
            memory,
            writes,
            closing: Arc::new(Mutex::new(Some(handle))),
        })
    }

    /// Does one write; when this returns `Ok`, it is on disk.
    pub(crate) async fn write(&self, write: Write) -> Result<Arc<Object>, Refused> {
        let (answer, answered) = oneshot::channel();
        self.writes
            .send(Pending { write, answer })
            .await
            .map_err(|_| Refused::Closed)?;
        answered.await.map_err(|_| Refused::Closed)?
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Finishes what was asked before, closes the file and lets the next process in.
    pub(crate) async fn close(&self) {
        let handle = self.closing.lock().take();
        if let Some(handle) = handle {
            handle.stop().await;
        }
        self.memory.end_feeds();
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("revision", &self.memory.revision())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
