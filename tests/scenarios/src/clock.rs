//! The time of a scenario, which the API, the loops and Google share.

use jiff::{SignedDuration, Timestamp};
use testkit::google;

/// A clock that stands still until it is told to move on; Google's may differ from it for a while.
#[derive(Clone, Debug)]
pub struct Clock(google::Clock);

impl Clock {
    /// Starts at the second 4,000,000,000.
    pub fn start() -> Self {
        let start = Timestamp::from_second(4_000_000_000).expect("a time of this century");
        Self(google::Clock::standing_at(start))
    }

    /// Starts at this very second, for what the outside checks by the machine's clock: certificates.
    pub fn start_today() -> Self {
        Self(google::Clock::standing_at(Timestamp::now()))
    }

    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Moves on by so many seconds.
    pub fn advance(&self, seconds: i64) {
        self.0.advance(SignedDuration::from_secs(seconds));
    }

    /// The same clock for Google, with whatever skew Google has.
    pub fn of_google(&self) -> google::Clock {
        self.0.clone()
    }
}
