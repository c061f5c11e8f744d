//! A Kubernetes API without a cluster.

pub mod apply;
pub mod label;
pub mod selector;
pub mod shape;
