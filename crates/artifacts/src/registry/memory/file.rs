//! The file: read by whoever asks, written by one thread in batches, off the way of requests.
//!
//! It holds nothing that cannot be asked for again. So a damaged file is made anew, one that cannot be had is done
//! without, and what cannot be written down fast enough is not.

use std::fs::{self, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

use redb::{Builder, Database, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::Key;
use super::batch::{Held, Writer};
use super::row::Row;

/// The layout this program reads and writes.
const FORMAT: u64 = 1;

/// What was answered, by key.
pub(super) const ENTRIES: TableDefinition<'static, &Key, &[u8]> = TableDefinition::new("entries");
/// When an entry was last used, in bytes written before, and what it takes of the file.
pub(super) const USES: TableDefinition<'static, &Key, (u64, u32)> = TableDefinition::new("uses");
pub(super) const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// redb's page cache, which also bounds what a batch holds in memory.
const PAGE_CACHE: usize = 8 << 20;
/// Most bytes that wait to be written; what comes then is not kept.
const QUEUE_BOUND: u64 = 16 << 20;

/// The open file. Dropping it writes what waits, and closes it.
#[derive(Debug)]
pub(super) struct File {
    shared: Arc<Shared>,
    orders: Mutex<Option<Sender<Order>>>,
    writer: Option<JoinHandle<()>>,
}

/// What readers and the writer share.
#[derive(Debug)]
pub(super) struct Shared {
    /// None while the file cannot be used.
    pub(super) database: RwLock<Option<Arc<Database>>>,
    /// Bytes that were ever written: the clock by which uses are told.
    pub(super) written: AtomicU64,
    /// Bytes that wait to be written.
    pub(super) queued: AtomicU64,
    /// How many bytes may be written before a use is worth to be noted again.
    pub(super) stale: u64,
    /// Whether a damaged entry was told of.
    told: AtomicBool,
}

/// What the writer is to do.
#[derive(Debug)]
pub(super) enum Order {
    Keep(Key, Row),
    Forget(Key),
    /// Notes that an entry was used.
    Touch(Key),
    /// Makes the file anew: reading it failed.
    Remake(String),
}

/// Why there is no file.
enum Trouble {
    /// Another process has it.
    Taken,
    /// It is not what we write.
    Damaged(String),
    Io(redb::Error),
}

impl File {
    /// Opens the file or makes it, for its owner alone.
    pub(super) fn open(path: &Path, bound: u64) -> Option<Self> {
        let shown = path.display();
        let database = match open(path, bound) {
            Err(Trouble::Damaged(why)) => {
                tracing::warn!(file = %shown, why, "the memory of discoveries is made anew");
                remake(path, bound)
            }
            other => other,
        };
        let database = match database {
            Ok(database) => database,
            Err(trouble) => {
                let why = trouble.why();
                tracing::warn!(file = %shown, why, "discoveries are remembered in this process only; free the file or name another folder: --data-dir FOLDER");
                return None;
            }
        };
        let held = Held::read(&database).unwrap_or_default();
        let shared = Arc::new(Shared {
            database: RwLock::new(Some(Arc::new(database))),
            written: AtomicU64::new(held.written),
            queued: AtomicU64::new(0),
            stale: bound / 16,
            told: AtomicBool::new(false),
        });
        let (sender, orders) = mpsc::channel();
        let writer = Writer::new(path.to_owned(), Arc::clone(&shared), orders, bound, held);
        let writer = std::thread::Builder::new()
            .name("discovery-memory".to_owned())
            .spawn(move || writer.run())
            .inspect_err(|error| tracing::warn!(%error, "discoveries are remembered in this process only: no thread"))
            .ok()?;
        Some(Self {
            shared,
            orders: Mutex::new(Some(sender)),
            writer: Some(writer),
        })
    }

    /// Reads an entry; what cannot be decoded is dropped.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        key: Key,
        decode: impl FnOnce(&[u8]) -> Option<T> + Send + 'static,
    ) -> Option<T> {
        let database = self.shared.database()?;
        let shared = Arc::clone(&self.shared);
        // Reading may wait for the disk; and a page that is damaged may make redb panic.
        let reading = tokio::task::spawn_blocking(move || {
            find(&database, &key, |row, used| {
                let written = shared.written.load(Ordering::Relaxed);
                let is_stale = written.saturating_sub(used) > shared.stale;
                (decode(row), is_stale)
            })
        });
        match reading.await {
            Ok(Ok(None)) => None,
            Ok(Ok(Some((Some(found), is_stale)))) => {
                if is_stale {
                    self.order(Order::Touch(key));
                }
                Some(found)
            }
            Ok(Ok(Some((None, _)))) => {
                if !self.shared.told.swap(true, Ordering::Relaxed) {
                    tracing::warn!(
                        "an entry in the memory of discoveries is damaged; such entries are asked for again"
                    );
                }
                self.forget(key);
                None
            }
            Ok(Err(error)) => self.give_up(error.to_string()),
            Err(_) => self.give_up("reading it ended in a panic".to_owned()),
        }
    }

    pub(super) fn keep(&self, key: Key, row: Row) {
        let bytes = u64::try_from(row.bytes()).unwrap_or(u64::MAX);
        if self.shared.queued.load(Ordering::Relaxed) + bytes > QUEUE_BOUND {
            tracing::debug!("the disk is slow; an answer is not kept");
            return;
        }
        self.shared.queued.fetch_add(bytes, Ordering::Relaxed);
        self.order(Order::Keep(key, row));
    }

    pub(super) fn forget(&self, key: Key) {
        self.order(Order::Forget(key));
    }

    /// Closes a file that cannot be read, and has it made anew.
    fn give_up<T>(&self, why: String) -> Option<T> {
        if self.shared.close().is_some() {
            self.order(Order::Remake(why));
        }
        None
    }

    fn order(&self, order: Order) {
        let orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(orders) = &*orders {
            // Without the writer, which has given up, nothing is kept.
            orders.send(order).ok();
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let orders = self
            .orders
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        drop(orders.take());
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::warn!("writing the memory of discoveries ended in a panic");
        }
    }
}

impl Shared {
    pub(super) fn database(&self) -> Option<Arc<Database>> {
        let database = self.database.read();
        database.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the file away from readers.
    pub(super) fn close(&self) -> Option<Arc<Database>> {
        let database = self.database.write();
        database.unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Trouble {
    fn why(&self) -> String {
        match self {
            Self::Taken => "another process uses it".to_owned(),
            Self::Damaged(why) => why.clone(),
            Self::Io(error) => error.to_string(),
        }
    }
}

/// Finds an entry and when it was last used.
fn find<T>(
    database: &Database,
    key: &Key,
    read: impl FnOnce(&[u8], u64) -> T,
) -> Result<Option<T>, redb::Error> {
    let transaction = database.begin_read()?;
    let Some(row) = transaction.open_table(ENTRIES)?.get(key)? else {
        return Ok(None);
    };
    let used = transaction.open_table(USES)?.get(key)?;
    let used = used.map_or(0, |it| it.value().0);
    Ok(Some(read(row.value(), used)))
}

/// Makes the file anew, whatever was there.
pub(super) fn remade(path: &Path, bound: u64) -> Option<Database> {
    match remake(path, bound) {
        Ok(database) => Some(database),
        Err(trouble) => {
            let why = trouble.why();
            tracing::warn!(file = %path.display(), why, "discoveries are remembered in this process only from now on");
            None
        }
    }
}

fn remake(path: &Path, bound: u64) -> Result<Database, Trouble> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Trouble::Io(redb::Error::Io(error)));
        }
        _ => {}
    }
    open(path, bound)
}

