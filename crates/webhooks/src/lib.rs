//! When the Kubernetes API asks: may this be?
