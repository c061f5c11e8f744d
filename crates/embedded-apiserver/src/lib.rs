//! A Kubernetes API without a cluster.

pub mod label;
pub mod selector;
