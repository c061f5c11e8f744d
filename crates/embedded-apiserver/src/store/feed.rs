//! Following one resource's changes from a revision on.
//!
//! A feed has no queue of its own: it reads from the changes the store holds anyway. One that falls behind what is held
//! is told that its revision expired, and its client lists again.

use std::sync::Arc;

use tokio::sync::watch;

use super::memory::{Expired, Memory};
use super::object::{Change, Resource};

/// How many changes are taken at once, so that no feed holds the store for long.
const BATCH: usize = 256;

/// One follower of one resource.
#[derive(Debug)]
pub(crate) struct Feed {
    memory: Arc<Memory>,
    resource: Resource,
    position: u64,
    changed: Option<watch::Receiver<u64>>,
}

impl Feed {
    /// Starts behind `position`: the first change given has a later revision.
    pub(crate) fn start(
        memory: Arc<Memory>,
        resource: Resource,
        position: u64,
    ) -> Result<Self, Expired> {
        let changed = memory.follow(&resource, position)?;
        Ok(Self {
            memory,
            resource,
            position,
            changed,
        })
    }

    /// The changes that are there already, possibly none.
    pub(crate) fn take(&mut self) -> Result<Vec<Arc<Change>>, Expired> {
        if let Some(changed) = &mut self.changed {
            changed.mark_unchanged();
        }
        let (changes, position) =
            self.memory
                .changes_after(&self.resource, self.position, BATCH)?;
        self.position = position;
        Ok(changes)
    }

    /// Waits until there may be changes to take; `false` when the store has closed.
    pub(crate) async fn wait(&mut self) -> bool {
        match &mut self.changed {
            Some(changed) => changed.changed().await.is_ok(),
            None => false,
        }
    }

    /// Everything up to this revision has been taken.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }
}
