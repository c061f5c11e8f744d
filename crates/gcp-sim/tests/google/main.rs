//! The simulator over HTTP, as a client sees it.

mod administration;
mod exchange;
mod faults;
mod go;
mod metadata;
mod minting;
mod python;
mod talk;
