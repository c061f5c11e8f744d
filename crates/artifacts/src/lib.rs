//! Git hosts and image registries.
