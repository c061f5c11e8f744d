//! The redb file: objects by key, changes by revision, and what must be known before reading either.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use redb::{
    Builder, Database, ReadableDatabase, ReadableTable, StorageBackend, TableDefinition, TableError,
};
use serde_json::{Map, Value};

use super::OpenError;
use super::directory;
use super::memory::Memory;
use super::object::{Change, ChangeKind, Key, Object};

/// The layout this program writes; a file that says more is left alone.
const FORMAT: u64 = 1;

/// Object JSON by `group/plural/namespace/name`.
const OBJECTS: TableDefinition<'static, &str, &[u8]> = TableDefinition::new("objects");
/// By revision: kind of change, key, labels before the change as JSON (empty: there was nothing), object JSON.
type LogValue = (u8, &'static str, &'static [u8], &'static [u8]);
const LOG: TableDefinition<'static, u64, LogValue> = TableDefinition::new("log");
const META: TableDefinition<'static, &str, u64> = TableDefinition::new("meta");

/// redb's page cache: small, since everything is read from memory anyway.
const PAGE_CACHE: usize = 16 << 20;
/// Files smaller than this are never rewritten to save space.
const SHRINK_FROM: u64 = 64 << 20;

/// The open file, held by this process alone.
#[derive(Debug)]
pub(super) struct File {
    database: Database,
    path: PathBuf,
    /// Keeps the lock until the file is closed.
    _lock: Option<fs::File>,
}

impl File {
    /// Opens or creates `directory/objects.redb`; the directory is made private.
    pub(super) fn open(directory: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Directory {
            path: directory.to_owned(),
            source,
        };
        let lock = directory::take(directory)?;
        let path = directory.join(directory::OBJECTS);
        if !path.try_exists().map_err(failed)? {
            create_file(directory, &path)?;
        }
        let database = Builder::new().set_cache_size(PAGE_CACHE).open(&path);
        Self::prepare(database, path, Some(lock))
    }

    /// Opens a database over any storage.
    pub(super) fn open_on(backend: impl StorageBackend) -> Result<Self, OpenError> {
        let database = Builder::new()
            .set_cache_size(PAGE_CACHE)
            .create_with_backend(backend);
        Self::prepare(database, PathBuf::from("memory"), None)
    }

    fn prepare(
        database: Result<Database, redb::DatabaseError>,
        path: PathBuf,
        lock: Option<fs::File>,
    ) -> Result<Self, OpenError> {
        let failed = |source: redb::Error| OpenError::Database {
            path: path.clone(),
            source: Box::new(source),
        };
        let database = database.map_err(|source| failed(source.into()))?;
        match read_meta(&database, "format").map_err(failed)? {
            Some(FORMAT) => {}
            Some(found) if found > FORMAT => {
                return Err(OpenError::NewerFormat {
                    path,
                    found,
                    supported: FORMAT,
                });
            }
            Some(_) | None => create_tables(&database).map_err(failed)?,
        }
        Ok(Self {
            database,
            path,
            _lock: lock,
        })
    }

    /// Reads everything into memory.
    pub(super) fn load(&self) -> Result<Memory, OpenError> {
        let rows = self.read_rows().map_err(|source| self.failed(source))?;
        let Rows {
            revision,
            compacted,
            objects,
            log,
        } = rows;
        let mut live: HashMap<Key, Arc<Object>> = HashMap::with_capacity(objects.len());
        for (row, bytes) in objects {
            let object = self.read_object(&row, bytes)?;
            live.insert(object.key.clone(), Arc::new(object));
        }
        let changes = self.read_changes(&live, log)?;
        Ok(Memory::restore(
            revision,
            compacted,
            live.into_values().collect(),
            changes,
        ))
    }

    fn read_changes(
        &self,
        live: &HashMap<Key, Arc<Object>>,
        log: Vec<LogRow>,
    ) -> Result<Vec<Arc<Change>>, OpenError> {
        let mut latest: HashMap<Key, Arc<Object>> = HashMap::new();
        let mut changes = Vec::with_capacity(log.len());
        for LogRow {
            kind,
            key,
            labels,
            object,
        } in log
        {
            let mut object = Arc::new(self.read_object(&key, object)?);
            if let Some(current) = live
                .get(&object.key)
                .filter(|it| it.revision == object.revision)
            {
                object = Arc::clone(current);
            }
            let before = match latest.get(&object.key) {
                _ if labels.is_empty() => None,
                Some(before) => Some(Arc::clone(before)),
                None => {
                    let labels: Map<String, Value> = serde_json::from_slice(&labels)
                        .map_err(|source| self.damaged(&key, &source))?;
                    Some(Arc::new(object.shadow(labels)))
                }
            };
            let kind = match kind {
                0 => ChangeKind::Created,
                1 => ChangeKind::Updated,
                _ => ChangeKind::Deleted,
            };
            latest.insert(object.key.clone(), Arc::clone(&object));
            changes.push(Arc::new(Change::new(kind, before, object)));
        }
        Ok(changes)
    }

    fn read_object(&self, row: &str, bytes: Bytes) -> Result<Object, OpenError> {
        let key = Key::from_row(row).ok_or_else(|| self.damaged(row, &"not a key"))?;
        Object::read(key, bytes).map_err(|source| self.damaged(row, &source))
    }

    fn read_rows(&self) -> Result<Rows, redb::Error> {
        let read = self.database.begin_read()?;
        let meta = read.open_table(META)?;
        let mut rows = Rows {
            revision: meta.get("revision")?.map_or(0, |it| it.value()),
            compacted: meta.get("compacted")?.map_or(0, |it| it.value()),
            objects: Vec::new(),
            log: Vec::new(),
        };
        for row in read.open_table(OBJECTS)?.iter()? {
            let (key, value) = row?;
            rows.objects.push((
                key.value().to_owned(),
                Bytes::copy_from_slice(value.value()),
            ));
        }
        for row in read.open_table(LOG)?.iter()? {
            let (_, value) = row?;
            let (kind, key, labels, object) = value.value();
            rows.log.push(LogRow {
                kind,
                key: key.to_owned(),
                labels: labels.to_vec(),
                object: Bytes::copy_from_slice(object),
            });
        }
        Ok(rows)
    }

    /// Rewrites the file when most of it is free space.
    pub(super) fn shrink(&mut self, live: usize) -> Result<(), OpenError> {
        let size = fs::metadata(&self.path).map_or(0, |it| it.len());
        if !is_worth_shrinking(size, live as u64) {
            return Ok(());
        }
        self.rewrite()
    }

    fn rewrite(&mut self) -> Result<(), OpenError> {
        self.database
            .compact()
            .map_err(|source| self.failed(source.into()))?;
        Ok(())
    }

    /// Makes `changes` durable, and drops the log up to and including `compacted`.
    pub(super) fn commit(
        &self,
        changes: &[Arc<Change>],
        compacted: Option<u64>,
    ) -> Result<(), redb::Error> {
        let transaction = self.database.begin_write()?;
        {
            let mut objects = transaction.open_table(OBJECTS)?;
            let mut log = transaction.open_table(LOG)?;
            let mut meta = transaction.open_table(META)?;
            for change in changes {
                write_change(&mut objects, &mut log, change)?;
            }
            if let Some(last) = changes.last() {
                meta.insert("revision", last.revision())?;
            }
            if let Some(compacted) = compacted {
                log.retain_in(..=compacted, |_, _| false)?;
                meta.insert("compacted", compacted)?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    fn failed(&self, source: redb::Error) -> OpenError {
        OpenError::Database {
            path: self.path.clone(),
            source: Box::new(source),
        }
    }

    fn damaged(&self, row: &str, why: &dyn std::fmt::Display) -> OpenError {
        OpenError::Damaged {
            path: self.path.clone(),
            what: format!("row {row:?}: {why}"),
        }
    }
}

/// Says whether a file is large, and three quarters of it or more are of no use.
fn is_worth_shrinking(size: u64, live: u64) -> bool {
    size >= SHRINK_FROM && size / 4 >= live
}

struct Rows {
    revision: u64,
    compacted: u64,
    objects: Vec<(String, Bytes)>,
    log: Vec<LogRow>,
}

struct LogRow {
    kind: u8,
    key: String,
    labels: Vec<u8>,
    object: Bytes,
}

fn write_change(
    objects: &mut redb::Table<'_, &str, &[u8]>,
    log: &mut redb::Table<'_, u64, LogValue>,
    change: &Change,
) -> Result<(), redb::Error> {
    let row = change.object.key.to_row();
    let bytes = change.object.bytes();
    let kind = match change.kind {
        ChangeKind::Created => 0,
        ChangeKind::Updated => 1,
        ChangeKind::Deleted => 2,
    };
    if change.kind == ChangeKind::Deleted {
        objects.remove(row.as_str())?;
    } else {
        objects.insert(row.as_str(), bytes.as_ref())?;
    }
    let labels = change.before.as_ref().map_or_else(Vec::new, |before| {
        serde_json::to_vec(&before.labels).expect("a map of strings is JSON")
    });
    log.insert(
        change.revision(),
        (kind, row.as_str(), labels.as_slice(), bytes.as_ref()),
    )?;
    Ok(())
}

fn read_meta(database: &Database, name: &str) -> Result<Option<u64>, redb::Error> {
    let read = database.begin_read()?;
    match read.open_table(META) {
        Ok(table) => Ok(table.get(name)?.map(|it| it.value())),
        Err(TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Puts an empty database in place, complete: a crash on the way leaves nothing that looks like one.
fn create_file(directory: &Path, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Directory {
        path: directory.to_owned(),
        source,
    };
    let broken = |source| OpenError::Database {
        path: path.to_owned(),
        source: Box::new(source),
    };
    let unfinished = directory.join(directory::UNFINISHED);
    if unfinished.try_exists().map_err(failed)? {
        fs::remove_file(&unfinished).map_err(failed)?;
    }
    let database = Builder::new()
        .create(&unfinished)
        .map_err(|source| broken(source.into()))?;
    create_tables(&database).map_err(broken)?;
    database.close().map_err(|source| broken(source.into()))?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    fs::File::open(&unfinished)
        .and_then(|it| it.sync_all())
        .map_err(failed)?;
    fs::rename(&unfinished, path).map_err(failed)?;
    fs::File::open(directory)
        .and_then(|it| it.sync_all())
        .map_err(failed)
}

fn create_tables(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(OBJECTS)?;
    transaction.open_table(LOG)?;
    transaction.open_table(META)?.insert("format", FORMAT)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::object::Resource;

    #[test]
    fn small_files_and_full_ones_are_left_as_they_are() {
        assert!(!is_worth_shrinking(1 << 20, 0));
        assert!(!is_worth_shrinking(100 << 20, 50 << 20));
        assert!(is_worth_shrinking(100 << 20, 20 << 20));
    }

    #[test]
    fn a_rewritten_file_is_smaller_and_holds_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data");
        let mut file = File::open(&path).unwrap();
        let key = Key::new(&Resource::new("", "things"), "a", "it");
        for revision in 1..=200 {
            let value = serde_json::json!({"metadata": {"name": "it"}, "text": "x".repeat(50_000)});
            let object = Arc::new(Object::stamp(key.clone(), value, revision).unwrap());
            let change = Change::new(ChangeKind::Updated, None, object);
            file.commit(&[Arc::new(change)], (revision == 200).then_some(190))
                .unwrap();
        }
        let before = fs::metadata(&file.path).unwrap().len();
        file.rewrite().unwrap();
        let after = fs::metadata(&file.path).unwrap().len();
        assert!(after < before / 2, "{before} bytes became {after}");
        let memory = file.load().unwrap();
        assert_eq!(
            (memory.revision(), memory.get(&key).unwrap().revision),
            (200, 200)
        );
    }
}
