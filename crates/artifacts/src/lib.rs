//! Git hosts and image registries.

pub mod child;
pub mod work_tree;
