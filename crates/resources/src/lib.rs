//! What is on the wire: the kinds of `kargo.akuity.io/v1alpha1`, their labels and conditions.
