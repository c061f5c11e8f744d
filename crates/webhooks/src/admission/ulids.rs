//! ULIDs that only ever grow within one process, since Promotions are ordered by them.

use jiff::Timestamp;
use parking_lot::Mutex;
use ulid::Ulid;

#[derive(Debug, Default)]
pub(super) struct Ulids {
    last: Mutex<Ulid>,
}

impl Ulids {
    /// The next one; within a millisecond, or when the clock went back, one more than the last.
    pub(super) fn next(&self, now: Timestamp) -> Ulid {
        let now = u64::try_from(now.as_millisecond()).unwrap_or(0);
        let mut last = self.last.lock();
        let fresh = Ulid::from_parts(now, rand::random());
        *last = if now > last.timestamp_ms() {
            fresh
        } else {
            // After 2^80 in one millisecond the next millisecond is begun early.
            last.increment()
                .unwrap_or_else(|_| Ulid::from_parts(last.timestamp_ms() + 1, 0))
        };
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_ulid_is_greater_whatever_the_clock_says() {
        let ulids = Ulids::default();
        let times = [5, 5, 5, 9, 3, 9, 10];
        let drawn: Vec<String> = times
            .iter()
            .map(|it| Timestamp::from_millisecond(*it).expect("the time exists"))
            .map(|it| ulids.next(it).to_string())
            .collect();
        assert!(drawn.is_sorted());
        assert_eq!(
            drawn
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len(),
            times.len()
        );
    }
}
