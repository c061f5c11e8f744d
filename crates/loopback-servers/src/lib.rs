//! Real servers on loopback, for tests and the demo: Git hosts, an image registry and a repository of charts, none of
//! them ours.
//!
//! [`GitServer`] is nginx in front of Git's own smart-HTTP backend, [`SshServer`] is OpenSSH's sshd, [`Registry`] is
//! Debian's `docker-registry`, filled by `skopeo`, [`ChartRepository`] is nginx in front of a folder. [`Argosy`] is a running
//! `argosy up` and [`Kubectl`] what a user drives it with; [`Google`] is a running `argosy gcp sim`. [`terraform`] judges
//! what is written for it, [`OpenPgpKey`] what is signed; gpg and git are the system's. The other programs come from `cargo xtask tools`; see [`tools::path`].

mod argosy;
mod chart;
mod chart_repository;
mod git_server;
mod google;
mod image;
mod kubectl;
mod nginx;
mod openpgp;
mod patience;
mod process;
mod quickstart;
mod registry;
mod repositories;
mod ssh_server;
pub mod terraform;
pub mod tools;

pub use argosy::Argosy;
pub use chart_repository::ChartRepository;
pub use git_server::{Certificate, GitServer};
pub use google::Google;
pub use image::Image;
pub use kubectl::Kubectl;
pub use openpgp::OpenPgpKey;
pub use patience::wait;
pub use process::{Process, kill_all};
pub use quickstart::{PROJECT, Quickstart};
pub use registry::Registry;
pub use ssh_server::SshServer;

/// The user that password-protected servers of this crate know.
pub const USER: &str = "argosy";

/// The password of [`USER`].
pub const PASSWORD: &str = "argosy-test";

/// Whether a server wants [`USER`] and [`PASSWORD`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone may read and write.
    Open,
    /// Basic authentication for every request.
    Password,
}
