//! Every decision: pure functions, no I/O, no clock.

pub mod version;
