//! When others call us: the Kubernetes API asks whether an object may be, and what it should be like.

pub mod admission;
