//! The simulator over HTTP, as a client sees it.

mod administration;
mod disabled;
mod exchange;
mod faults;
mod go;
mod inventory;
mod metadata;
mod minting;
mod operations;
mod pubsub;
mod python;
mod scopes;
mod talk;
