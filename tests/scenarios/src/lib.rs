//! Pipelines as users run them; the tests are in `tests/`.

pub mod admission;
