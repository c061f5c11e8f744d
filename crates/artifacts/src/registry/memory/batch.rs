//! The one writer of the file: a transaction per batch, and room made by dropping what was not used for longest.
//!
//! Uses are told in bytes written, not in time: where nothing new is kept nothing gets older, and a use is noted again only
//! after a sixteenth of the file was written since.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use redb::{Database, ReadableDatabase as _, ReadableTable, WriteTransaction};

use super::Key;
use super::file::{ENTRIES, META, Order, Shared, USES, remade};

/// How long a batch is gathered, and how much makes it full.
const GATHERED: Duration = Duration::from_millis(500);
const ORDERS_BOUND: usize = 2_000;
const BYTES_BOUND: u64 = 4 << 20;
/// Most entries that are dropped in one transaction.
const DROPPED_BOUND: usize = 2_000;
/// How often the file is made anew before it is done without.
const REMADE_BOUND: u32 = 3;

/// What is in the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Bytes that were ever written.
    pub(super) written: u64,
    /// Bytes that all entries take.
    pub(super) bytes: u64,
}

/// Works off orders until nobody can give any.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    shared: Arc<Shared>,
    orders: Receiver<Order>,
    bound: u64,
    held: Held,
    remade: u32,
}

impl Held {
    pub(super) fn read(database: &Database) -> Result<Self, redb::Error> {
        let meta = database.begin_read()?.open_table(META)?;
        let read = |name| Ok::<_, redb::Error>(meta.get(name)?.map_or(0, |it| it.value()));
        Ok(Self {
            written: read("written")?,
            bytes: read("bytes")?,
        })
    }

    fn write(self, transaction: &WriteTransaction) -> Result<(), redb::Error> {
        let mut meta = transaction.open_table(META)?;
        meta.insert("written", self.written)?;
        meta.insert("bytes", self.bytes)?;
        Ok(())
    }
}

impl Writer {
    pub(super) fn new(
        path: PathBuf,
        shared: Arc<Shared>,
        orders: Receiver<Order>,
        bound: u64,
        held: Held,
    ) -> Self {
        Self {
            path,
            shared,
            orders,
            bound,
            held,
            remade: 0,
        }
    }

    pub(super) fn run(mut self) {
        while let Ok(first) = self.orders.recv() {
            let batch = self.gather(first);
            self.work_off(batch);
        }
        // The last to hold it closes it, so that the next start finds all in order.
        drop(self.shared.close());
    }

