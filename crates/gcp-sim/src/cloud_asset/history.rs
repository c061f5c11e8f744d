//! How the world was a while ago, kept while a fault makes the inventory lag behind.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::world::World;

/// Most changes that are kept; beyond them the inventory lags less than it should.
const KEPT: usize = 64;

/// The world before each of the last changes, oldest first. Nothing is kept unless somebody asked for it.
#[derive(Debug, Default)]
pub(crate) struct History {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    readers: usize,
    /// Each with the time until which it was so.
    worlds: VecDeque<(Timestamp, Arc<World>)>,
}

impl History {
    /// Keeps what is changed from now on.
    pub(crate) fn begin(&self) {
        self.kept.lock().readers += 1;
    }

    /// Forgets everything once nobody wants to know any more.
    pub(crate) fn end(&self) {
        let mut kept = self.kept.lock();
        kept.readers = kept.readers.saturating_sub(1);
        if kept.readers == 0 {
            kept.worlds.clear();
        }
    }

    /// Keeps the world that is about to be changed.
    pub(crate) fn keep(&self, world: &World, now: Timestamp) {
        let mut kept = self.kept.lock();
        if kept.readers == 0 {
            return;
        }
        if kept.worlds.len() == KEPT {
            kept.worlds.pop_front();
        }
        kept.worlds.push_back((now, Arc::new(world.clone())));
    }

    /// The world as it was at a moment; none if it has not changed since.
    pub(crate) fn at(&self, moment: Timestamp) -> Option<Arc<World>> {
        let kept = self.kept.lock();
        let (_, world) = kept.worlds.iter().find(|(until, _)| *until > moment)?;
        Some(Arc::clone(world))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn world_of(group: &str) -> World {
        let mut world = World::default();
        world.groups.insert(group.to_owned(), Vec::new());
        world
    }

    #[test]
    fn a_moment_finds_the_world_that_was_true_then() {
        let history = History::default();
        history.keep(&world_of("unheard"), at(1));
        history.begin();
        history.keep(&world_of("first"), at(10));
        history.keep(&world_of("second"), at(20));
        assert_eq!(*history.at(at(5)).unwrap(), world_of("first"));
        assert_eq!(*history.at(at(10)).unwrap(), world_of("second"));
        assert!(history.at(at(20)).is_none(), "it is as it is now");
        history.end();
        assert!(history.at(at(5)).is_none());
    }

    #[test]
    fn only_so_many_changes_are_kept() {
        let history = History::default();
        history.begin();
        for second in 0..1000 {
            history.keep(&World::default(), at(second));
        }
        assert_eq!(history.kept.lock().worlds.len(), KEPT);
    }
}
