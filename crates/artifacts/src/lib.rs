//! Git hosts and image registries.

pub mod child;
