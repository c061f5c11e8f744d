//! A Kubernetes API without a cluster.
