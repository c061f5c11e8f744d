//! The simulator over HTTP, as a client sees it.

mod administration;
mod examples;
mod exchange;
mod faults;
mod go;
mod inventory;
mod metadata;
mod minting;
mod pubsub;
mod python;
mod rust;
mod talk;
