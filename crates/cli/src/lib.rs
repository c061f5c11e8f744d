//! The body of the commands that print.

pub mod exit;
