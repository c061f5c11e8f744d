//! The one thread that writes: it takes what waits, checks it, commits it together, shows it, answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::compaction::History;
use super::file::File;
use super::memory::Memory;
use super::object::{Change, ChangeKind, Key, Object};
use super::{Effect, Expect, Pending, Refused, Write};

/// At most this many writes share a transaction.
const BATCH: usize = 512;

/// Stops the writer.
pub(super) struct Handle {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<()>,
}

impl Handle {
    /// Waits for what was asked before, and for the file to be closed.
    pub(super) async fn stop(self) {
        drop(self.stop);
        let thread = self.thread;
        if tokio::task::spawn_blocking(move || thread.join())
            .await
            .is_err()
        {
            tracing::warn!("the store's writer did not end in time");
        }
    }
}

pub(super) fn start(
    file: File,
    memory: Arc<Memory>,
    history: History,
    requests: mpsc::Receiver<Pending>,
) -> Handle {
    let (stop, stopped) = mpsc::channel(1);
    let writer = Writer {
        revision: memory.revision(),
        file,
        memory,
        history,
        failed: false,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let thread = std::thread::Builder::new()
        .name("store-writer".to_owned())
        .spawn(move || match runtime {
            Ok(runtime) => runtime.block_on(writer.run(requests, stopped)),
            Err(error) => tracing::error!(%error, "the store's writer could not start"),
        })
        .expect("a thread can be started");
    Handle { stop, thread }
}

struct Writer {
    file: File,
    memory: Arc<Memory>,
    history: History,
    revision: u64,
    /// The disk failed: what is on it is unknown until it is opened again.
    failed: bool,
}

type Answer = oneshot::Sender<Result<Arc<Object>, Refused>>;

impl Writer {
    async fn run(mut self, mut requests: mpsc::Receiver<Pending>, mut stopped: mpsc::Receiver<()>) {
        loop {
            let first = tokio::select! {
                biased;
                first = requests.recv() => first,
                _ = stopped.recv() => {
                    requests.close();
                    requests.recv().await
                }
            };
            let Some(first) = first else { return };
            let mut batch = vec![first];
            while batch.len() < BATCH {
                match requests.try_recv() {
                    Ok(next) => batch.push(next),
                    Err(_) => break,
                }
            }
            self.commit(batch);
        }
    }

    fn commit(&mut self, batch: Vec<Pending>) {
        let mut staged = Staged {
            memory: &self.memory,
            overlay: HashMap::new(),
            changes: Vec::new(),
        };
        let mut answers: Vec<(Answer, Arc<Object>)> = Vec::with_capacity(batch.len());
        for Pending { write, answer } in batch {
            let outcome = if self.failed {
                Err(Refused::Storage)
            } else {
                staged.stage(write, self.revision + 1)
            };
            match outcome {
                Ok(object) => {
                    self.revision = object.revision;
                    answers.push((answer, object));
                }
                Err(refused) => reply(answer, Err(refused)),
            }
        }
        let changes = staged.changes;
        if changes.is_empty() {
            return;
        }
        let compacted = self.history.is_exceeded(self.memory.history()).then(|| {
            // Dropped from memory first: what the file still holds until the commit, nobody can ask for.
            self.memory.forget(self.history.changes, self.history.bytes)
        });
        match self.file.commit(&changes, compacted) {
            Ok(()) => {
                self.memory.apply(changes);
                for (answer, object) in answers {
                    reply(answer, Ok(object));
                }
            }
            Err(error) => {
                tracing::error!(%error, "the store failed; it takes no more writes until it is opened again");
                self.failed = true;
                self.memory.fail();
                for (answer, _) in answers {
                    reply(answer, Err(Refused::Storage));
                }
            }
        }
    }
}

/// A caller that has gone away does not undo its write.
fn reply(answer: Answer, outcome: Result<Arc<Object>, Refused>) {
    drop(answer.send(outcome));
}

/// A transaction being put together: what it changes hides what is in memory.
struct Staged<'a> {
    memory: &'a Memory,
    overlay: HashMap<Key, Option<Arc<Object>>>,
    changes: Vec<Arc<Change>>,
}

impl Staged<'_> {
    fn current(&self, key: &Key) -> Option<Arc<Object>> {
        self.overlay
            .get(key)
            .cloned()
            .unwrap_or_else(|| self.memory.get(key))
    }

    fn stage(&mut self, write: Write, revision: u64) -> Result<Arc<Object>, Refused> {
        let Write {
            key,
            expect,
            effect,
            namespace,
        } = write;
        let before = self.current(&key);
        let found = before
            .as_ref()
            .map_or(Expect::Absent, |it| Expect::Revision(it.revision));
        if found != expect {
            return Err(Refused::Changed(before));
        }
        if let Some(namespace) = namespace {
            match self.current(&namespace) {
                None => return Err(Refused::NamespaceMissing),
                Some(it) if it.deleting => return Err(Refused::NamespaceTerminating),
                Some(_) => {}
            }
        }
        let (value, kind) = match effect {
            Effect::Put(value) if before.is_none() => (value, ChangeKind::Created),
            Effect::Put(value) => (value, ChangeKind::Updated),
            Effect::Remove(value) => (value, ChangeKind::Deleted),
        };
        let object = Object::stamp(key.clone(), value, revision).map_err(|error| {
            tracing::error!(%error, ?key, "an object with malformed metadata was to be stored");
            Refused::Storage
        })?;
        let object = Arc::new(object);
        self.overlay.insert(
            key,
            (kind != ChangeKind::Deleted).then(|| Arc::clone(&object)),
        );
        self.changes
            .push(Arc::new(Change::new(kind, before, Arc::clone(&object))));
        Ok(object)
    }
}
