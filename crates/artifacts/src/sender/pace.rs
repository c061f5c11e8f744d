//! How fast a host is asked: faster while it answers well, half as fast when it says that this is too much.
//!
//! Additive increase, multiplicative decrease, as in TCP. A host that names a time to wait (`Retry-After`) is not asked by
//! anybody of the same scope until then.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

/// The pace at first, and how much faster it gets in every second of use, as parts of the fastest.
const FIRST: f64 = 1.0 / 4.0;
const RISE: f64 = 1.0 / 20.0;
/// The slowest pace, in requests a second.
const SLOWEST: f64 = 1.0;
/// How much time without requests can be caught up on.
const CREDIT: Duration = Duration::from_millis(500);
/// The longest pause that a host is believed to need.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

/// Paces the requests to one host on behalf of one login.
#[derive(Debug)]
pub(super) struct Pace {
    fastest: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Requests a second.
    rate: f64,
    /// When the next request may go.
    next: Instant,
    /// When the rate was last lowered: answers to what was sent before that tell nothing of the new rate.
    slowed: Option<Instant>,
    pause: Option<Pause>,
}

/// The host asked to be left alone.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pause {
    pub(super) until: Instant,
    pub(super) status: StatusCode,
}

/// What an answer says about the pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    Good,
    /// It was too much; the host may name a time to wait.
    TooMuch {
        status: StatusCode,
        wait: Option<Duration>,
    },
    /// It says nothing about the pace.
    None,
}

impl Pace {
    /// Asks at most `fastest` times a second.
    pub(super) fn new(fastest: NonZeroU32) -> Self {
        let fastest = f64::from(fastest.get());
        let state = State {
            rate: (fastest * FIRST).max(SLOWEST),
            next: Instant::now(),
            slowed: None,
            pause: None,
        };
        Self {
            fastest,
            state: Mutex::new(state),
        }
    }

    /// Waits for the turn of a request.
    ///
    /// # Errors
    /// Where the host wants to be left alone for longer than `end`.
    pub(super) async fn turn(&self, end: Instant) -> Result<(), Pause> {
        loop {
            let (turn, pauses) = self.state().reserve(end)?;
            tokio::time::sleep_until(turn).await;
            // A pause that began meanwhile holds for everybody who has not gone yet.
            if self.state().pause.map(|it| it.until) == pauses {
                return Ok(());
            }
        }
    }

