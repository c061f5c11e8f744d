//! The time, as an argument: the machine's, shifted, or standing still until it is moved.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

/// What time Google thinks it is. Clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    frozen: Option<Timestamp>,
    /// How far the machine's clock was moved forward.
    advanced: SignedDuration,
    /// What the simulator is ahead of the clock that its callers look at.
    skew: SignedDuration,
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
            advanced: SignedDuration::ZERO,
            skew: SignedDuration::ZERO,
        };
        Self {
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// The present time, skew included.
    pub fn now(&self) -> Timestamp {
        let state = self.state.lock();
        state.of_everybody_else() + state.skew
    }

    /// What everybody else's clock shows, whatever the skew is.
    pub fn of_everybody_else(&self) -> Timestamp {
        self.state.lock().of_everybody_else()
    }

    /// Moves the time forward, whether it stands still or not.
    pub fn advance(&self, by: SignedDuration) {
        let mut state = self.state.lock();
        match &mut state.frozen {
            Some(now) => *now += by,
            None => state.advanced += by,
        }
    }

    /// Makes Google's clock differ from everybody else's by so much.
    pub fn skew(&self, skew: SignedDuration) {
        self.state.lock().skew = skew;
    }
}

impl State {
    fn of_everybody_else(&self) -> Timestamp {
        self.frozen.unwrap_or_else(Timestamp::now) + self.advanced
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
    fn skew_is_seen_by_every_clone() {
        let start: Timestamp = "2026-03-01T10:00:00Z".parse().unwrap();
        let clock = Clock::standing_at(start);
        clock.clone().skew(SignedDuration::from_secs(-90));
        assert_eq!(clock.now(), start - SignedDuration::from_secs(90));
        assert_eq!(clock.of_everybody_else(), start);
    }

    #[test]
    fn a_clock_that_was_moved_stays_so_when_its_skew_is_mended() {
        let clock = Clock::of_the_machine();
        clock.advance(SignedDuration::from_hours(2));
        clock.skew(SignedDuration::from_secs(-90));
        clock.skew(SignedDuration::ZERO);
        let ahead = clock.now().duration_since(Timestamp::now());
        assert!(ahead > SignedDuration::from_mins(119), "{ahead:?}");
    }
}