fn open(path: &Path, bound: u64) -> Result<Database, Trouble> {
    let length = private(path).map_err(|error| Trouble::Io(redb::Error::Io(error)))?;
    if length > bound.saturating_mul(2) {
        return Err(Trouble::Damaged(format!(
            "it has {length} bytes, more than it may"
        )));
    }
    let opened = catch_unwind(AssertUnwindSafe(|| {
        let database = Builder::new().set_cache_size(PAGE_CACHE).create(path)?;
        Ok(prepare(&database)?.then_some(database))
    }));
    match opened {
        Ok(Ok(Some(database))) => Ok(database),
        Ok(Ok(None)) => Err(Trouble::Damaged("another version wrote it".to_owned())),
        Ok(Err(redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch)) => {
            Err(Trouble::Taken)
        }
        Ok(Err(redb::Error::Io(error))) if !is_damage(&error) => {
            Err(Trouble::Io(redb::Error::Io(error)))
        }
        Ok(Err(error)) => Err(Trouble::Damaged(error.to_string())),
        Err(_) => Err(Trouble::Damaged("opening it ended in a panic".to_owned())),
    }
}

/// Says whether the content of the file is to blame, and not the disk.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof
    )
}

/// Makes the file if it is not there, lets its owner alone read it, and tells its length.
fn private(path: &Path) -> io::Result<u64> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file.metadata()?.len())
}

/// Makes the tables of a new file; false where another version made them.
fn prepare(database: &Database) -> Result<bool, redb::Error> {
    let transaction = database.begin_write()?;
    let is_ours = {
        let mut meta = transaction.open_table(META)?;
        let format = meta.get("format")?.map(|it| it.value());
        match format {
            Some(FORMAT) => true,
            Some(_) => false,
            None => {
                meta.insert("format", FORMAT)?;
                transaction.open_table(ENTRIES)?;
                transaction.open_table(USES)?;
                true
            }
        }
    };
    transaction.commit()?;
    Ok(is_ours)
}
