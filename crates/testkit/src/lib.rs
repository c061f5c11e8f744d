//! A world for tests: an API server, a Git host, a registry, and Google.

mod client;
mod fill;
pub mod google;
pub mod proxy;
mod published_keys;
mod restricted;
mod world;

pub use client::client_of;
pub use embedded_apiserver::{AdmissionHook, Options, UserInfo};
pub use fill::{Pushed, fill};
pub use loopback_servers::{Kubectl, tools};
pub use published_keys::PublishedKeys;
pub use restricted::Restricted;
pub use world::World;

/// Real servers on loopback.
pub mod servers {
    pub use loopback_servers::{
        Access, Argosy, Certificate, ChartRepository, GitServer, Image, OpenPgpKey, PASSWORD,
        PROJECT, Process, Quickstart, Registry, SshServer, USER, wait,
    };
}
