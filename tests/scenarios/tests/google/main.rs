//! Warehouses at Google's registries: who acts for a Project, and what is said of it.

mod port;

mod annotation;
mod fallback;
mod hanging;
mod kubernetes_account;
mod leaks;
mod logged;
mod newest_build;
mod own_account;
mod revoked;
mod soak;
mod told;
mod trouble;

#[cfg(feature = "slow")]
mod slow;
