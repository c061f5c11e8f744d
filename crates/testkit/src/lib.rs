//! A world for tests: an API server, a Git host and a registry.
