//! Plans for worlds in which nothing, something and everything is missing.
