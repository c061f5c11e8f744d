//! The index of a repository of charts.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| artifacts::fuzzing::chart_index(bytes));
