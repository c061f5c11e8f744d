//! The body of `argosy up` and `argosy controller`.
