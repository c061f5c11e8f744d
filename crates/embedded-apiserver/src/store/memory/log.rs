//! The latest changes: followed, read from a revision on, and dropped when there are too many.

use std::sync::Arc;

use tokio::sync::watch;

use super::{Expired, Memory, table};
use crate::store::object::{Change, Resource};

impl Memory {
    /// How many changes are held, and their size.
    pub(in crate::store) fn history(&self) -> (usize, usize) {
        let state = self.state.read();
        (state.order.len(), state.history_bytes)
    }

    /// Drops the oldest changes until at most `events` and `bytes` are held; the revision dropped up to.
    pub(in crate::store) fn forget(&self, events: usize, bytes: usize) -> u64 {
        let mut state = self.state.write();
        while state.order.len() > events || state.history_bytes > bytes {
            let Some((revision, resource, size)) = state.order.pop_front() else {
                break;
            };
            state.history_bytes -= size;
            state.compacted = revision;
            if let Some(table) = state.tables.get_mut(&resource) {
                table.changes.pop_front();
                table.dropped = revision;
            }
        }
        state.compacted
    }

    /// Starts following a resource behind `position`.
    pub(in crate::store) fn follow(
        &self,
        resource: &Resource,
        position: u64,
    ) -> Result<Option<watch::Receiver<u64>>, Expired> {
        let mut state = self.state.write();
        if state.ended {
            return Ok(None);
        }
        let compacted = state.compacted;
        let table = table(&mut state.tables, resource, compacted);
        if position < table.dropped {
            return Err(Expired {
                asked: position,
                oldest: table.dropped,
            });
        }
        Ok(table.changed.as_ref().map(watch::Sender::subscribe))
    }

    /// The changes of a resource behind `position`, at most `limit`, and up to which revision they are complete.
    pub(in crate::store) fn changes_after(
        &self,
        resource: &Resource,
        position: u64,
        limit: usize,
    ) -> Result<(Vec<Arc<Change>>, u64), Expired> {
        let state = self.state.read();
        let Some(table) = state.tables.get(resource) else {
            return Ok((Vec::new(), state.revision));
        };
        if position < table.dropped {
            return Err(Expired {
                asked: position,
                oldest: table.dropped,
            });
        }
        let changes: Vec<Arc<Change>> =
            table.changes_after(position).take(limit).cloned().collect();
        let complete = match changes.last() {
            Some(last) if changes.len() == limit => last.revision(),
            Some(_) | None => state.revision.max(position),
        };
        Ok((changes, complete))
    }

    /// The resources that there are tables for.
    pub(crate) fn resources(&self) -> Vec<Resource> {
        self.state.read().tables.keys().cloned().collect()
    }

    /// Tells of every change, whatever its resource; ends with the store.
    pub(crate) fn follow_all(&self) -> Option<watch::Receiver<u64>> {
        self.state
            .read()
            .changed
            .as_ref()
            .map(watch::Sender::subscribe)
    }

    /// The changes of all resources behind `position`, at most `limit`, and up to which revision they are complete.
    pub(crate) fn all_changes_after(
        &self,
        position: u64,
        limit: usize,
    ) -> Result<(Vec<Arc<Change>>, u64), Expired> {
        let state = self.state.read();
        if position < state.compacted {
            return Err(Expired {
                asked: position,
                oldest: state.compacted,
            });
        }
        let start = state.order.partition_point(|it| it.0 <= position);
        let found = state.order.range(start..).take(limit).filter_map(|it| {
            let changes = &state.tables.get(&it.1)?.changes;
            let at = changes.partition_point(|change| change.revision() < it.0);
            changes.get(at).cloned()
        });
        let changes: Vec<Arc<Change>> = found.collect();
        let complete = match changes.last() {
            Some(last) if changes.len() == limit => last.revision(),
            Some(_) | None => state.revision.max(position),
        };
        Ok((changes, complete))
    }

    /// Notes that nothing more can be written.
    pub(in crate::store) fn fail(&self) {
        self.state.write().failed = true;
    }

    /// Says whether the disk has failed: what is read may be all there is, but nothing more is stored.
    pub(crate) fn has_failed(&self) -> bool {
        self.state.read().failed
    }

    /// Ends every feed, and lets no new one start.
    pub(crate) fn end_feeds(&self) {
        let mut state = self.state.write();
        state.ended = true;
        state.changed = None;
        for table in state.tables.values_mut() {
            table.changed = None;
        }
    }
}
