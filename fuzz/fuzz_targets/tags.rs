//! Pages of tags, with and without what Google's registries add.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| artifacts::fuzzing::tags(bytes));
