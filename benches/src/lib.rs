//! What the benchmarks have in common: a line for each figure, beside its peer, with the ratio.
#![expect(clippy::print_stdout, reason = "benchmarks print")]

use std::time::Duration;

/// Prints what was measured, what it is compared with, and how many times more or less it is.
pub fn compare(what: &str, ours: f64, unit: &str, peer: &str, theirs: f64) {
    println!(
        "{what:<44} {ours:>12.1} {unit:<5} {peer:<44} {theirs:>12.1} {unit:<5} ratio {:.2}",
        ours / theirs
    );
}

/// Prints why something was not measured.
pub fn skip(what: &str, why: &str) {
    println!("{what:<44} not measured: {why}");
}

/// How many a second.
pub fn rate(count: usize, time: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / time.as_secs_f64()
}

/// Milliseconds.
pub fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The middle of some times.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