    /// Learns from the answer to a request that was sent at `sent`.
    pub(super) fn learn(&self, sent: Instant, sign: Sign) {
        let now = Instant::now();
        let mut state = self.state();
        match sign {
            Sign::None => {}
            // A full second of good answers raises the rate by one step.
            Sign::Good => {
                state.rate = (state.rate + self.fastest * RISE / state.rate).min(self.fastest);
            }
            Sign::TooMuch { status, wait } => {
                if state.slowed.is_none_or(|slowed| slowed <= sent) {
                    state.rate = (state.rate / 2.0).max(SLOWEST);
                    state.slowed = Some(now);
                }
                let until = wait.map(|it| now + it.min(LONGEST_PAUSE));
                if let Some(until) = until
                    && state.pause.is_none_or(|pause| pause.until < until)
                {
                    state.pause = Some(Pause { until, status });
                    // Turns that were given away are given away anew.
                    state.next = until;
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Takes the next turn; says when it is and which pause was known.
    fn reserve(&mut self, end: Instant) -> Result<(Instant, Option<Instant>), Pause> {
        let now = Instant::now();
        if let Some(pause) = self.pause {
            if pause.until <= now {
                self.pause = None;
            } else if pause.until >= end {
                return Err(pause);
            }
        }
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        let turn = self.next.max(earliest);
        self.next = turn + Duration::from_secs_f64(1.0 / self.rate);
        Ok((turn, self.pause.map(|it| it.until)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(fastest: u32) -> Pace {
        Pace::new(NonZeroU32::new(fastest).expect("not zero"))
    }

    fn rate(pace: &Pace) -> f64 {
        pace.state().rate
    }

    fn too_much(wait: Option<u64>) -> Sign {
        Sign::TooMuch {
            status: StatusCode::TOO_MANY_REQUESTS,
            wait: wait.map(Duration::from_secs),
        }
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_mins(2)
    }

    /// Sends so many requests, each answered well at once; gives the seconds it took.
    async fn send(pace: &Pace, count: u32) -> f64 {
        let start = Instant::now();
        for _ in 0..count {
            pace.turn(soon()).await.expect("no pause");
            pace.learn(Instant::now(), Sign::Good);
        }
        start.elapsed().as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn good_answers_raise_the_rate_to_the_fastest_in_a_quarter_of_a_minute() {
        let pace = pace(200);
        assert!((rate(&pace) - 50.0).abs() < 0.1);
        // Linear from 50 to 200 a second.
        let seconds = send(&pace, 1_875).await;
        assert!((13.0..=16.0).contains(&seconds), "{seconds}");
        assert!(rate(&pace) > 195.0, "{}", rate(&pace));
        let seconds = send(&pace, 2_000).await;
        assert!((9.5..=10.5).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn one_burst_of_refusals_halves_the_rate_once() {
        let pace = pace(100);
        send(&pace, 3_000).await;
        let sent = Instant::now();
        tokio::time::advance(Duration::from_millis(20)).await;
        for _ in 0..8 {
            pace.learn(sent, too_much(None));
        }
        assert!((rate(&pace) - 50.0).abs() < 0.1, "{}", rate(&pace));
        pace.learn(Instant::now(), too_much(None));
        assert!((rate(&pace) - 25.0).abs() < 0.1, "{}", rate(&pace));
        for _ in 0..20 {
            tokio::time::advance(Duration::from_millis(1)).await;
            pace.learn(Instant::now(), too_much(None));
        }
        assert!((rate(&pace) - SLOWEST).abs() < 0.001);
    }

    #[tokio::test(start_paused = true)]
    async fn a_time_to_wait_holds_for_all_requests_also_those_whose_turn_was_near() {
        let pace = pace(4);
        send(&pace, 3).await;
        let start = Instant::now();
        let waiting = async {
            pace.turn(soon()).await.expect("within patience");
            start.elapsed()
        };
        let refused = async {
            tokio::task::yield_now().await;
            pace.learn(Instant::now(), too_much(Some(30)));
        };
        let (waited, ()) = tokio::join!(waiting, refused);
        assert!(waited >= Duration::from_secs(30), "{waited:?}");
        // A shorter wait does not end a longer one.
        pace.learn(Instant::now(), too_much(Some(60)));
        pace.learn(Instant::now(), too_much(Some(1)));
        let start = Instant::now();
        pace.turn(soon()).await.expect("within patience");
        assert!(start.elapsed() >= Duration::from_secs(59));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_cannot_wait_so_long_is_told_at_once() {
        let pace = pace(100);
        pace.learn(Instant::now(), too_much(Some(24 * 3600)));
        let start = Instant::now();
        let pause = pace.turn(soon()).await.expect_err("a long pause");
        assert_eq!(start.elapsed(), Duration::ZERO);
        assert_eq!(pause.until - start, LONGEST_PAUSE);
        assert_eq!(pause.status, StatusCode::TOO_MANY_REQUESTS);
        tokio::time::advance(LONGEST_PAUSE).await;
        pace.turn(soon()).await.expect("the pause is over");
    }

    #[tokio::test(start_paused = true)]
    async fn idle_time_is_caught_up_on_for_half_a_second() {
        let pace = pace(40);
        tokio::time::advance(Duration::from_mins(1)).await;
        let start = Instant::now();
        for _ in 0..5 {
            pace.turn(soon()).await.expect("no pause");
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        pace.turn(soon()).await.expect("no pause");
        pace.turn(soon()).await.expect("no pause");
        assert!(start.elapsed() >= Duration::from_millis(50));
    }
}
