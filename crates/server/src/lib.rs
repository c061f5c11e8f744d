//! The body of `argosy up` and `argosy controller`: reads settings, wires the parts, decides nothing.

pub mod args;
pub mod child;
mod data_dir;
mod logging;
mod manifests;
mod process;
mod up;

pub use up::up;
