//! Manifests, indexes and configs, and their digests.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| artifacts::fuzzing::manifest(bytes));
