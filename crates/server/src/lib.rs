//! The body of `argosy up` and `argosy controller`: reads settings, wires the parts, decides nothing.

mod admission;
pub mod args;
pub mod child;
mod controller;
mod data_dir;
mod google;
mod logging;
mod manifests;
mod metrics;
mod parts;
mod process;
mod up;

pub use controller::controller;
pub use up::up;
