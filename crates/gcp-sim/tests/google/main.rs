//! The simulator over HTTP, as a client sees it.

mod administration;
mod disabled;
mod examples;
mod exchange;
mod faults;
mod go;
mod inventory;
mod metadata;
mod minting;
mod operations;
mod pubsub;
mod python;
mod rust;
mod scopes;
mod talk;
