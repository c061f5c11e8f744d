//! How the world was a while ago, kept while a fault makes the inventory lag behind.

use std::collections::VecDeque;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;

use crate::world::World;

/// Most changes that are kept; beyond them the inventory lags less than it should.
const KEPT: usize = 64;

/// The world before each of the last changes, oldest first, each with the time until which it was so.
#[derive(Debug, Default)]
pub(crate) struct History {
    worlds: Mutex<VecDeque<(Timestamp, Arc<World>)>>,
}

impl History {
    /// Keeps the world that is about to be changed.
    pub(crate) fn keep(&self, world: &World, now: Timestamp) {
        let mut worlds = self.worlds.lock();
        if worlds.len() == KEPT {
            worlds.pop_front();
        }
        worlds.push_back((now, Arc::new(world.clone())));
    }

    /// Forgets everything, for nobody wants to know any more.
    pub(crate) fn forget(&self) {
        self.worlds.lock().clear();
    }

    /// The world as it was at a moment; none if it has not changed since.
    pub(crate) fn at(&self, moment: Timestamp) -> Option<Arc<World>> {
        let worlds = self.worlds.lock();
        let (_, world) = worlds.iter().find(|(until, _)| *until > moment)?;
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
        history.keep(&world_of("first"), at(10));
        history.keep(&world_of("second"), at(20));
        assert_eq!(*history.at(at(5)).unwrap(), world_of("first"));
        assert_eq!(*history.at(at(10)).unwrap(), world_of("second"));
        assert!(history.at(at(20)).is_none(), "it is as it is now");
        history.forget();
        assert!(history.at(at(5)).is_none());
    }

    #[test]
    fn only_so_many_changes_are_kept() {
        let history = History::default();
        for second in 0..1000 {
            history.keep(&World::default(), at(second));
        }
        assert_eq!(history.worlds.lock().len(), KEPT);
    }
}
