//! The body of the commands that print.

pub mod crds;
pub mod discover;
pub mod exit;
pub mod gcp;
