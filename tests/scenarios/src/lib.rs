//! Pipelines as users run them; the tests are in `tests/`.

pub mod admission;
mod clock;
pub mod google;
mod harbour;

pub use clock::Clock;
pub use harbour::steps::{direct, failing, harmless, harmless_with, upstream};
pub use harbour::{Harbour, PROJECT, Surroundings};
