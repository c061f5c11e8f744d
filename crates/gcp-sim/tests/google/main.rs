//! The simulator over HTTP, as a client sees it.

mod administration;
mod exchange;
mod faults;
mod metadata;
mod minting;
mod python;
mod talk;
