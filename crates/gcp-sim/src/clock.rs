//! The time, as an argument: the machine's, shifted, or standing still until it is moved.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

/// What time it is. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    frozen: Option<Timestamp>,
    /// How far it was moved ahead of the machine's.
    ahead: SignedDuration,
}

impl Clock {
    /// Follows the machine's clock.
    pub fn of_the_machine() -> Self {
        Self::with(None)
    }

    /// Stands still until [`Clock::advance`].
    pub fn standing_at(now: Timestamp) -> Self {
        Self::with(Some(now))
    }

    fn with(frozen: Option<Timestamp>) -> Self {
        let state = State {
            frozen,
            ahead: SignedDuration::ZERO,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The present time.
    pub fn now(&self) -> Timestamp {
        let state = self.state.lock();
        state
            .frozen
            .unwrap_or_else(|| Timestamp::now() + state.ahead)
    }

    /// Moves the time forward, whether it stands still or not.
    pub fn advance(&self, by: SignedDuration) {
        let mut state = self.state.lock();
        match &mut state.frozen {
            Some(now) => *now += by,
            None => state.ahead += by,
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::of_the_machine()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_stands_still_moves_only_when_told() {
        let start: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let clock = Clock::standing_at(start);
        assert_eq!(clock.now(), start);
        clock.advance(SignedDuration::from_mins(61));
        assert_eq!(clock.now(), start + SignedDuration::from_mins(61));
    }

    #[test]
    fn a_clock_of_the_machine_goes_on_from_where_any_clone_was_moved() {
        let clock = Clock::of_the_machine();
        clock.clone().advance(SignedDuration::from_hours(2));
        let ahead = clock.now().duration_since(Timestamp::now());
        assert!(ahead > SignedDuration::from_mins(119), "{ahead}");
        assert!(ahead <= SignedDuration::from_hours(2), "{ahead}");
    }
}