    fn gather(&self, first: Order) -> Vec<Order> {
        let end = Instant::now() + GATHERED;
        let mut bytes = first.bytes();
        let mut batch = vec![first];
        while batch.len() < ORDERS_BOUND && bytes < BYTES_BOUND {
            match self
                .orders
                .recv_timeout(end.saturating_duration_since(Instant::now()))
            {
                Ok(order) => {
                    bytes += order.bytes();
                    batch.push(order);
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        batch
    }

    fn work_off(&mut self, batch: Vec<Order>) {
        let bytes = batch.iter().map(Order::bytes).sum();
        let broken = batch.iter().find_map(|order| match order {
            Order::Remake(why) => Some(why.clone()),
            Order::Keep(..) | Order::Forget(_) | Order::Touch(_) => None,
        });
        if let Some(why) = broken {
            self.remake(&why);
        }
        if let Some(database) = self.shared.database() {
            let writing = catch_unwind(AssertUnwindSafe(|| self.write(&database, batch)));
            drop(database);
            match writing {
                Ok(Ok(())) => {}
                Ok(Err(error)) => self.remake(&error.to_string()),
                Err(_) => self.remake("writing it ended in a panic"),
            }
        }
        self.shared.queued.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Makes the file anew, or does without it.
    fn remake(&mut self, why: &str) {
        drop(self.shared.close());
        self.remade += 1;
        let file = self.path.display();
        if self.remade > REMADE_BOUND {
            tracing::warn!(%file, why, "discoveries are remembered in this process only from now on");
            return;
        }
        tracing::warn!(%file, why, "the memory of discoveries is made anew");
        self.held = Held::default();
        self.shared.written.store(0, Ordering::Relaxed);
        let database = remade(&self.path, self.bound).map(Arc::new);
        let mut shared = self
            .shared
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *shared = database;
    }

    /// Writes a batch in one transaction, then makes room where it is needed.
    fn write(&mut self, database: &Database, batch: Vec<Order>) -> Result<(), redb::Error> {
        let transaction = begin(database)?;
        let mut held = self.held;
        {
            let mut entries = transaction.open_table(ENTRIES)?;
            let mut uses = transaction.open_table(USES)?;
            for order in batch {
                match order {
                    Order::Keep(key, row) => {
                        let row = row.encode(&key);
                        let takes = takes(row.len());
                        entries.insert(&key, &*row)?;
                        held.written += u64::from(takes);
                        let before = uses.insert(&key, (held.written, takes))?;
                        let before = before.map_or(0, |it| it.value().1);
                        held.bytes =
                            (held.bytes + u64::from(takes)).saturating_sub(u64::from(before));
                    }
                    Order::Forget(key) => {
                        entries.remove(&key)?;
                        let before = uses.remove(&key)?.map_or(0, |it| it.value().1);
                        held.bytes = held.bytes.saturating_sub(u64::from(before));
                    }
                    Order::Touch(key) => {
                        let known = uses.get(&key)?.map(|it| it.value());
                        if let Some((_, takes)) = known {
                            uses.insert(&key, (held.written, takes))?;
                        }
                    }
                    Order::Remake(_) => {}
                }
            }
        }
        self.commit(transaction, held)?;
        if self.held.bytes > self.bound / 2 {
            self.make_room(database)?;
        }
        Ok(())
    }

    fn commit(&mut self, transaction: WriteTransaction, held: Held) -> Result<(), redb::Error> {
        held.write(&transaction)?;
        transaction.commit()?;
        self.held = held;
        self.shared.written.store(held.written, Ordering::Relaxed);
        Ok(())
    }

    /// Drops what was not used for longest, until three eighths of the bound are left: redb's file has up to twice the
    /// size of what is in it.
    fn make_room(&mut self, database: &Database) -> Result<(), redb::Error> {
        let mut cut = self.cut(database)?;
        let mut from = Some(Key::default());
        while let Some(first) = from {
            let transaction = begin(database)?;
            let mut held = self.held;
            {
                let mut entries = transaction.open_table(ENTRIES)?;
                let mut uses = transaction.open_table(USES)?;
                let old = cut.old(&uses, first)?;
                for (key, takes) in old.entries {
                    entries.remove(&key)?;
                    uses.remove(&key)?;
                    held.bytes = held.bytes.saturating_sub(u64::from(takes));
                }
                from = old.next;
            }
            self.commit(transaction, held)?;
        }
        tracing::debug!(
            bytes = self.held.bytes,
            "made room in the memory of discoveries"
        );
        Ok(())
    }

    /// Finds what has to go, and counts all entries anew on the way.
    fn cut(&mut self, database: &Database) -> Result<Cut, redb::Error> {
        let step = (self.bound / 512).max(1);
        let mut by_use: BTreeMap<u64, u64> = BTreeMap::new();
        let uses = database.begin_read()?.open_table(USES)?;
        for entry in uses.iter()? {
            let (used, takes) = entry?.1.value();
            *by_use.entry(used / step).or_default() += u64::from(takes);
        }
        self.held.bytes = by_use.values().sum();
        let mut surplus = self.held.bytes.saturating_sub(self.bound / 8 * 3);
        let mut last = 0;
        for (used, takes) in by_use {
            last = used;
            if takes >= surplus {
                break;
            }
            surplus -= takes;
        }
        Ok(Cut {
            step,
            last,
            of_last: surplus,
        })
    }
}

/// What has to go: all entries used before a time, and some of that time.
#[derive(Debug)]
struct Cut {
    /// How exactly times are told apart.
    step: u64,
    last: u64,
    /// Bytes that still have to go of the last time.
    of_last: u64,
}

/// Entries that have to go.
struct Old {
    entries: Vec<(Key, u32)>,
    /// Where to go on looking.
    next: Option<Key>,
}

impl Cut {
    /// Gathers entries that have to go, from a key on.
    fn old(
        &mut self,
        uses: &impl ReadableTable<&'static Key, (u64, u32)>,
        from: Key,
    ) -> Result<Old, redb::Error> {
        let mut entries = Vec::new();
        for entry in uses.range::<&Key>(&from..)? {
            let (key, value) = entry?;
            let (used, takes) = value.value();
            let used = used / self.step;
            let goes = used < self.last || used == self.last && self.of_last > 0;
            if !goes {
                continue;
            }
            if entries.len() == DROPPED_BOUND {
                let next = Some(*key.value());
                return Ok(Old { entries, next });
            }
            if used == self.last {
                self.of_last = self.of_last.saturating_sub(u64::from(takes));
            }
            entries.push((*key.value(), takes));
        }
        Ok(Old {
            entries,
            next: None,
        })
    }
}

impl Order {
    fn bytes(&self) -> u64 {
        match self {
            Self::Keep(_, row) => u64::try_from(row.bytes()).unwrap_or(u64::MAX),
            Self::Forget(_) | Self::Touch(_) | Self::Remake(_) => 0,
        }
    }
}

fn begin(database: &Database) -> Result<WriteTransaction, redb::Error> {
    let mut transaction = database.begin_write()?;
    // A process that is killed leaves a file that opens at once.
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// Estimates what an entry takes of the file: large ones have pages of their own, in powers of two, small ones share pages
/// that are two thirds full.
fn takes(row: usize) -> u32 {
    const PAGE: usize = 4096;
    let bytes = row + size_of::<Key>() + 16;
    let in_entries = if bytes > PAGE / 2 {
        bytes.next_power_of_two().max(PAGE)
    } else {
        bytes / 2 * 3
    };
    u32::try_from(in_entries + 100).unwrap_or(u32::MAX)
}
