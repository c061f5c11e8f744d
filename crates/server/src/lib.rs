//! The body of `argosy up` and `argosy controller`.

pub mod child;
