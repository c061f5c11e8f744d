//! What a Git host says of its refs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| artifacts::fuzzing::pkt_line(bytes));
