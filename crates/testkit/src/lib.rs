//! A world for tests: an API server, a Git host and a registry.

/// Real servers on loopback.
pub mod servers {
    pub use loopback_servers::{Access, GitServer, Image, PASSWORD, Process, Registry, USER};
}

pub use loopback_servers::tools;
