//! The body of `argosy up`, `argosy controller` and `argosy gcp sim`: reads settings, wires the parts, decides nothing.

mod admission;
pub mod args;
pub mod child;
mod controller;
mod data_dir;
#[cfg(feature = "gcp-sim")]
mod gcp_sim;
mod google;
mod logging;
mod manifests;
mod metrics;
mod parts;
mod process;
mod up;

pub use controller::controller;
#[cfg(feature = "gcp-sim")]
pub use gcp_sim::gcp_sim;
pub use up::up;
