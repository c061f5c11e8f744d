//! Tokens of service accounts, as those see them who ask for one, bear one, or are shown one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod asking;
mod bearing;
mod cluster;
