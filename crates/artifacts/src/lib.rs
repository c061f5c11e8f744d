//! Git hosts and image registries.
//!
//! | concept | finds | changes |
//! | --- | --- | --- |
//! | image | [`image`], over [`registry`] | |
//! | commit | [`git`] | [`work_tree`] |
//!
//! What a tenant writes decides where requests go, so [`egress`] has the last word on every connection, and programs
//! run as [`child`]ren that see only what they need.

pub mod child;
pub mod egress;
pub mod git;
pub mod image;
pub mod registry;
mod sender;
pub mod work_tree;

pub use crate::sender::{Fault, Limits};
