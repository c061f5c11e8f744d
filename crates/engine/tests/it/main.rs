//! The engine against a real Git host, real Kustomize and an API server.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod crash;
mod fixture;
mod hints;
mod push;
mod reach;
mod run;
mod signing;
