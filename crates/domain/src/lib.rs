//! Every decision: pure functions, no I/O, no clock.
